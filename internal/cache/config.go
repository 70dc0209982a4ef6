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
	Size media.Size `name:"size" default:"10GiB" help:"Disk budget of the cache, temporary files included; what is used least makes room (size)."`
	// MinFree is the free space of the filesystem, in bytes, that the cache never uses.
	MinFree media.Size `name:"min-free" default:"1GiB" help:"Free disk space that the cache leaves alone: it shrinks below cache-size instead (size)."`
	// ChunkSize is the unit of storage, in bytes. Larger chunks mean fewer files, smaller
	// ones less to fetch before a seek's first byte.
	ChunkSize media.Size `name:"chunk-size" default:"1MiB" help:"Size of one chunk file; smaller ones make seeks cheaper and more files. A change makes what is cached useless (size, 64KiB to 64MiB)."`
	// ScrubRate is how many bytes a second the scrub verifies. 0 turns it off.
	ScrubRate media.Size `name:"scrub-rate" default:"4MiB" help:"Bytes per second that are read again in the background to compare checksums (size); 0 = never."`
	// Streams is how many requests to an origin may transfer bytes for one viewer at a
	// time, where one stream's rate limits the viewer.
	Streams int `name:"streams" default:"4" help:"Parallel origin requests for one viewer whose rate is limited by a single one (number, 1 to 16)."`
	// Memory bounds the buffers of chunks being fetched, in bytes, all viewers
	// together. Fetches that find none wait; too little makes cold viewers wait for
	// each other.
	Memory media.Size `name:"memory" default:"256MiB" help:"Memory for chunks that are being fetched, all viewers together; fetches wait when it is used up (size, at least four chunks)."`
}

// Check names the setting that is wrong.
func (c Config) Check() error {
	if c.ChunkSize < 64<<10 || c.ChunkSize > 64<<20 {
		return fmt.Errorf("cache-chunk-size: %v is outside 64KiB to 64MiB", c.ChunkSize)
	}
	for _, s := range []struct {
		name string
		size media.Size
	}{{"cache-size", c.Size}, {"cache-min-free", c.MinFree}, {"cache-scrub-rate", c.ScrubRate}} {
		if s.size < 0 {
			return fmt.Errorf("%s: cannot be negative", s.name)
		}
	}
	if c.Streams < 1 || c.Streams > 16 {
		return fmt.Errorf("cache-streams: %d is outside 1 to 16", c.Streams)
	}
	if c.Memory < 4*c.ChunkSize {
		return fmt.Errorf("cache-memory: %v is less than four chunks of %v", c.Memory, c.ChunkSize)
	}
	return nil
}
