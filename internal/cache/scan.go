package cache

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/cache/readahead"
	"github.com/lectiospace/lectern/internal/failpoint"
)

// scanBatch is how many directory entries are read at a time.
const scanBatch = 512

// scanState is the progress of the start-up scan; guarded by Cache.mu.
type scanState struct {
	running bool
	// unscanned holds the folders that the scan has not finished. nil means that they
	// are not known yet: each object may have one.
	unscanned map[objectKey]struct{}
}

// mayHaveFiles reports whether an object may have chunk files that the index does
// not list.
func (s *scanState) mayHaveFiles(key objectKey) bool {
	if !s.running || s.unscanned == nil {
		return s.running
	}
	_, unscanned := s.unscanned[key]
	return unscanned
}

// scan rebuilds the index from the files of an earlier run. It looks at names and
// sizes only; contents are verified when they are first read. Until it has ended
// nothing new is stored, so that the budget stays exact, but readers find chunks by
// their file names.
//
// Folders are scanned in the order of their modification times: if the budget has
// become smaller, what was written first is found first, and evicted first.
func (c *Cache) scan() {
	began := time.Now()
	folders, err := c.listFolders()
	unscanned := make(map[objectKey]struct{}, len(folders))
	for _, key := range folders {
		unscanned[key] = struct{}{}
	}
	c.mu.Lock()
	c.scanning.unscanned = unscanned
	c.mu.Unlock()
	found := 0
	for _, key := range folders {
		n, folderErr := c.scanFolder(key)
		found += n
		if err == nil {
			err = folderErr
		}
		c.mu.Lock()
		delete(c.scanning.unscanned, key)
		c.mu.Unlock()
	}
	c.mu.Lock()
	c.scanning = scanState{}
	c.mu.Unlock()
	close(c.scanDone)
	c.log.Info("cache: index rebuilt", slog.Int("chunks", found), slog.String("took", time.Since(began).String()))
	if err != nil && c.base.Err() == nil {
		c.diskFault("scan", err)
	}
}

// listFolders lists the objects' folders, the oldest first, and deletes everything
// else.
func (c *Cache) listFolders() (keys []objectKey, err error) {
	if err := failpoint.Err("cache.scan"); err != nil {
		return nil, err
	}
	root := filepath.Join(c.cfg.Dir, "chunks")
	entries, err := os.ReadDir(root)
	type folder struct {
		key      objectKey
		modified time.Time
	}
	var folders []folder
	for _, e := range entries {
		key, ok := keyOfFolder(e.Name())
		info, infoErr := e.Info()
		if !ok || !e.IsDir() || infoErr != nil {
			failpoint.Here("cache.scan-remove")
			_ = os.RemoveAll(filepath.Join(root, e.Name()))
			continue
		}
		folders = append(folders, folder{key, info.ModTime()})
	}
	slices.SortFunc(folders, func(a, b folder) int { return a.modified.Compare(b.modified) })
	for _, f := range folders {
		keys = append(keys, f.key)
	}
	return keys, err
}

// scanFolder adds one object's chunks to the index.
func (c *Cache) scanFolder(key objectKey) (found int, err error) {
	if err := failpoint.Err("cache.scan-folder"); err != nil {
		return 0, err
	}
	dir, err := os.Open(key.folder(c.cfg.Dir))
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	for c.base.Err() == nil {
		entries, err := dir.ReadDir(scanBatch)
		for _, e := range entries {
			// The lock is taken for each: readers do not wait for a folder.
			if index, length := foundFile(e); !c.addFound(key, index, length) {
				failpoint.Here("cache.scan-remove")
				_ = os.RemoveAll(filepath.Join(key.folder(c.cfg.Dir), e.Name()))
			}
		}
		found += len(entries)
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
		failpoint.Here("cache.scan-remove-folder")
		_ = os.Remove(key.folder(c.cfg.Dir))
	}
	return found, nil
}

// foundFile is the chunk of a directory entry; length is 0 for what cannot be one.
func foundFile(e os.DirEntry) (index, length int64) {
	index, ok := indexOfName(e.Name())
	if info, err := e.Info(); ok && err == nil && info.Mode().IsRegular() {
		return index, info.Size() - chunkfile.HeaderSize
	}
	return 0, 0
}

// addFound adds an existing file to the index. It reports false for a file to be
// deleted: it is not a chunk, or the budget has become smaller since it was written.
// c.mu is not held.
func (c *Cache) addFound(key objectKey, index, length int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.index.objects[key]
	if !c.index.accepts(o, index, length) || c.isRemoving(key, index) {
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
	c.commit(o, index, length, eventFound, eviction.Arrival{})
	c.budget.used += size
	c.budget.usedThen += size // the free space was measured with it
	return true
}

// findOnDisk looks for chunk files that the scan has not come to, for the next
// request of a reader at pos, and adds them to the index. While the scan runs a
// request is no longer than PassThroughRequest, so a reader of any span looks at few
// files at a time, and at each once. It reports false when the index lists all of
// the object's files. c.mu is not held.
func (r *reader) findOnDisk(pos int64) bool {
	c := r.c
	c.mu.Lock()
	needed := c.scanning.mayHaveFiles(r.key)
	c.mu.Unlock()
	if !needed {
		return false
	}
	end := (min(r.end, pos+readahead.PassThroughRequest) + c.chunkSize - 1) / c.chunkSize
	for i := max(r.statted, pos/c.chunkSize); i < end; i++ {
		length := c.chunkLength(i, r.obj.Size)
		info, err := c.disk.Stat(r.key.path(c.cfg.Dir, i))
		if err == nil && info.Mode().IsRegular() && info.Size() == chunkfile.HeaderSize+length {
			c.addFound(r.key, i, length)
		}
	}
	r.statted = max(r.statted, end)
	return true
}
