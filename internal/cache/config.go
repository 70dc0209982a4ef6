package cache

import (
	"fmt"

	"github.com/lectiospace/lectern/internal/media"
)

// Config of the disk cache.
type Config struct {
	// Dir holds the chunk files; it belongs to one gateway at a time. "" means
	// <data-dir>/cache, filled in by the caller.
	Dir string `name:"dir" placeholder:"DIR" help:"Directory of the disk cache; one gateway at a time (default: <data-dir>/cache)."`
	// Size is the disk budget in bytes, temporary files included.
	Size media.Size `name:"size" default:"10GiB" help:"Disk budget of the cache, temporary files included (size)."`
	// MinFree is the free space of the filesystem the cache leaves alone.
	MinFree media.Size `name:"min-free" default:"1GiB" help:"Free disk space that is always left alone (size)."`
	// ChunkSize is the unit of storage. Larger chunks mean fewer files, smaller
	// ones less to fetch before a seek's first byte.
	ChunkSize media.Size `name:"chunk-size" default:"1MiB" help:"Size of one chunk file (size, 64KiB to 64MiB)."`
}

// Check names the setting that is wrong.
func (c Config) Check() error {
	if c.ChunkSize < 64<<10 || c.ChunkSize > 64<<20 {
		return fmt.Errorf("cache-chunk-size: %v is outside 64KiB to 64MiB", c.ChunkSize)
	}
	if c.Size < 0 || c.MinFree < 0 {
		return fmt.Errorf("cache-size and cache-min-free cannot be negative")
	}
	return nil
}
