package cache

import (
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// TestSlowSeekersDoNotStarveEachOther: many more viewers than there are buffers seek in what is not
// cached and read at a lesson's rate. Each holds a chunk whose head is missing, for the eight
// seconds that its rest lasts; the others must not wait for that. Nor may a fetch that the origin
// serves wait for a buffer that a fetch holds which waits for the origin.
func TestSlowSeekersDoNotStarveEachOther(t *testing.T) {
	for name, atATime := range map[string]int{"an origin without limit": 1 << 20, "an origin that serves few at a time": 8} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seekSlowly(t, &busyOrigin{
					slowOrigin: slowOrigin{latency: 20 * time.Millisecond, rate: 100 * mib}, slots: make(chan struct{}, atATime),
				})
			})
		})
	}
}

func seekSlowly(t *testing.T, origin *busyOrigin) {
	c := openCache(t, t.TempDir(), 10<<30, origin, realDisk{})
	c.chunkSize, c.index.chunkSize, c.buffers.limit = mib, mib, 32*mib
	synctest.Wait()
	const viewers = 600
	obj := media.Object{Provider: "test", ID: "1", Version: "1", Size: 256 * mib}
	var mu sync.Mutex
	var waits []time.Duration
	var group sync.WaitGroup
	for n := range viewers {
		group.Go(func() {
			time.Sleep(time.Duration(n) * 2 * time.Millisecond)
			off := rand.New(rand.NewPCG(uint64(n), 1)).Int64N(obj.Size - 4*mib)
			longest := socketViewer(t, c, obj, media.Span{Off: off, Len: obj.Size - off}, 4*mib)
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, longest)
		})
	}
	group.Wait()
	slices.Sort(waits)
	if worst := waits[viewers-1]; worst > 3*time.Second {
		t.Errorf("viewers waited for %v at most on average, and %v at worst", waits[viewers/2], worst)
	}
	time.Sleep(2 * detachGrace)
}

// busyOrigin serves no more requests at a time than it has slots.
type busyOrigin struct {
	slowOrigin
	slots chan struct{}
}

func (o *busyOrigin) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	select {
	case o.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, media.Fault(media.Canceled, "busy origin", ctx.Err())
	}
	body, err := o.slowOrigin.Open(ctx, obj, span)
	if err != nil {
		<-o.slots
		return nil, err
	}
	return &slotBody{body, o.slots}, nil
}

type slotBody struct {
	io.ReadCloser
	slots chan struct{}
}

func (b *slotBody) Close() error {
	<-b.slots
	return b.ReadCloser.Close()
}

// socketViewer reads as a gateway does that writes to a viewer's socket: pieces of 512 KiB, each
// held until all but what the sockets hold has been taken at a lesson's rate. It returns the
// longest wait for a piece.
func socketViewer(t *testing.T, c *Cache, obj media.Object, span media.Span, most int64) (longest time.Duration) {
	const rate, sockets = 125_000, 384 << 10
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := c.Open(ctx, obj, span)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer r.Close()
	for had := int64(0); had < most; {
		asked := time.Now()
		p, err := r.Next(ctx, min(512<<10, most-had))
		if err != nil {
			t.Error(err)
			return longest
		}
		longest = max(longest, time.Since(asked))
		had += p.Len
		time.Sleep(time.Until(began.Add(time.Duration(float64(had-sockets) / rate * float64(time.Second)))))
	}
	return longest
}
