package cache

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lectiospace/lectern/internal/media"
)

// TestViewersDoNotWaitForDisk: while no write returns, viewers get every byte in no
// time; what finds no place in the queue or holds memory that a fetch needs passes
// through, which is counted, and is fetched again later.
func TestViewersDoNotWaitForDisk(t *testing.T) {
	for _, c := range []struct {
		name   string
		memory int64 // chunks
		why    passReason
	}{
		{"the queue is full", 64, passDiskBusy},
		{"memory is short", 4, passNoMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testViewersDoNotWait(t, c.memory*testChunk, c.why) })
		})
	}
}

func testViewersDoNotWait(t *testing.T, memory int64, why passReason) {
	s, d := newFakeOrigin(), &stuckDisk{free: make(chan struct{})}
	d.stuck.Store(true)
	c := openCache(t, t.TempDir(), 100<<20, s, d)
	scanned(t, c)
	c.mu.Lock()
	c.buffers.limit, c.writes = memory, newWriteQueue(memory, testChunk)
	c.mu.Unlock()
	var objects []media.Object
	for i := range 2 {
		objects = append(objects, s.put(fmt.Sprint(i), "1", 100*testChunk))
	}
	began := time.Now() // of the bubble's clock, which moves only when everybody waits
	var viewers sync.WaitGroup
	for _, obj := range objects {
		viewers.Go(func() {
			got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
			if err != nil || !bytes.Equal(got, s.bytes(obj)) {
				t.Errorf("right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
			}
		})
	}
	viewers.Wait()
	if took := time.Since(began); took != 0 {
		t.Errorf("viewers waited %v for a disk that does not write", took)
	}
	if n := testutil.ToFloat64(c.metrics.passes[why]); n == 0 {
		t.Errorf("no chunk passed through because of %q", why)
	}
	d.stuck.Store(false)
	close(d.free)
	waitForFills(t, c)
	for _, obj := range objects {
		before := s.opens.Load()
		got, status, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
		if err != nil || !bytes.Equal(got, s.bytes(obj)) || status == media.CacheHit {
			t.Errorf("later: right bytes %v, %v, %v", bytes.Equal(got, s.bytes(obj)), status, err)
		}
		waitForFills(t, c)
		if s.opens.Load() == before {
			t.Error("what was not stored was not fetched again")
		}
	}
}

// stuckRemovals blocks removals and measurements until free is closed.
type stuckRemovals struct {
	realDisk
	stuck    atomic.Bool
	free     chan struct{}
	removals atomic.Int64 // that were blocked
}

func (d *stuckRemovals) Remove(path string) error {
	if d.stuck.Load() {
		d.removals.Add(1)
		<-d.free
	}
	return d.realDisk.Remove(path)
}

func (d *stuckRemovals) Free(dir string) (int64, error) {
	if d.stuck.Load() {
		<-d.free
	}
	return d.realDisk.Free(dir)
}

// TestViewersDoNotWaitForRemovals: while no removal returns, viewers of what a full cache
// wants get every byte in no time. It is stored once its space is free, and not before.
func TestViewersDoNotWaitForRemovals(t *testing.T) {
	synctest.Test(t, testViewersDoNotWaitForRemovals)
}

func testViewersDoNotWaitForRemovals(t *testing.T) {
	const budget = 100 * testChunk
	s, d, dir := newFakeOrigin(), &stuckRemovals{free: make(chan struct{})}, t.TempDir()
	c := openCache(t, dir, budget, s, d)
	scanned(t, c)
	old := s.put("old", "1", 150*testChunk)
	if _, err := c.fetchSpan(t.Context(), old, old.Span(), 0, nil); err != nil {
		t.Fatal(err)
	}
	waitForFills(t, c)
	time.Sleep(2 * freeMaxAge) // the free space has to be measured again
	d.stuck.Store(true)
	release := sync.OnceFunc(func() { d.stuck.Store(false); close(d.free) })
	time.AfterFunc(time.Minute, release)
	began := time.Now()
	var objects []media.Object
	var viewers sync.WaitGroup
	for i := range 5 {
		obj := s.put(fmt.Sprint(i), "1", 20*testChunk) // no more than a head and a tail, which are wanted
		objects = append(objects, obj)
		viewers.Go(func() {
			got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
			if err != nil || !bytes.Equal(got, s.bytes(obj)) {
				t.Errorf("right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
			}
		})
	}
	viewers.Wait()
	if took := time.Since(began); took != 0 {
		t.Errorf("viewers waited %v for removals", took)
	}
	synctest.Wait()
	if d.removals.Load() == 0 {
		t.Error("no removal was tried")
	}
	inBudget := func(when string) {
		t.Helper()
		c.mu.Lock()
		used, limit := c.budget.used, c.limit()
		c.mu.Unlock()
		if onDisk := du(dir); used > limit || onDisk > budget {
			t.Errorf("%s: %d bytes are in use of %d, and %d on the disk of %d", when, used, limit, onDisk, int64(budget))
		}
	}
	inBudget("while no removal returns")
	release()
	waitForFills(t, c)
	inBudget("later")
	stored := int64(0)
	for _, obj := range objects {
		stored += c.CachedBytes(obj)
	}
	if stored == 0 {
		t.Error("nothing was stored after the removals")
	}
	audit(t, c)
}

// slowDisk takes a while for each chunk.
type slowDisk struct{ realDisk }

func (slowDisk) Rename(from, to string) error {
	time.Sleep(50 * time.Millisecond)
	return realDisk{}.Rename(from, to)
}

// TestWhatIsReadToBeStoredIsStored: a reader whom nobody watches waits for a slow disk, and
// nothing passes through, until a viewer joins it.
func TestWhatIsReadToBeStoredIsStored(t *testing.T) {
	for _, watched := range []bool{false, true} {
		t.Run(fmt.Sprint("a viewer joins: ", watched), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testReadToBeStored(t, watched) })
		})
	}
}

