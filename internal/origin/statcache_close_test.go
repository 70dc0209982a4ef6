package origin_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// lateStater counts the queries that begin or go on after closed is set.
type lateStater struct{ closed, late, running atomic.Int64 }

func (s *lateStater) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	s.running.Add(1)
	defer s.running.Add(-1)
	s.late.Add(s.closed.Load())
	<-ctx.Done()
	return media.Object{}, media.Fault(media.Canceled, "test", ctx.Err())
}

// TestStatCacheCloseWaits: no query of the origin runs once Close has returned, not even
// one whose goroutine had not been scheduled yet.
func TestStatCacheCloseWaits(t *testing.T) {
	for range 2000 {
		stater := &lateStater{}
		cache := origin.NewStatCache(stater, time.Minute, time.Now)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = cache.Stat(gone, media.Location{Provider: "test", Key: "lesson"})
		if err := cache.Close(); err != nil {
			t.Fatal(err)
		}
		if n := stater.running.Load(); n != 0 {
			t.Fatalf("%d queries run after Close", n)
		}
		stater.closed.Store(1)
		for range 10 {
			runtime.Gosched() // lets a goroutine run that was started and not scheduled
		}
		if stater.late.Load() != 0 {
			t.Fatal("a query began after Close had returned")
		}
	}
}
