package origin_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// slowOrigin is an origin a first byte away, with one file that may be replaced.
type slowOrigin struct {
	delay  time.Duration
	data   atomic.Pointer[[]byte] // of the head
	pinned []byte                 // of version 1
	age    time.Duration
	opens  atomic.Int64
	peeks  atomic.Int64
	broken error // of reads
}

func (s *slowOrigin) wait(ctx context.Context) error {
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return media.Fault(media.KindOf(ctx.Err()), "slow origin", ctx.Err())
	}
}

func (s *slowOrigin) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	if err := s.wait(ctx); err != nil {
		return media.Object{}, err
	}
	return media.Object{Provider: loc.Provider, ID: loc.Key, Version: "1", Size: int64(len(s.pinned)), ModTime: time.Now().Add(-s.age), Pinned: true}, nil
}

func (s *slowOrigin) Open(ctx context.Context, _ media.Object, span media.Span) (io.ReadCloser, error) {
	s.opens.Add(1)
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	if s.broken != nil {
		return nil, s.broken
	}
	return io.NopCloser(bytes.NewReader(s.pinned[span.Off:span.End()])), nil
}

func (s *slowOrigin) Peek(ctx context.Context, _ media.Location, span media.Span) (io.ReadCloser, int64, error) {
	s.peeks.Add(1)
	if err := s.wait(ctx); err != nil {
		return nil, 0, err
	}
	data := *s.data.Load()
	span = span.Clip(int64(len(data)))
	return io.NopCloser(bytes.NewReader(data[span.Off:span.End()])), int64(len(data)), nil
}

func newSlowOrigin() *slowOrigin {
	s := &slowOrigin{delay: 50 * time.Millisecond, age: time.Hour, pinned: make([]byte, 1<<20)}
	_, _ = rand.NewChaCha8([32]byte{7}).Read(s.pinned)
	s.data.Store(&s.pinned)
	return s
}

// begin prefetches and stats an unknown object, as the proxy does for a viewer.
func begin(t *testing.T, s *slowOrigin, off int64) (h *origin.SpeculativeReader, obj media.Object, end func()) {
	t.Helper()
	h = origin.NewSpeculativeReader(s, s)
	loc := media.Location{Provider: "slow", Key: "lesson"}
	end = h.Prefetch(t.Context(), loc, off)
	obj, err := h.Stat(t.Context(), loc)
	if err != nil {
		t.Fatal(err)
	}
	return h, obj, end
}

// TestSpeculativeRead: the first byte of an unknown object takes one round trip, and all
// bytes are the version's own.
func TestSpeculativeRead(t *testing.T) {
	for _, off := range []int64{0, 12345, 1<<20 - 1000} {
		synctest.Test(t, func(t *testing.T) {
			s := newSlowOrigin()
			began := time.Now()
			h, obj, end := begin(t, s, off)
			defer end()
			body, err := h.Open(t.Context(), obj, media.Span{Off: off, Len: obj.Size - off})
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			got := make([]byte, 100)
			if _, err := io.ReadFull(body, got); err != nil || time.Since(began) != s.delay {
				t.Errorf("the first bytes took %v, %v", time.Since(began), err)
			}
			rest, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(append(got, rest...), s.pinned[off:]) {
				t.Errorf("%d bytes, right: %v, %v", len(rest)+100, bytes.Equal(append(got, rest...), s.pinned[off:]), err)
			}
			if err := body.(interface{ Verify() error }).Verify(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSpeculativeReadIsCompared: bytes of another version end in Changed before they
// can be stored, and a peek of no use is ignored.
func TestSpeculativeReadIsCompared(t *testing.T) {
	other := append([]byte("another lesson"), make([]byte, 1<<20-14)...)
	longer := make([]byte, 2<<20)
	for _, c := range []struct {
		name string
		make func(*slowOrigin)
		at   int64 // where the read begins; the peek begins at 0
		want media.Kind
	}{
		{"another of the same size", func(s *slowOrigin) { s.data.Store(&other) }, 0, media.Changed},
		{"another size", func(s *slowOrigin) { s.data.Store(&longer) }, 0, media.Other},
		{"just replaced", func(s *slowOrigin) { s.data.Store(&other); s.age = time.Second }, 0, media.Other},
		{"another start", func(s *slowOrigin) { s.data.Store(&other) }, 10, media.Other},
		{"the read that counts fails", func(s *slowOrigin) { s.broken = media.Fault(media.Quota, "test", nil) }, 0, media.Quota},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSlowOrigin()
				c.make(s)
				h, obj, end := begin(t, s, 0)
				defer end()
				body, err := h.Open(t.Context(), obj, media.Span{Off: c.at, Len: obj.Size - c.at})
				if err != nil {
					t.Fatal(err)
				}
				defer body.Close()
				got, err := io.ReadAll(body)
				if media.KindOf(err) != c.want || c.want == media.Other && !bytes.Equal(got, s.pinned[c.at:]) {
					t.Errorf("%d bytes, %v; want %v", len(got), err, c.want)
				}
				if p, ok := body.(interface{ Verify() error }); ok && c.want != media.Other && media.KindOf(p.Verify()) != c.want {
					t.Errorf("Verify: %v", p.Verify())
				}
			})
		})
	}
}

// TestSpeculativeReadEnds: a peek that no read takes over, and a read that is given up, end at once.
func TestSpeculativeReadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowOrigin()
		s.delay = time.Hour
		h := origin.NewSpeculativeReader(s, s)
		loc := media.Location{Provider: "slow", Key: "lesson"}
		end := h.Prefetch(t.Context(), loc, 0)
		again := h.Prefetch(t.Context(), loc, 0)
		again()
		synctest.Wait()
		if s.peeks.Load() != 1 {
			t.Errorf("%d peeks for two callers at once", s.peeks.Load())
		}
		began := time.Now()
		end()
		if time.Since(began) != 0 {
			t.Errorf("ending took %v", time.Since(began))
		}
		s.delay = 50 * time.Millisecond
		h, obj, end := begin(t, s, 0)
		defer end()
		ctx, cancel := context.WithCancel(t.Context())
		body, err := h.Open(ctx, obj, obj.Span())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := body.Read(make([]byte, 10)); err != nil {
			t.Error(err)
		}
		cancel()
		if _, err := io.ReadAll(body); media.KindOf(err) != media.Canceled {
			t.Errorf("after hanging up: %v", err)
		}
		body.Close()
	})
}

