package cache

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/lectiospace/lectern/internal/cache/eviction"
)

// scan makes the index of what an earlier run has left. Only names and sizes are
// looked at; contents are compared when a chunk is first used. Until it is done
// nothing new is stored, so that the budget stays exact, but chunks that are
// asked for are found by their names.
func (c *Cache) scan() {
	began := time.Now()
	root := filepath.Join(c.cfg.Dir, "chunks")
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if c.base.Err() != nil {
			return filepath.SkipAll
		}
		if err != nil || d.IsDir() {
			return nil // what cannot be read is as good as absent
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		key, inFolder := keyOfFolder(filepath.Base(filepath.Dir(path)))
		index, ok := indexOfName(d.Name())
		length := info.Size() - headerSize
		if !ok || !inFolder || filepath.Dir(filepath.Dir(path)) != root || !info.Mode().IsRegular() || length <= 0 || length > c.chunkSize {
			_ = os.Remove(path) // not ours, or of another chunk size
			return nil
		}
		if !c.adopt(key, index, length) {
			_ = os.Remove(path)
		}
		found++
		return nil
	})
	c.mu.Lock()
	c.scanning = false
	c.mu.Unlock()
	c.log.Info("cache index rebuilt", slog.Int("chunks", found), slog.String("took", time.Since(began).String()))
	if err != nil {
		c.diskFault("scan", err)
	}
}

// adopt takes an existing file into the index; false when it must go, because
// the budget has become smaller since it was written.
func (c *Cache) adopt(key objectKey, index, length int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.index.objects[key]
	if c.index.find(o, index) != 0 {
		return true
	}
	if !c.index.takes(o, index, length) {
		return false
	}
	size := footprint(length)
	if o == nil || !o.housed {
		size += folderFootprint
	}
	if size > int64(c.cfg.Size)-baseFootprint-c.budget.used {
		return false
	}
	o = c.index.objectFor(key)
	o.housed = true
	c.commit(o, index, length, 0, eventFound, eviction.Arrival{})
	c.budget.used += size
	c.budget.usedThen += size // the free space was measured with it
	return true
}

// lookOnDisk finds a chunk that the scan has not come to yet; c.mu is not held.
// It reports whether the chunk is in the index now.
func (c *Cache) lookOnDisk(key objectKey, index, length int64) bool {
	info, err := os.Stat(key.path(c.cfg.Dir, index))
	return err == nil && info.Mode().IsRegular() && info.Size() == headerSize+length && c.adopt(key, index, length)
}
