package cache

import (
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

func TestFootprint(t *testing.T) {
	// A chunk's file is its header, a page, and its data, in whole pages.
	for length, pages := range map[int64]int64{1: 2, diskPage - 1: 2, diskPage: 2, diskPage + 1: 3, 2 * diskPage: 3} {
		if got, want := footprint(length), pages*diskPage+entryFootprint; got != want {
			t.Errorf("%d bytes take %d, want %d", length, got, want)
		}
		// The first chunk of an object makes a folder too: a page, and its four entries.
		if got, want := spaceOf(length), (pages+1)*diskPage+5*entryFootprint; got != want {
			t.Errorf("%d bytes may take %d, want %d", length, got, want)
		}
	}
}

func TestMayStore(t *testing.T) {
	const size, used = 1 << 30, 1 << 20
	for _, test := range []struct {
		name string
		set  func(c *Cache)
		n    int64 // beyond the limit
		want bool
	}{
		{"all of the limit", func(*Cache) {}, 0, true},
		{"more than the limit", func(*Cache) {}, 1, false},
		{"all of the disk", func(c *Cache) { c.budget.free = c.limit() - used }, 0, true},
		{"more than the disk has, emptied", func(c *Cache) { c.budget.free = c.limit() - used - 1 }, 0, false},
		{"while the disk is suspect", func(c *Cache) { c.health.state = diskSuspect }, 0, true},
		{"while the disk is bypassed", func(c *Cache) { c.health.state = diskBypass }, 0, false},
		{"during the scan", func(c *Cache) { c.scanning.running = true }, 0, false},
		{"after the end", func(c *Cache) { c.closed = true }, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &Cache{chunkSize: testChunk}
			c.cfg.Size = size
			c.budget = budget{used: used, usedThen: used, free: 2 * size}
			test.set(c)
			if got := c.mayStore(c.limit() + test.n); got != test.want {
				t.Errorf("%t, want %t", got, test.want)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	// Eight chunks, or a sixteenth of a small budget.
	for _, test := range []struct{ size, chunk, want int64 }{
		{1 << 30, 1 << 20, 1<<30 - baseFootprint - 8*footprint(1<<20)},
		{16 << 20, 1 << 20, 15<<20 - baseFootprint},
	} {
		c := &Cache{chunkSize: test.chunk}
		c.cfg.Size = media.Size(test.size)
		if got := c.limit(); got != test.want {
			t.Errorf("chunks of %d in a budget of %d may take %d, want %d", test.chunk, test.size, got, test.want)
		}
	}
}

// TestTryReserve: what fits is reserved, to the byte; what can never fit, or may not be written
// now, costs no other chunk its place.
func TestTryReserve(t *testing.T) {
	n := spaceOf(testChunk)
	for _, test := range []struct {
		name string
		set  func(c *Cache, fl *fill)
		want bool
	}{
		{"as much as is left", func(*Cache, *fill) {}, true},
		{"all of the limit", func(c *Cache, _ *fill) { shrinkTo(c, n) }, true},
		{"more than the limit", func(c *Cache, _ *fill) { shrinkTo(c, n-1) }, false},
		{"while its file is being removed", func(c *Cache, fl *fill) {
			c.removing = map[chunkAddress]struct{}{{fl.o.key, fl.index}: {}}
		}, false},
		{"while the disk is bypassed", func(c *Cache, _ *fill) { c.health.state = diskBypass }, false},
		{"during the scan", func(c *Cache, _ *fill) { c.scanning.running = true }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &Cache{chunkSize: testChunk} // without a policy: an eviction panics
			c.cfg.Size = 1 << 30
			c.budget = budget{used: c.limit() - n, usedThen: c.limit() - n, free: 1 << 40}
			fl := &fill{o: &object{}, index: 3, length: testChunk}
			test.set(c, fl)
			before, reserved := c.budget.used, int64(0)
			if test.want {
				reserved = n
			}
			if ok, evicted := c.tryReserve(fl); ok != test.want || len(evicted) != 0 || fl.reserved != reserved || c.budget.used != before+reserved {
				t.Errorf("reserved: %t, %d bytes of the chunk and %d of the budget, %d evicted", ok, fl.reserved, c.budget.used-before, len(evicted))
			}
		})
	}
}

// shrinkTo gives an empty cache the least budget whose limit is n bytes.
func shrinkTo(c *Cache, n int64) {
	c.cfg.Size, c.budget.used, c.budget.usedThen = media.Size(n), 0, 0
	for c.limit() < n {
		c.cfg.Size++
	}
}

// TestReserveUsesEmptyFolders: what folders take that have become empty is there for a chunk, and
// no other goes for it.
func TestReserveUsesEmptyFolders(t *testing.T) {
	c := bigCache(t, 0, 1)
	fl := &fill{o: &object{key: keyOf(smallObject(2), testChunk)}, length: testChunk}
	c.mu.Lock()
	c.emptyFolders = append(c.emptyFolders, keyOf(smallObject(3), testChunk))
	c.cfg.Size = 1 << 30
	c.budget.used = c.limit() - spaceOf(testChunk) + folderFootprint
	c.budget.usedThen = c.budget.used
	c.mu.Unlock()
	if ok, chunks := c.reserve(fl, here), c.Stats().Chunks; !ok || chunks != 16 {
		t.Errorf("reserved: %t, and %d of 16 chunks are left", ok, chunks)
	}
}

// TestReserveGivesUp: where others take all that is evicted for a chunk, not everything is evicted.
func TestReserveGivesUp(t *testing.T) {
	c := bigCache(t, 0, 0)
	commitRange(c, bigObject("a"), 0, 200)
	fl := &fill{o: &object{key: keyOf(smallObject(1), testChunk)}, length: testChunk}
	c.mu.Lock()
	c.cfg.Size = 1 << 30
	c.budget.used = c.limit()
	c.budget.usedThen = c.budget.used
	c.mu.Unlock()
	others := func(do func()) time.Duration {
		do()
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.removing) > 0 {
			c.budget.used += footprint(testChunk)
		}
		return 0
	}
	if ok, chunks := c.reserve(fl, others), c.Stats().Chunks; ok || fl.reserved != 0 || chunks != 200-64*2 {
		t.Errorf("reserved: %t, %d bytes, and %d chunks are left", ok, fl.reserved, chunks)
	}
}

// TestEvict: as many chunks go as their bytes need, and no more at once than a batch.
func TestEvict(t *testing.T) {
	s := newFakeOrigin()
	obj := s.put("a", "1", 40*testChunk)
	c := openCache(t, t.TempDir(), 10<<20, s, realDisk{})
	scanned(t, c)
	check(t, c, s, obj, obj.Span(), media.CacheMiss)
	check(t, c, s, obj, obj.Span(), media.CacheHit)
	evict := func(n int64) []removal {
		c.mu.Lock()
		evicted := c.evict(n)
		c.mu.Unlock()
		c.remove(here, evicted...)
		return evicted
	}
	waitUntil(t, func() bool { return c.Stats().Chunks == 40 }) // chunks are written behind
	for _, test := range []struct {
		bytes int64
		want  int
	}{{0, 0}, {1, 1}, {footprint(testChunk), 1}, {footprint(testChunk) + 1, 2}, {1 << 40, batchSize}} {
		if got := evict(test.bytes); len(got) != test.want {
			t.Errorf("%d chunks were evicted for %d bytes, want %d", len(got), test.bytes, test.want)
		}
	}
	if n := c.Stats().Chunks; n != 40-4-batchSize {
		t.Errorf("%d chunks are left", n)
	}
}

// freeDisk has so much free space, or fails to say.
type freeDisk struct {
	realDisk
	free  atomic.Int64
	err   atomic.Pointer[error]
	asked atomic.Int64
}

func (d *freeDisk) Free(string) (int64, error) {
	d.asked.Add(1)
	if err := d.err.Load(); err != nil {
		return 0, *err
	}
	return d.free.Load(), nil
}

// TestMinFreeIsWatched: chunks go, with their files, while others leave less than the minimum free; not
// while nothing is known of the disk.
func TestMinFreeIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, dir := newFakeOrigin(), &freeDisk{}, t.TempDir()
		d.free.Store(1 << 40)
		obj := s.put("a", "1", 40*testChunk)
		c := openCache(t, dir, 10<<20, s, d)
		scanned(t, c)
		check(t, c, s, obj, obj.Span(), media.CacheMiss)
		waitUntil(t, func() bool { return c.Stats().Chunks == 40 })
		c.mu.Lock()
		c.cfg.MinFree = 1 << 30
		c.mu.Unlock()
		time.Sleep(2 * minFreeInterval)
		if n := c.Stats().Chunks; n != 40 {
			t.Fatalf("%d chunks are left where there is space", n)
		}

		set := func(scanning, measured bool) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.budget.free, c.budget.usedThen = 1, c.budget.used
			c.scanning.running, c.budget.measured = scanning, measured
		}
		set(true, true)
		during := c.evictForMinFree()
		set(false, false)
		unknown := c.evictForMinFree()
		set(false, true)
		if len(during)+len(unknown) != 0 {
			t.Errorf("%d chunks were evicted during the scan, and %d without a measurement", len(during), len(unknown))
		}

		d.free.Store(0) // others have written, and take what is evicted
		time.Sleep(2 * minFreeInterval)
		if n := c.Stats().Chunks; n != 0 {
			t.Errorf("%d chunks are left where there is no space", n)
		}
		if files := onDisk(t, dir); files > baseFootprint {
			t.Errorf("%d bytes are left on the disk", files)
		}
	})
}