// TestSpeculativeOpen: neither a cached nor an unknown object costs two round trips.
func TestSpeculativeOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowOrigin()
		h := origin.NewSpeculativeReader(s, s)
		router := origin.NewRouter(map[string]origin.Origin{"slow": h})
		store := &countingStore{next: router}
		b := origin.NewSpeculativeOpener(origin.NewStatCache(router, time.Minute, time.Now), router, store)
		defer b.Close()
		loc := media.Location{Provider: "slow", Key: "lesson"}
		for _, c := range []struct {
			after          time.Duration
			begun, waiting int64
		}{{0, 0, 50}, {time.Second, 0, 0}, {time.Hour, 1, 50}} {
			time.Sleep(c.after)
			began, before := time.Now(), store.begun.Load()
			obj, release, err := b.StatPrefetch(t.Context(), loc, media.Copy{}, 100)
			if err != nil || obj.Size != 1<<20 {
				t.Fatalf("%+v, %v", obj, err)
			}
			if took := time.Since(began).Milliseconds(); took != c.waiting || store.begun.Load()-before != c.begun {
				t.Errorf("after %v: %d ms, %d reads begun; want %d, %d", c.after, took, store.begun.Load()-before, c.waiting, c.begun)
			}
			release()
			synctest.Wait()
			if n := store.open.Load(); n != 0 {
				t.Errorf("%d readers are open after release", n)
			}
		}
		if s.peeks.Load() != 1 {
			t.Errorf("%d peeks, want one in a lesson's life", s.peeks.Load())
		}
	})
}

// TestSpeculativeOpenOfCopy: of a recording that was moved, the chunks of the original are
// read ahead, and not once more those of its copy.
func TestSpeculativeOpenOfCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowOrigin()
		router := origin.NewRouter(map[string]origin.Origin{"slow": origin.NewSpeculativeReader(s, s)})
		store := &countingStore{next: router}
		b := origin.NewSpeculativeOpener(origin.NewStatCache(router, time.Minute, time.Now), router, store)
		defer b.Close()
		loc := media.Location{Provider: "slow", Key: "lesson"}
		made, err := b.Stat(t.Context(), loc)
		if err != nil {
			t.Fatal(err)
		}
		original := media.Identity{Provider: "slow", ID: "before", Version: "v0"}
		time.Sleep(time.Hour) // the version is asked for again
		_, release, err := b.StatPrefetch(t.Context(), loc, media.Copy{Version: made.Version, Size: made.Size, Original: original}, 100)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := store.latest.Load(); got == nil || got.Identity() != original || got.Location() != loc {
			t.Errorf("read ahead: %+v", got)
		}
		release()
		synctest.Wait()
	})
}

// countingStore counts the readers that were opened and those that still are.
type countingStore struct {
	next        origin.Opener
	begun, open atomic.Int64
	latest      atomic.Pointer[media.Object] // that a reader was opened of
}

func (s *countingStore) Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
	s.begun.Add(1)
	s.open.Add(1)
	s.latest.Store(&obj)
	body, err := s.next.Open(ctx, obj, span)
	if err != nil {
		return nil, err
	}
	return &countedReader{s: s, body: body}, nil
}

type countedReader struct {
	s    *countingStore
	body io.ReadCloser
}

func (r *countedReader) Next(_ context.Context, most int64) (media.Piece, error) {
	buf := make([]byte, most)
	n, err := r.body.Read(buf)
	if n == 0 && err != nil {
		return media.Piece{}, errors.Join(io.EOF, err)
	}
	return media.Piece{Data: buf[:n], Len: int64(n)}, nil
}

func (r *countedReader) Status() media.CacheStatus { return media.CacheMiss }

func (r *countedReader) Close() error {
	r.s.open.Add(-1)
	return r.body.Close()
}
