package origin

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lectiospace/lectern/internal/media"
)

// rememberRoom bounds how many objects are remembered; beyond it the table
// starts again, which costs one request for each object in use.
const rememberRoom = 50_000

// statTimeout bounds one shared question, which has no caller's deadline.
const statTimeout = 30 * time.Second

// Remembered answers Stat from memory for as long as Recheck allows, and with
// the last known answer while the origin is away. Safe for concurrent use.
type Remembered struct {
	next    Stater
	recheck time.Duration
	now     func() time.Time
	flights singleflight.Group
	// base ends at Close; asking goes on when the one who asked first has left.
	base   context.Context
	cancel context.CancelFunc
	asking sync.WaitGroup

	mu      sync.Mutex
	objects map[media.Location]memory // guarded by mu
	closed  bool                      // guarded by mu
}

type memory struct {
	object media.Object
	at     time.Time
}

// Remember puts a memory in front of next.
func Remember(next Stater, recheck time.Duration, now func() time.Time) *Remembered {
	ctx, cancel := context.WithCancel(context.Background())
	return &Remembered{next: next, recheck: recheck, now: now, base: ctx, cancel: cancel, objects: map[media.Location]memory{}}
}

// Stat answers from memory, or asks once for all who want to know.
func (r *Remembered) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	r.mu.Lock()
	known, ok := r.objects[loc]
	if r.closed {
		r.mu.Unlock()
		return media.Object{}, media.Faultf(media.Unavailable, "origin: stat", "the gateway is closing")
	}
	if ok && r.now().Sub(known.at) < r.recheck {
		r.mu.Unlock()
		return known.object, nil
	}
	r.asking.Add(1)
	r.mu.Unlock()
	answer := r.flights.DoChan(loc.Provider+"\x00"+loc.Key, func() (any, error) {
		r.asking.Add(1)
		defer r.asking.Done()
		return r.ask(loc)
	})
	r.asking.Done()
	select {
	case <-ctx.Done():
		return media.Object{}, media.Fault(media.KindOf(ctx.Err()), "origin: stat", ctx.Err())
	case a := <-answer:
		if a.Err == nil {
			return a.Val.(media.Object), nil
		}
		switch media.KindOf(a.Err) {
		case media.Unavailable, media.Timeout, media.Quota:
			if ok {
				return known.object, nil
			}
		}
		return media.Object{}, a.Err
	}
}

func (r *Remembered) ask(loc media.Location) (media.Object, error) {
	ctx, cancel := context.WithTimeout(r.base, statTimeout)
	defer cancel()
	began := r.now()
	obj, err := r.next.Stat(ctx, loc)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch kind := media.KindOf(err); {
	case err == nil:
		if len(r.objects) >= rememberRoom {
			clear(r.objects)
		}
		r.objects[loc] = memory{obj, began}
	case kind == media.NotFound, kind == media.Denied:
		delete(r.objects, loc)
	}
	return obj, err
}

// Forget makes the next Stat ask: somebody has found the object changed.
func (r *Remembered) Forget(loc media.Location) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.objects, loc)
}

// Close ends what is being asked and waits; it may be called twice.
func (r *Remembered) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.asking.Wait()
	return nil
}