// TestMeasureFree: the disk is asked once a second at most, but for the first time; what it cannot
// say changes nothing, and counts as its fault.
func TestMeasureFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &freeDisk{}
		d.free.Store(7)
		c := openCache(t, t.TempDir(), 10<<20, newFakeOrigin(), d)
		scanned(t, c)
		time.Sleep(minFreeInterval / 2) // between two looks of its own
		before := d.asked.Load()
		for _, test := range []struct {
			after time.Duration
			asked int64
		}{{0, 1}, {freeMaxAge * 6 / 10, 1}, {freeMaxAge * 4 / 10, 2}, {freeMaxAge - 1, 2}, {1, 3}} {
			time.Sleep(test.after)
			c.measureFree(here)
			if asked := d.asked.Load() - before; asked != test.asked {
				t.Errorf("asked %d times, want %d", asked, test.asked)
			}
		}
		c.mu.Lock()
		c.budget.measured, c.budget.free = false, 3
		c.mu.Unlock()
		c.measureFree(here)
		c.mu.Lock()
		if c.budget.free != 7 || !c.budget.measured {
			t.Errorf("%d bytes are free at the first time, want 7", c.budget.free)
		}
		c.mu.Unlock()

		fault := error(syscall.EIO)
		d.err.Store(&fault)
		time.Sleep(freeMaxAge)
		c.measureFree(here)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.budget.free != 7 || c.health.state == diskOK {
			t.Errorf("%d bytes are free after a fault, and the disk is %v", c.budget.free, c.health.state)
		}
		d.err.Store(nil)
	})
}
