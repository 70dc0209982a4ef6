package cache

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lectiospace/lectern/internal/media"
)

// setMemory gives the cache memory for so many chunks.
func setMemory(c *Cache, chunks int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buffers.limit, c.writes = chunks*testChunk, newWriteQueue(chunks*testChunk, testChunk)
}

// TestHungDiskIsNoticed: a disk that does not return is bypassed, whether the queue of
// writes is full, or never gets full because fetches need its memory.
func TestHungDiskIsNoticed(t *testing.T) {
	for _, memory := range []int64{64, 4} {
		t.Run(fmt.Sprint("memory for chunks: ", memory), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := newFakeOrigin(), &stuckDisk{free: make(chan struct{})}
				c := openCache(t, t.TempDir(), 100<<20, s, d)
				scanned(t, c)
				setMemory(c, memory)
				d.stuck.Store(true)
				defer close(d.free)
				watch := func(id string) {
					obj := s.put(id, "1", 100*testChunk)
					got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
					if err != nil || !bytes.Equal(got, s.bytes(obj)) {
						t.Errorf("right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
					}
				}
				watch("a")
				if state := c.Stats().State; state != "ok" {
					t.Errorf("%s before a write took long", state)
				}
				time.Sleep(2 * stuckAfter) // of the bubble's clock
				watch("b")
				if state := c.Stats().State; state != "bypass" {
					t.Errorf("%s although no write returns", state)
				}
			})
		})
	}
}

// slowRemovals takes a while for each removal, once it is slow. Nobody else uses its space.
type slowRemovals struct {
	realDisk
	slow atomic.Bool
	free atomic.Int64
}

func (d *slowRemovals) Remove(path string) error {
	if d.slow.Load() {
		time.Sleep(time.Second)
		d.free.Add(footprint(testChunk))
	}
	return d.realDisk.Remove(path)
}

func (d *slowRemovals) Free(string) (int64, error) { return 1<<30 + d.free.Load(), nil }

// TestEvictionsAreNotTheWritesTime: a disk on which the removals for one chunk take
// long together is healthy when none of them does.
func TestEvictionsAreNotTheWritesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newFakeOrigin(), &slowRemovals{}
		c := openCache(t, t.TempDir(), 100*testChunk, s, d)
		scanned(t, c)
		old := s.put("old", "1", 150*testChunk)
		if _, err := c.fetchSpan(t.Context(), old, old.Span(), 0, nil); err != nil {
			t.Fatal(err)
		}
		waitForFills(t, c)
		d.slow.Store(true)
		c.mu.Lock()
		c.cfg.MinFree = media.Size(c.free() + 15*footprint(testChunk)) // other programs have taken the space
		c.mu.Unlock()
		evicted := c.Stats().Events["evict"]
		obj := s.put("new", "1", testChunk)
		if _, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // of the bubble's clock
		if n := c.Stats().Events["evict"] - evicted; n < 12 {
			t.Errorf("%d chunks were evicted for the new one", n)
		}
		if state := c.Stats().State; state != "ok" || c.CachedBytes(obj) != obj.Size {
			t.Errorf("the disk is %s; %d bytes are stored", state, c.CachedBytes(obj))
		}
	})
}

// starvedDisk is one whose writers wait for a processor, not for the disk.
type starvedDisk struct {
	realDisk
	waited atomic.Int64
}

func (d *starvedDisk) ThreadWaits() threadWaits { return d }

func (d *starvedDisk) Waited() time.Duration { return time.Duration(d.waited.Load()) }

func (d *starvedDisk) Close() error { return nil }

func (d *starvedDisk) Rename(from, to string) error {
	time.Sleep(time.Minute)
	d.waited.Add(int64(time.Minute))
	return d.realDisk.Rename(from, to)
}

// TestWaitsForAProcessorAreNotTheDisks: a writer that gets no processor for long does not
// make the disk suspect.
func TestWaitsForAProcessorAreNotTheDisks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newFakeOrigin(), &starvedDisk{}
		c := openCache(t, t.TempDir(), 100<<20, s, d)
		scanned(t, c)
		obj := s.put("a", "1", 3*testChunk)
		if _, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute) // of the bubble's clock
		if state := c.Stats().State; state != "ok" || c.CachedBytes(obj) != obj.Size {
			t.Errorf("the disk is %s; %d bytes are stored", state, c.CachedBytes(obj))
		}
	})
}

