package cache

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// TestMemoryIsBounded: viewers who seek, slow ones and fast ones, with and without disk
// space, share buffers for a few chunks. The limit is kept, no viewer waits for ever,
// and no buffer is left in use.
func TestMemoryIsBounded(t *testing.T) {
	for name, size := range map[string]int64{"space for all": 1 << 30, "space for some": 20 * mib, "no space": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &slowOrigin{latency: originLatency, rate: streamRate}
				c := openCache(t, t.TempDir(), size, v, realDisk{})
				const limit = 4 * mib
				c.chunkSize, c.index.chunkSize, c.buffers.limit = mib, mib, limit
				synctest.Wait()
				var group sync.WaitGroup
				for n := range 40 {
					group.Go(func() {
						r := rand.New(rand.NewPCG(uint64(n), 1))
						for range 4 {
							obj := media.Object{Provider: "test", ID: fmt.Sprint(r.IntN(3)), Version: "1", Size: lessonBytes}
							off := r.Int64N(obj.Size)
							rate := int64(0)
							if n%3 == 0 {
								rate = 400_000
							}
							viewer(t, c, obj, media.Span{Off: off, Len: obj.Size - off}, 1+r.Int64N(3*mib), rate, func(int64) {
								c.mu.Lock()
								used, blocks := c.buffers.used, c.memoryInUse()
								c.mu.Unlock()
								if used > limit || blocks > used {
									t.Errorf("%d bytes of buffers are in use and %d are counted, of %d", blocks, used, int64(limit))
								}
							})
						}
					})
				}
				through := make(chan struct{})
				go func() { group.Wait(); close(through) }()
				select {
				case <-through:
				case <-time.After(time.Hour):
					t.Fatal("viewers wait for each other's buffers")
				}
				time.Sleep(2 * detachGrace)
				synctest.Wait()
				c.mu.Lock()
				defer c.mu.Unlock()
				if c.buffers.used != 0 || len(c.buffers.waiters) != 0 {
					t.Errorf("%d bytes are still in use, %d wait", c.buffers.used, len(c.buffers.waiters))
				}
				for _, o := range c.index.objects {
					if len(o.filling) > 0 {
						t.Errorf("%d chunks are still being fetched", len(o.filling))
					}
				}
			})
		})
	}
}

// memoryInUse sums the buffers of fills; c.mu is held.
func (c *Cache) memoryInUse() (n int64) {
	for _, o := range c.index.objects {
		for _, fl := range o.filling {
			if fl.buffer != nil {
				n += c.chunkSize
			}
		}
	}
	return n
}

// TestSeeksLeaveNothing: after many abandoned seeks there are no more
// goroutines and no more memory than after some.
func TestSeeksLeaveNothing(t *testing.T) {
	s := newFakeOrigin()
	obj := s.put("a", "1", 300*testChunk)
	c := openCache(t, t.TempDir(), 100*testChunk, s, realDisk{})
	scanned(t, c)
	r := rand.New(rand.NewPCG(3, 4))
	seeks := func(n int) {
		for range n {
			off := r.Int64N(obj.Size)
			one, err := c.Open(t.Context(), obj, media.Span{Off: off, Len: obj.Size - off})
			if err != nil {
				t.Fatal(err)
			}
			for range r.IntN(8) {
				if _, err := one.Next(t.Context(), 100_000); err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
			}
			one.Close()
		}
		waitForFills(t, c)
		waitUntil(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.buffers.used == 0 })
	}
	left := func() (goroutines int, heap uint64) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	seeks(60)
	goroutines, heap := left()
	for range 2 {
		seeks(100)
		// What has ended may not have been scheduled to its last line yet.
		more, larger := left()
		for end := time.Now().Add(10 * time.Second); (more > goroutines+5 || larger > heap+4<<20) && time.Now().Before(end); more, larger = left() {
			time.Sleep(time.Millisecond)
		}
		if more > goroutines+5 || larger > heap+4<<20 {
			t.Errorf("%d goroutines and %d bytes, at first %d and %d", more, larger, goroutines, heap)
		}
	}
	if n := s.open.Load(); n != 0 {
		t.Errorf("%d bodies are open", n)
	}
}

// TestWaitersAreServedInOrder: first come, first served, also after a waiter has
// cancelled.
func TestWaitersAreServedInOrder(t *testing.T) {
	m := bufferPool{limit: 2}
	if m.acquire(1) != nil || m.acquire(1) != nil {
		t.Fatal("free space is not acquired")
	}
	one, two, three := m.acquire(1), m.acquire(1), m.acquire(1)
	m.cancelWait(two, 1)
	m.release(1)
	if !closed(one) || closed(three) {
		t.Error("the first waiter is not served first")
	}
	m.release(1)
	if !closed(three) || m.used != 2 {
		t.Errorf("the next waiter is not served: %d used", m.used)
	}
	m.cancelWait(three, 1) // served, and not wanted any more
	m.release(1)
	if m.used != 0 {
		t.Errorf("%d used after all was released", m.used)
	}
}

// TestSpareBuffersAreTrimmed: what a burst has used stays for the next one, and goes once
// nobody has used it between two trims.
func TestSpareBuffersAreTrimmed(t *testing.T) {
	p := bufferPool{limit: 100}
	use := func(n int) {
		var used []*buffer
		for range n {
			if p.acquire(1) != nil {
				t.Fatal("no space")
			}
			b := p.takeSpare()
			if b == nil {
				b = &buffer{data: newMemory(1)}
			}
			b.refs = 1
			used = append(used, b)
		}
		for _, b := range used {
			p.unref(b)
		}
	}
	for i, step := range []struct{ use, freed, spare int }{
		{50, 0, 50}, {45, 0, 50}, {10, 24, 26}, {0, 10, 16}, {0, 0, 16}, {20, 0, 20}, {0, 4, 16},
	} {
		use(step.use)
		unused := p.trim()
		freeBuffers(unused)
		if len(unused) != step.freed || len(p.spare) != step.spare {
			t.Errorf("trim %d freed %d and left %d, want %d and %d", i, len(unused), len(p.spare), step.freed, step.spare)
		}
	}
	if p.used != 0 {
		t.Errorf("%d used", p.used)
	}
}

// TestAClosedPoolKeepsNothing: a reader that is closed after the cache gives the last
// reference up.
func TestAClosedPoolKeepsNothing(t *testing.T) {
	p := bufferPool{limit: 2}
	_, _ = p.acquire(1), p.acquire(1)
	first, second := &buffer{data: newMemory(1), refs: 1}, &buffer{data: newMemory(1), refs: 2}
	p.unref(first)
	unused := p.close()
	freeBuffers(unused)
	p.unref(second)
	if second.data[0] != 0 {
		t.Error("a buffer in use was freed")
	}
	p.unref(second)
	if len(unused) != 1 || len(p.spare) != 0 || p.used != 0 {
		t.Errorf("%d freed, %d kept, %d used", len(unused), len(p.spare), p.used)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
