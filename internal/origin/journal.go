package origin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/lectiospace/lectern/internal/media"
)

// journal keeps the stat cache's entries on disk, so that cached recordings play after a
// restart although their origin is unreachable. It is an append-only log of JSON lines;
// the last line about a location counts. A line is written only for a change. Entries
// that are read back are never fresh: the first Stat queries the origin.
type journal struct {
	mu    sync.Mutex
	path  string
	file  *os.File // guarded by mu
	lines int      // guarded by mu
}

// journalLine is one line. Object is nil when the location has no object any more.
type journalLine struct {
	Provider string        `json:"provider"`
	Key      string        `json:"key"`
	Object   *media.Object `json:"object,omitempty"`
}

// maxJournalLine bounds a line that is read, in bytes. A key and an object are far shorter.
const maxJournalLine = 64 << 10

// openJournal reads the journal of an earlier run and opens it for more. Lines that
// cannot be read, such as the last one after a crash, are skipped.
func openJournal(path string) (*journal, map[media.Location]media.Object, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	entries := map[media.Location]media.Object{}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	for text := range bytes.SplitSeq(data, []byte("\n")) {
		var line journalLine
		if len(text) > maxJournalLine || json.Unmarshal(text, &line) != nil {
			continue
		}
		loc := media.Location{Provider: line.Provider, Key: line.Key}
		if line.Object == nil {
			delete(entries, loc)
		} else if line.Object.Version != "" && line.Object.Size >= 0 && len(entries) < maxStatEntries {
			entries[loc] = *line.Object
		}
	}
	j := &journal{path: path}
	if err := j.rewrite(entries); err != nil {
		return nil, nil, err
	}
	return j, entries, nil
}

// rewrite replaces the log by one line for each location. The caller holds mu, or j is new.
func (j *journal) rewrite(entries map[media.Location]media.Object) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	for loc, obj := range entries {
		if err := enc.Encode(journalLine{loc.Provider, loc.Key, &obj}); err != nil {
			return err
		}
	}
	// The name is fixed, so that a crash leaves at most one such file.
	fresh := j.path + ".new"
	if err := os.WriteFile(fresh, text.Bytes(), 0o600); err != nil {
		return err
	}
	if err := os.Rename(fresh, j.path); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.lines = f, len(entries)
	return nil
}

// add appends one line; obj is nil when the location has no object. all gives every
// entry, for the rewrite of a log that has grown too long.
func (j *journal) add(loc media.Location, obj *media.Object, all func() map[media.Location]media.Object) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	if j.lines > 2*maxStatEntries {
		return j.rewrite(all())
	}
	line, err := json.Marshal(journalLine{loc.Provider, loc.Key, obj})
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("append to the stat cache's journal: %w", err)
	}
	j.lines++
	return nil
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
