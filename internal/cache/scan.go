package cache

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/cache/eviction"
)

// scanBatch is how many names are read, and taken into the index, at a time.
const scanBatch = 512

// scan makes the index of what an earlier run has left. Only names and sizes are
// looked at; contents are compared when they are first used. Until it is done
// nothing new is stored, so that the budget stays exact, but chunks that are
// asked for are found by their names.
//
// The folders are read in the order in which they were last written to: of what
// nobody comes for again, the oldest goes first.
func (c *Cache) scan() {
	began := time.Now()
	root := filepath.Join(c.cfg.Dir, "chunks")
	entries, err := os.ReadDir(root)
	type folder struct {
		key     objectKey
		written time.Time
	}
	var folders []folder
	for _, e := range entries {
		key, ok := keyOfFolder(e.Name())
		info, infoErr := e.Info()
		if !ok || !e.IsDir() || infoErr != nil {
			_ = os.RemoveAll(filepath.Join(root, e.Name())) // not ours
			continue
		}
		folders = append(folders, folder{key, info.ModTime()})
	}
	slices.SortFunc(folders, func(a, b folder) int { return a.written.Compare(b.written) })
	found := 0
	for _, f := range folders {
		n, folderErr := c.scanFolder(f.key)
		found += n
		if err == nil {
			err = folderErr
		}
	}
	c.mu.Lock()
	c.scanning = false
	c.mu.Unlock()
	close(c.scanDone)
	c.log.Info("cache index rebuilt", slog.Int("chunks", found), slog.String("took", time.Since(began).String()))
	if err != nil && c.base.Err() == nil {
		c.diskFault("scan", err)
	}
}

// scanFolder takes one object's chunks into the index.
func (c *Cache) scanFolder(key objectKey) (found int, err error) {
	dir, err := os.Open(key.folder(c.cfg.Dir))
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	for c.base.Err() == nil {
		entries, err := dir.ReadDir(scanBatch)
		files := make([]foundFile, 0, len(entries))
		for _, e := range entries {
			files = append(files, foundFileOf(e))
		}
		// Chunks are played in order and go together: in order they cost the index
		// nothing to insert.
		slices.SortFunc(files, func(a, b foundFile) int { return int(a.index - b.index) })
		for _, name := range c.addAllFound(key, files) {
			_ = os.RemoveAll(filepath.Join(key.folder(c.cfg.Dir), name))
		}
		found += len(files)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return found, err
		}
	}
	c.mu.Lock()
	empty := c.index.objects[key] == nil
	c.mu.Unlock()
	if empty {
		_ = os.Remove(key.folder(c.cfg.Dir))
	}
	return found, nil
}

// leftover is a file that an earlier run has left; length is 0 for what cannot be
// a chunk.
type foundFile struct {
	name          string
	index, length int64
}

func foundFileOf(e os.DirEntry) foundFile {
	f := foundFile{name: e.Name()}
	index, ok := indexOfName(e.Name())
	if info, err := e.Info(); ok && err == nil && info.Mode().IsRegular() {
		f.index, f.length = index, info.Size()-headerSize
	}
	return f
}

// adoptAll takes existing files into the index, and names those that must go. The
// lock is given back between them: readers do not wait for a folder.
func (c *Cache) addAllFound(key objectKey, files []foundFile) (refused []string) {
	for _, f := range files {
		if !c.addFound(key, f.index, f.length) {
			refused = append(refused, f.name)
		}
	}
	return refused
}

// adopt takes an existing file into the index; false when it must go, because it
// is no chunk, or the budget has become smaller since it was written.
func (c *Cache) addFound(key objectKey, index, length int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.index.objects[key]
	if !c.index.takes(o, index, length) {
		return false
	}
	if c.index.find(o, index) != 0 {
		return true
	}
	size := footprint(length)
	if o == nil || !o.hasFolder {
		size += folderFootprint
	}
	if size > c.limit()-c.budget.used {
		return false
	}
	o = c.index.objectFor(key)
	o.hasFolder = true
	c.commit(o, index, length, 0, eventFound, eviction.Arrival{})
	c.budget.used += size
	c.budget.usedThen += size // the free space was measured with it
	return true
}

// lookOnDisk finds a chunk that the scan has not come to yet; c.mu is not held.
// It reports whether the chunk is in the index now.
func (c *Cache) statChunk(key objectKey, index, length int64) bool {
	info, err := os.Stat(key.path(c.cfg.Dir, index))
	return err == nil && info.Mode().IsRegular() && info.Size() == headerSize+length && c.addFound(key, index, length)
}
