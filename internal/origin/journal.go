package origin

import (
	"bufio"
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

// keeper writes down which object lies where, so that lessons that are in the
// cache play although the gateway has just started and their origin is away. It is
// a log of lines; the last one about a place counts. A line is written only when
// something is new, so it stays short. Nothing in it is believed for longer than
// what is remembered otherwise: it is asked again at the first chance.
type journal struct {
	mu    sync.Mutex
	path  string
	file  *os.File // guarded by mu
	lines int      // guarded by mu
}

// keptLine is one line. Object is nil when there is nothing at the place any more.
type journalLine struct {
	Provider string        `json:"provider"`
	Key      string        `json:"key"`
	Object   *media.Object `json:"object,omitempty"`
}

// maxLine bounds a line that is read: a key and an object are far shorter.
const maxJournalLine = 64 << 10

// openKeeper reads what an earlier run wrote down, and goes on writing. Lines that
// cannot be read, as a crash leaves one at the end, are left out.
func openJournal(path string) (*journal, map[media.Location]media.Object, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	known := map[media.Location]media.Object{}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, maxJournalLine)
	for scanner.Scan() {
		var line journalLine
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			continue
		}
		loc := media.Location{Provider: line.Provider, Key: line.Key}
		if line.Object == nil {
			delete(known, loc)
		} else if line.Object.Version != "" && line.Object.Size >= 0 && len(known) < maxStatEntries {
			known[loc] = *line.Object
		}
	}
	k := &journal{path: path}
	if err := k.rewrite(known); err != nil {
		return nil, nil, err
	}
	return k, known, nil
}

// rewrite makes the log anew, a line for each place; k.mu is held, or k is new.
func (k *journal) rewrite(known map[media.Location]media.Object) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	for loc, obj := range known {
		if err := enc.Encode(journalLine{loc.Provider, loc.Key, &obj}); err != nil {
			return err
		}
	}
	// The name is fixed: a leftover of a crash is overwritten, not collected.
	fresh := k.path + ".new"
	if err := os.WriteFile(fresh, text.Bytes(), 0o600); err != nil {
		return err
	}
	if err := os.Rename(fresh, k.path); err != nil {
		return err
	}
	f, err := os.OpenFile(k.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if k.file != nil {
		k.file.Close()
	}
	k.file, k.lines = f, len(known)
	return nil
}

// note writes one line; obj is nil when there is nothing there. all gives what is
// known when the log has grown long enough to be made anew.
func (k *journal) add(loc media.Location, obj *media.Object, all func() map[media.Location]media.Object) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file == nil {
		return nil
	}
	if k.lines > 2*maxStatEntries {
		return k.rewrite(all())
	}
	line, err := json.Marshal(journalLine{loc.Provider, loc.Key, obj})
	if err != nil {
		return err
	}
	if _, err := k.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("keep what is known of an object: %w", err)
	}
	k.lines++
	return nil
}

func (k *journal) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file == nil {
		return nil
	}
	err := k.file.Close()
	k.file = nil
	return err
}
