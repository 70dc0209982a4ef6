package cache

import "testing"

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
