package prewarm

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lectiospace/lectern/internal/media"
)

// blockedCache reads until it is released, or its context ends.
type blockedCache struct {
	begun   chan media.Object
	results chan error
}

func (c *blockedCache) WarmFirstFrame(ctx context.Context, obj media.Object) error {
	c.begun <- obj
	select {
	case err := <-c.results:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newOnGrant(t *testing.T) (*OnGrant, *blockedCache) {
	t.Helper()
	cache := &blockedCache{begun: make(chan media.Object, 100), results: make(chan error, 100)}
	g, err := NewOnGrant(cache, func(p string) bool { return p == "local" }, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return g, cache
}

func recording(i int) media.Object {
	return media.Object{Provider: "gdrive", ID: strconv.Itoa(i), Version: "1", Size: 100}
}

// count is the metric's value.
func (g *OnGrant) count(outcome string) float64 {
	return testutil.ToFloat64(g.outcomes.WithLabelValues(outcome))
}

// TestOnGrantReadsOnce: an object is read for one of the grants of half a minute, a version of
// its own apart, and the caller's prefetch is released whatever happens.
func TestOnGrantReadsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, cache := newOnGrant(t)
		defer g.Stop()
		released := 0
		prefetch := func(obj media.Object, result error) {
			cache.results <- result
			g.Prefetch(obj, func() { released++ })
			synctest.Wait()
			select { // of a read that did not happen
			case <-cache.results:
			default:
			}
		}
		prefetch(recording(1), nil)
		prefetch(recording(1), nil)
		later := recording(1)
		later.Version = "2"
		prefetch(later, errors.New("origin unavailable"))
		prefetch(media.Object{Provider: "local", ID: "1"}, nil)
		time.Sleep(readAgainAfter)
		prefetch(recording(1), nil)
		if n := len(cache.begun); n != 3 || released != 5 {
			t.Errorf("%d reads, %d released", n, released)
		}
		if g.count(outcomeRead) != 2 || g.count(outcomeFailed) != 1 || g.count(outcomeRecent) != 1 {
			t.Errorf("read %v, failed %v, recent %v", g.count(outcomeRead), g.count(outcomeFailed), g.count(outcomeRecent))
		}
	})
}

// TestOnGrantIsBounded: reads beyond the bound do not happen and hold nobody up, and Stop ends
// those that run.
func TestOnGrantIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, cache := newOnGrant(t)
		released := make(chan bool, 100)
		for i := range concurrentReads + 3 {
			g.Prefetch(recording(i), func() { released <- true })
		}
		synctest.Wait()
		if len(cache.begun) != concurrentReads || len(released) != 3 || g.count(outcomeLimited) != 3 {
			t.Errorf("%d run, %d were released, %v limited", len(cache.begun), len(released), g.count(outcomeLimited))
		}
		g.Stop()
		g.Stop()
		if len(released) != concurrentReads+3 {
			t.Errorf("%d were released by Stop", len(released))
		}
		g.Prefetch(recording(100), func() { released <- true })
		if len(cache.begun) != concurrentReads || len(released) != concurrentReads+4 {
			t.Error("a read begins after Stop")
		}
	})
}
