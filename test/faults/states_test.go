package faults

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// state is what the cache has when the fault begins.
type state struct {
	name string
	// prepare brings the state about. The origin is healthy.
	prepare func(c *cell)
	// whole: all bytes of the lesson are on the disk, and right.
	whole bool
	// unlinks: chunk files were removed that the gateway may have open.
	unlinks bool
	size    int64 // of the cache; 0 = plenty
}

var states = []state{
	{name: "cold", prepare: func(*cell) {}},
	{name: "the first half is cached", prepare: func(c *cell) { c.warm(request{byteRange: fmt.Sprintf("0-%d", len(c.content)/2)}) }},
	{name: "chunks here and there are cached", prepare: func(c *cell) {
		for at := 0; at < len(c.content); at += 5 * chunkSize {
			c.warm(request{byteRange: fmt.Sprintf("%d-%d", at, at+1000)})
		}
	}},
	{name: "all is cached", whole: true, prepare: func(c *cell) { c.warmAll() }},
	{name: "all is cached, after a restart", whole: true, prepare: func(c *cell) { c.warmAll(); c.restart() }},
	{name: "the cache is full and small", size: 700 << 10, prepare: func(c *cell) {
		c.warm(request{recording: otherID})
		c.warm(request{byteRange: "0-99999"})
	}},
	{name: "chunk files are damaged, after a restart", prepare: func(c *cell) { c.warm(request{}); c.restart(c.damageAll) }},
	{name: "chunk files are damaged while they are open", unlinks: true, prepare: func(c *cell) {
		c.warm(request{}, request{})
		c.truncateAll()
	}},
	{name: "chunk files are removed", unlinks: true, prepare: func(c *cell) {
		c.warm(request{})
		for _, path := range c.gateway.chunkFiles() {
			c.must(os.Remove(path))
		}
	}},
	{name: "the cache directory is removed", unlinks: true, prepare: func(c *cell) {
		c.warm(request{byteRange: "0-99999"})
		c.must(os.RemoveAll(filepath.Join(c.dir, "cache", "chunks")))
		c.must(os.RemoveAll(filepath.Join(c.dir, "cache", "tmp")))
	}},
	{name: "nothing can be written", prepare: func(c *cell) {
		tmp := filepath.Join(c.dir, "cache", "tmp")
		c.must(os.RemoveAll(tmp))
		c.must(os.WriteFile(tmp, nil, 0o600))
	}},
}

// warm reads what the cache is to have, and waits until it is stored.
func (c *cell) warm(requests ...request) {
	c.t.Helper()
	for _, r := range over(c.gateway.addr, requests...) {
		if why := c.wrong(r, true); why != "" {
			c.fatalf("without a fault: %s", why)
		}
	}
	c.await("what was read to be stored", func() string {
		if n := c.gateway.metric("lectern_cache_memory_bytes"); n != 0 {
			return fmt.Sprintf("%v bytes of buffers are in use", n)
		}
		return ""
	})
}

// warmAll reads the lesson until all of it is on the disk: chunks whose writer is behind pass
// through.
func (c *cell) warmAll() {
	c.t.Helper()
	c.await("the whole lesson to be cached", func() string {
		c.warm(request{})
		if n, all := len(c.gateway.chunkFiles()), (len(c.content)+chunkSize-1)/chunkSize; n < all {
			return fmt.Sprintf("%d of %d chunks are", n, all)
		}
		return ""
	})
}

// restart closes the gateway, has something done to its directory, and starts it again.
func (c *cell) restart(meanwhile ...func()) {
	c.t.Helper()
	c.must(c.gateway.close())
	for _, f := range meanwhile {
		f()
	}
	var err error
	c.gateway, err = startGateway(c.gateway.cfg)
	c.must(err)
}

// damages are what happens to a chunk file's content; files are all chunk files' contents.
var damages = []func(r *rand.Rand, data []byte, files [][]byte) []byte{
	func(_ *rand.Rand, data []byte, _ [][]byte) []byte { return data },
	func(r *rand.Rand, data []byte, _ [][]byte) []byte { // a bit of the data
		data = bytes.Clone(data)
		if len(data) > 4096 {
			data[4096+r.IntN(len(data)-4096)] ^= 1 << r.IntN(8)
		}
		return data
	},
	func(r *rand.Rand, data []byte, _ [][]byte) []byte { // a bit of the header
		data = bytes.Clone(data)
		data[r.IntN(120)] ^= 1 << r.IntN(8)
		return data
	},
	func(r *rand.Rand, data []byte, _ [][]byte) []byte { return data[:r.IntN(len(data))] },
	func(*rand.Rand, []byte, [][]byte) []byte { return nil },
	func(_ *rand.Rand, data []byte, _ [][]byte) []byte { return append(bytes.Clone(data), 0) },
	func(r *rand.Rand, _ []byte, files [][]byte) []byte { return files[r.IntN(len(files))] }, // another chunk's
	func(r *rand.Rand, data []byte, _ [][]byte) []byte { // a page that was never written
		data = bytes.Clone(data)
		page := r.IntN((len(data)+4095)/4096) * 4096
		clear(data[page:min(len(data), page+4096)])
		return data
	},
}

// damageAll damages chunk files in a way each; some are not.
func (c *cell) damageAll() {
	r := c.random()
	paths := c.gateway.chunkFiles()
	var files [][]byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		c.must(err)
		files = append(files, data)
	}
	for i, path := range paths {
		c.must(os.WriteFile(path, damages[r.IntN(len(damages))](r, files[i], files), 0o600))
	}
}

// truncateAll makes chunk files shorter that the gateway has open.
func (c *cell) truncateAll() {
	r := c.random()
	for _, path := range c.gateway.chunkFiles() {
		info, err := os.Stat(path)
		c.must(err)
		switch r.IntN(4) {
		case 0:
			c.must(os.Truncate(path, 0))
		case 1:
			c.must(os.Truncate(path, r.Int64N(info.Size())))
		case 2:
			c.must(os.WriteFile(path+".other", []byte("another file"), 0o600))
			c.must(os.Rename(path+".other", path))
		}
	}
}

// recheckOf is how old a description may be. Faults of descriptions need new ones.
func recheckOf(f *fault) time.Duration {
	if f.on == onMedia && f.begin == nil {
		return time.Minute
	}
	return 500 * time.Millisecond
}
