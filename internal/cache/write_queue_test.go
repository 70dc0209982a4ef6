package cache

import (
	"bytes"
	"fmt"
	"sync"
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
	defer r.Close()
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
	waitForFills(t, c)
	if all := c.CachedBytes(obj) == obj.Size; all == watched {
		t.Errorf("%d of %d bytes are stored", c.CachedBytes(obj), obj.Size)
	}
}

// TestStuckWriteIsASlip: a full queue is one of a slow disk, unless a write has been under
// way for long.
func TestStuckWriteIsASlip(t *testing.T) {
	var q writeQueue
	now := time.Now()
	q.writing = []*queuedWrite{{began: now.Add(-stuckAfter)}, {began: now}}
	if q.stuck(now) {
		t.Error("a write that may still be healthy counts as stuck")
	}
	if !q.stuck(now.Add(time.Second)) {
		t.Error("a write that has been under way for long does not count as stuck")
	}
}
