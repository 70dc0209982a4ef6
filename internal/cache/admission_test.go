package cache

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lectiospace/lectern/internal/media"
)

// fullCache has no free space: a lesson that nobody watches again fills it.
func fullCache(t *testing.T) (*Cache, *fakeOrigin) {
	s := newFakeOrigin()
	c := openCache(t, t.TempDir(), 200*testChunk, s, realDisk{})
	scanned(t, c)
	old := s.put("old", "1", 300*testChunk)
	for off := int64(0); off < old.Size; off += 20 * testChunk {
		check(t, c, s, old, media.Span{Off: off, Len: 20 * testChunk}, media.CacheMiss)
	}
	return c, s
}

// TestFirstUseOfAFullCache: a full cache stores a chunk at its second use, an empty one at
// its first.
func TestFirstUseOfAFullCache(t *testing.T) {
	c, s := fullCache(t)
	obj := s.put("new", "1", 60*testChunk)
	middle := media.Span{Off: 2 * testChunk, Len: 20 * testChunk}
	before := testutil.ToFloat64(c.metrics.passes[passFirstUse])
	for _, want := range []media.CacheStatus{media.CacheMiss, media.CacheMiss, media.CacheHit} {
		r, err := c.Open(t.Context(), obj, middle)
		if err != nil {
			t.Fatal(err)
		}
		if r.Status() != want {
			t.Errorf("status %v, want %v", r.Status(), want)
		}
		r.Close()
		if _, _, err := read(t.Context(), c, obj, middle, 1<<20); err != nil {
			t.Fatal(err)
		}
		waitForFills(t, c)
	}
	if n := testutil.ToFloat64(c.metrics.passes[passFirstUse]) - before; n != 20 {
		t.Errorf("%v chunks passed through at their first use, want 20", n)
	}
}

// TestStoredAtFirstUse: heads and tails, and what is read to be stored, enter a full cache
// at once.
func TestStoredAtFirstUse(t *testing.T) {
	c, s := fullCache(t)
	obj := s.put("new", "1", 60*testChunk)
	for _, span := range []media.Span{{Len: testChunk}, {Off: 59 * testChunk, Len: testChunk}} {
		check(t, c, s, obj, span, media.CacheMiss)
		check(t, c, s, obj, span, media.CacheHit)
	}
	// Of another object: the two heads and tails above make the first one popular.
	warmed, middle := s.put("warmed", "1", 60*testChunk), media.Span{Off: 5 * testChunk, Len: 10 * testChunk}
	if _, err := c.fetchSpan(t.Context(), warmed, middle, 0, nil); err != nil {
		t.Fatal(err)
	}
	waitForFills(t, c)
	check(t, c, s, warmed, middle, media.CacheHit)
}