func testReadToBeStored(t *testing.T, watched bool) {
	const memory = 64 * testChunk
	s := newFakeOrigin()
	obj := s.put("a", "1", 100*testChunk)
	c := openCache(t, t.TempDir(), 100<<20, s, slowDisk{})
	scanned(t, c)
	c.mu.Lock()
	c.buffers.limit, c.writes = memory, newWriteQueue(memory, testChunk)
	c.mu.Unlock()
	r, err := c.OpenToStore(t.Context(), obj, obj.Span())
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for err == nil {
			_, err = r.Next(t.Context(), 1<<20)
		}
	})
	time.Sleep(20 * time.Millisecond) // of the bubble's clock: the queue is full now
	if watched {
		began := time.Now()
		got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
		if err != nil || !bytes.Equal(got, s.bytes(obj)) || time.Since(began) > 0 {
			t.Errorf("the viewer: right bytes %v, %v, after %v", bytes.Equal(got, s.bytes(obj)), err, time.Since(began))
		}
	}
	group.Wait()
	r.Close() // the last chunk is kept for it where that passes through
	waitForFills(t, c)
	passed := testutil.ToFloat64(c.metrics.passes[passDiskBusy]) + testutil.ToFloat64(c.metrics.passes[passNoMemory])
	if watched != (passed > 0) {
		t.Errorf("%v chunks passed through", passed)
	}
	// What passed through may have been fetched again and stored, if the first reader was behind.
	if stored := c.CachedBytes(obj); !watched && stored != obj.Size {
		t.Errorf("%d of %d bytes are stored", stored, obj.Size)
	}
}

// TestCrowdBeforeStuckDisk: what several viewers waited for is kept beyond the queue's limit
// while there is memory, so that the next one does not fetch it again.
func TestCrowdBeforeStuckDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		v, d := &slowOrigin{latency: originLatency, rate: streamRate}, &stuckDisk{free: make(chan struct{})}
		v.vary = func() (latency, rate float64) { // all have joined before the second one's first byte
			return float64(requests.Add(1)), 1
		}
		d.stuck.Store(true)
		c := openCache(t, t.TempDir(), 100<<20, v, d)
		scanned(t, c)
		const memory = 64 * testChunk
		c.mu.Lock()
		c.buffers.limit, c.writes = memory, newWriteQueue(memory, testChunk)
		c.mu.Unlock()
		obj := media.Object{Provider: "test", ID: "a", Version: "1", Size: 60 * testChunk}
		var crowd sync.WaitGroup
		for range 3 {
			crowd.Go(func() { viewer(t, c, obj, obj.Span(), obj.Size, 0, nil) })
		}
		crowd.Wait()
		viewer(t, c, obj, obj.Span(), obj.Size, 0, nil) // is late
		// Rarely one of the crowd gets a chunk before the others have asked for it.
		if sent := v.sent.Load(); sent > obj.Size+testChunk {
			t.Errorf("%d bytes were sent of %d", sent, obj.Size)
		}
		close(d.free)
	})
}
