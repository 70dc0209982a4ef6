package cache

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/lectiospace/lectern/internal/media"
)

// TestForwarding: what a reader says of its first bytes from the origin: whether it made
// the request itself, and whether they are stored.
func TestForwarding(t *testing.T) {
	none, own, joined := media.Forwarding{}, media.Forwarding{Stored: true}, media.Forwarding{Stored: true, Collapsed: true}
	ownUnstored, joinedUnstored := media.Forwarding{}, media.Forwarding{Collapsed: true}
	for _, c := range []struct {
		name string
		size int64 // of the cache; too small for a chunk: everything passes through
		run  func(t *testing.T, f *forwardingFixture)
	}{
		{"the first of two makes the request", 1 << 30, func(t *testing.T, f *forwardingFixture) {
			first, second := f.open(0), f.open(100)
			f.release()
			f.want(first, media.CacheMiss, own)
			f.want(second, media.CacheMiss, joined)
		}},
		{"what was read ahead of it counts as its own, once", 1 << 30, func(t *testing.T, f *forwardingFixture) {
			ahead := f.openAs(0, true)
			first, second := f.open(0), f.open(100)
			f.release()
			f.want(first, media.CacheMiss, own)
			f.want(second, media.CacheMiss, joined)
			if err := <-ahead.done; err != nil {
				t.Error(err)
			}
			ahead.reader.Close()
		}},
		{"a request of its own for other bytes", 1 << 30, func(t *testing.T, f *forwardingFixture) {
			first, second := f.open(0), f.open(8<<20)
			f.release()
			f.want(first, media.CacheMiss, own)
			f.want(second, media.CacheMiss, own)
		}},
		{"everything is there", 1 << 30, func(t *testing.T, f *forwardingFixture) {
			f.release()
			f.store(media.Span{Len: testChunk})
			f.want(f.open(0), media.CacheHit, none)
		}},
		{"what comes first is there: nothing was forwarded yet", 1 << 30, func(t *testing.T, f *forwardingFixture) {
			f.release()
			f.store(media.Span{Len: testChunk})
			f.span = 3 * testChunk
			f.want(f.open(0), media.CachePartial, none)
		}},
		{"what comes first is missing", 1 << 30, func(t *testing.T, f *forwardingFixture) {
			f.release()
			f.store(media.Span{Off: testChunk, Len: testChunk})
			f.span = 2 * testChunk
			f.want(f.open(0), media.CachePartial, own)
		}},
		{"no room to store", testChunk / 2, func(t *testing.T, f *forwardingFixture) {
			first, second := f.open(0), f.open(100)
			f.release()
			f.want(first, media.CacheMiss, ownUnstored)
			f.want(second, media.CacheMiss, joinedUnstored)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				origin := newFakeOrigin()
				f := &forwardingFixture{t: t, origin: origin, obj: origin.put("a", "1", 16<<20), span: 1000, gate: make(chan struct{})}
				origin.setFault(func(body io.ReadCloser) (io.ReadCloser, error) { <-f.gate; return body, nil })
				f.cache = openCache(t, dir, c.size, origin, realDisk{})
				scanned(t, f.cache)
				c.run(t, f)
			})
		})
	}
}

// forwardingFixture is a cache whose origin answers once it is released.
type forwardingFixture struct {
	t      *testing.T
	cache  *Cache
	origin *fakeOrigin
	obj    media.Object
	span   int64 // of the readers, in bytes
	gate   chan struct{}
}

func (f *forwardingFixture) release() { close(f.gate) }

// store has a span in the cache.
func (f *forwardingFixture) store(span media.Span) {
	f.t.Helper()
	check(f.t, f.cache, f.origin, f.obj, span, media.CacheMiss)
}

// firstRead is the outcome of a reader's first Next.
type firstRead struct {
	reader *reader
	done   chan error
}

// open opens a reader at off, and waits until it has its first piece or waits for the
// origin.
func (f *forwardingFixture) open(off int64) *firstRead {
	f.t.Helper()
	return f.openAs(off, false)
}

func (f *forwardingFixture) openAs(off int64, speculative bool) *firstRead {
	f.t.Helper()
	r, err := f.cache.open(f.obj, media.Span{Off: off, Len: f.span})
	if err != nil {
		f.t.Fatal(err)
	}
	if speculative {
		r.SetSpeculative()
	}
	first := &firstRead{r, make(chan error, 1)}
	go func() {
		_, err := r.Next(f.t.Context(), 1<<20)
		first.done <- err
	}()
	synctest.Wait()
	return first
}

// want compares what a reader says after its first piece, and closes it.
func (f *forwardingFixture) want(first *firstRead, status media.CacheStatus, forwarding media.Forwarding) {
	f.t.Helper()
	if err := <-first.done; err != nil {
		f.t.Fatal(err)
	}
	defer first.reader.Close()
	if got := fmt.Sprint(first.reader.Status(), first.reader.Forwarding()); got != fmt.Sprint(status, forwarding) {
		f.t.Errorf("%s, want %s", got, fmt.Sprint(status, forwarding))
	}
}