// TestIOClock: what runs counts from its start, without the thread's waits for a
// processor, and from its end no longer.
func TestIOClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d starvedDisk
		var k ioClock
		expect := func(limit time.Duration, want bool) {
			t.Helper()
			if got := k.longer(limit); got != want {
				t.Errorf("longer than %v: %v", limit, got)
			}
		}
		expect(0, false)
		k.start(&d)
		time.Sleep(6 * time.Second)
		expect(5*time.Second, true)
		expect(6*time.Second, false)
		d.waited.Add(int64(2 * time.Second))
		expect(5*time.Second, false)
		if took := k.stop(); took != 4*time.Second {
			t.Errorf("it took %v", took)
		}
		expect(0, false)
	})
}

// TestSchedstat: the kernel counts a thread's waits, and so do the waits that are read
// from it; without the kernel's file they are 0.
func TestSchedstat(t *testing.T) {
	if none := (schedstat{}); none.Waited() != 0 {
		t.Errorf("without a file: %v", none.Waited())
	}
	path := t.TempDir() + "/schedstat"
	for text, want := range map[string]time.Duration{"5000000000 1500000000 7\n": 1500 * time.Millisecond, "12\n": 0, "a b c\n": 0, "": 0} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got := (schedstat{f}).Waited(); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestCloseIsBounded: Close writes what waits for a writer as long as its grace lasts, and
// drops the rest; it does not wait for a disk that hangs.
func TestCloseIsBounded(t *testing.T) {
	for _, test := range []struct {
		name string
		hung bool
		took time.Duration // at most
		err  error
	}{
		{"a disk that is slow", false, closeGrace + time.Second, nil},
		{"a disk that hangs", true, closeGrace + hungGrace, errHung},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dir := newFakeOrigin(), t.TempDir()
				hung := &stuckDisk{free: make(chan struct{})}
				hung.stuck.Store(test.hung)
				c := openCache(t, dir, 100<<20, s, struct{ disk }{hung})
				if !test.hung {
					c.disk = slowDisk{}
				}
				scanned(t, c)
				setMemory(c, 256)
				obj := s.put("a", "1", 190*testChunk)
				if _, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // whatever is complete is queued
				c.mu.Lock()
				c.writes.limit = 1000
				waiting := len(c.writes.waiting)
				c.mu.Unlock()
				if waiting < 150 {
					t.Errorf("%d chunks wait", waiting)
				}
				began := time.Now()
				if err := c.Close(); !errors.Is(err, test.err) || time.Since(began) > test.took {
					t.Errorf("%v after %v", err, time.Since(began))
				}
				if n := testutil.ToFloat64(c.metrics.passes[passDiskBusy]); n < 20 {
					t.Errorf("%v chunks were dropped", n)
				}
				if !test.hung {
					return
				}
				if _, err := lockDirectory(dir); err == nil {
					t.Error("the directory is free although a write may still end")
				}
				close(hung.free)
				c.running.Wait()
				c.lock.Close()
			})
		})
	}
}

// stuckRemoval blocks the next removal of a chunk's file until free is closed.
type stuckRemoval struct {
	realDisk
	stuck atomic.Bool
	free  chan struct{}
}

func (d *stuckRemoval) Remove(path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() && d.stuck.CompareAndSwap(true, false) {
		<-d.free
	}
	return d.realDisk.Remove(path)
}

// TestChunkIsNotLostToItsRemoval: while the removal of an evicted chunk's file hangs the
// chunk is not stored again, since the removal would take the new file.
func TestChunkIsNotLostToItsRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, dir := newFakeOrigin(), &stuckRemoval{free: make(chan struct{})}, t.TempDir()
		c := openCache(t, dir, 100<<20, s, d)
		scanned(t, c)
		obj := s.put("a", "1", 3*testChunk)
		check(t, c, s, obj, obj.Span(), media.CacheMiss)
		d.stuck.Store(true)
		c.mu.Lock()
		evicted := c.evict(1)
		c.mu.Unlock()
		removed := make(chan struct{})
		go func() {
			c.remove(here, evicted...)
			close(removed)
		}()
		synctest.Wait() // the removal hangs
		check(t, c, s, obj, obj.Span(), media.CachePartial)
		close(d.free)
		<-removed
		waitForFills(t, c)
		if stored, files := c.CachedBytes(obj), onDisk(t, dir); stored > files {
			t.Errorf("the index has %d bytes, and the disk %d", stored, files)
		}
		accounted(t, dir, c)
		if _, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20); err != nil {
			t.Fatal(err)
		}
		waitForFills(t, c)
		check(t, c, s, obj, obj.Span(), media.CacheHit)
		if n := c.Stats().Events["corrupt"]; n != 0 {
			t.Errorf("%d chunks have lost their files", n)
		}
		audit(t, c)
	})
}
