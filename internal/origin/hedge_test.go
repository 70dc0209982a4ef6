package origin_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

// hedged is a fake behind all decorators.
type hedged struct {
	*origintest.Fake
	origin.Origin
	registry *prometheus.Registry
}

func newHedged(opts origin.Options) hedged {
	h := hedged{Fake: origintest.New(map[string][]byte{"lesson": files["lesson"], "other": files["lesson"]}), registry: prometheus.NewRegistry()}
	opts.Provider, opts.Observer, opts.Hedge = "test", origin.NewObserver(h.registry), 2
	h.Origin = origin.Harden(h.Fake, opts)
	return h
}

// Stat and Open are those of the hardened origin, not the fake's.
func (h hedged) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	return h.Origin.Stat(ctx, loc)
}

func (h hedged) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	return h.Origin.Open(ctx, obj, span)
}

// outcomes are the hedges by outcome.
func (h hedged) outcomes(t *testing.T) map[string]int {
	t.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, f := range families {
		if f.GetName() != "lectern_origin_hedges_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "outcome" && m.GetCounter().GetValue() > 0 {
					out[l.GetValue()] = int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return out
}

// expect compares the hedges that were won, lost and skipped, and the fake's reads.
func (h hedged) expect(t *testing.T, opens, won, lost, skipped int) {
	t.Helper()
	if got := h.outcomes(t); got["won"] != won || got["lost"] != lost || got["skipped"] != skipped {
		t.Errorf("%v; want %d won, %d lost, %d skipped", got, won, lost, skipped)
	}
	if h.Opens() != opens {
		t.Errorf("%d opens, want %d", h.Opens(), opens)
	}
}

// read reads a span of the lesson, compares it, and returns how long that took.
func (h hedged) read(t *testing.T, span media.Span) time.Duration {
	t.Helper()
	return h.readOf(t, "lesson", span)
}

func (h hedged) readOf(t *testing.T, key string, span media.Span) time.Duration {
	t.Helper()
	began := time.Now()
	obj := media.Object{Provider: origintest.Provider, ID: key, Version: "1", Size: int64(len(files["lesson"]))}
	got, err := origintest.Read(t.Context(), h, obj, span)
	if err != nil || !bytes.Equal(got, files["lesson"][span.Off:span.End()]) {
		t.Errorf("%v: %d bytes, %v", span, len(got), err)
	}
	return time.Since(began)
}

// TestHedge: what is late is requested a second time, and the first answer counts. In the
// end all bodies are closed and all slots are free.
func TestHedge(t *testing.T) {
	const soon = 20 * time.Millisecond
	never := origintest.Fault{Delay: time.Hour}
	for _, c := range []struct {
		name      string
		faults    []origintest.Fault
		took      time.Duration
		opens     int
		won, lost int
	}{
		{"no answer", []origintest.Fault{never, {Delay: soon}}, 500*time.Millisecond + soon, 2, 1, 0},
		{"an answer without bytes", []origintest.Fault{{Stall: true}, {Delay: soon}}, 500*time.Millisecond + soon, 2, 1, 0},
		{"a late answer without bytes", []origintest.Fault{{Delay: 600 * time.Millisecond, Stall: true}, {Delay: 300 * time.Millisecond}, {}}, 800 * time.Millisecond, 2, 1, 0},
		{"a body that stalls", []origintest.Fault{{After: 40_000, Stall: true}, {Delay: soon}}, time.Second + soon, 2, 1, 0},
		{"a body that stalls twice", []origintest.Fault{{After: 40_000, Stall: true}, {After: 40_000, Stall: true}}, 2 * time.Second, 3, 2, 0},
		{"the first comes first", []origintest.Fault{{Delay: 600 * time.Millisecond}, never}, 600 * time.Millisecond, 2, 0, 1},
		{"a body goes on first", []origintest.Fault{{Delay: 510 * time.Millisecond}, {Delay: time.Second}}, 510 * time.Millisecond, 2, 0, 1},
		{"the first fails, the second comes", []origintest.Fault{{Delay: 600 * time.Millisecond, OpenError: media.Fault(media.Unavailable, "test", nil)}, {Delay: 300 * time.Millisecond}}, 800 * time.Millisecond, 2, 1, 0},
		{"the second fails, the first comes", []origintest.Fault{{Delay: 600 * time.Millisecond}, {OpenError: media.Fault(media.Unavailable, "test", nil)}}, 600 * time.Millisecond, 2, 0, 1},
		{"not late", []origintest.Fault{{Delay: 499 * time.Millisecond}}, 499 * time.Millisecond, 1, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHedged(origin.Options{Concurrent: 2})
				h.Script(c.faults...)
				if took := h.read(t, media.Span{Off: 10, Len: 90_000}); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				synctest.Wait()
				h.expect(t, c.opens, c.won, c.lost, 0)
				if n := h.StillOpen(); n != 0 {
					t.Errorf("%d bodies are open", n)
				}
				for range 2 { // as many as there are slots
					body, err := open(t, h, media.Span{Len: 10})
					if err != nil {
						t.Fatal(err)
					}
					defer body.Close()
				}
			})
		})
	}
}

// TestHedgeLateIsRelative: where first bytes usually take a second, one of 1.9 s is not
// late.
func TestHedgeLateIsRelative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHedged(origin.Options{})
		for range 100 {
			h.Script(origintest.Fault{Delay: time.Second})
			h.read(t, media.Span{Len: 10})
		}
		before := h.outcomes(t)
		h.Script(origintest.Fault{Delay: 1900 * time.Millisecond}, origintest.Fault{Delay: time.Hour})
		h.read(t, media.Span{Len: 10})
		if after := h.outcomes(t); after["won"]+after["lost"]+after["skipped"] != before["won"]+before["lost"]+before["skipped"] {
			t.Errorf("hedged: before %v, after %v", before, after)
		}
		if took := h.read(t, media.Span{Len: 10}); took != 2*time.Second {
			t.Errorf("a stuck request cost %v, want 2 s", took)
		}
	})
}

// TestHedgeBudget: an origin that becomes slow for everybody gets 2 % more requests, and
// not twice as many.
func TestHedgeBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHedged(origin.Options{})
		const reads, start = 2000, 2
		for i := range 100 {
			h.Script(origintest.Fault{Delay: 50 * time.Millisecond})
			h.read(t, media.Span{Off: int64(i), Len: 10})
		}
		for range 3 * reads {
			h.Script(origintest.Fault{Delay: 10 * time.Second})
		}
		var group sync.WaitGroup
		for range 40 {
			group.Go(func() {
				for range reads / 40 {
					h.read(t, media.Span{Len: 10})
				}
			})
		}
		group.Wait()
		if more := h.Opens() - 100 - reads; more < 1 || more > (100+reads)*2/100+start {
			t.Errorf("%d requests more than %d: %v", more, reads, h.outcomes(t))
		}
	})
}

// TestNoHedge: no second request is made of an origin that is at its limits.
func TestNoHedge(t *testing.T) {
	late := origintest.Fault{Delay: 700 * time.Millisecond}
	later := origintest.Fault{Delay: 2 * time.Second} // than twice the one before
	refused := origintest.Fault{OpenError: &media.Error{Kind: media.Quota, Op: "test", RetryAfter: 10 * time.Minute}}
	span := media.Span{Len: 10}
	t.Run("all slots are taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHedged(origin.Options{Concurrent: 1})
			h.Script(late)
			h.read(t, span)
			h.expect(t, 1, 0, 0, 1)
		})
	})
	t.Run("a wait for a slot is not late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHedged(origin.Options{Concurrent: 1})
			first, err := open(t, h, span)
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(5*time.Second, func() { first.Close() })
			h.read(t, span)
			h.expect(t, 2, 0, 0, 0)
		})
	})
	t.Run("a quota was refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHedged(origin.Options{})
			h.Script(refused)
			if _, err := open(t, h, span); media.KindOf(err) != media.Quota {
				t.Fatal(err)
			}
			time.Sleep(9 * time.Minute)
			h.Script(late)
			h.readOf(t, "other", span)
			h.expect(t, 2, 0, 0, 1)
			time.Sleep(time.Minute)
			h.Script(later, later)
			h.readOf(t, "other", span)
			h.expect(t, 4, 0, 1, 1)
		})
	})
	t.Run("the breaker's probe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHedged(origin.Options{})
			h.Script(refused)
			if _, err := open(t, h, span); media.KindOf(err) != media.Quota {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Minute)
			h.Script(late, later, later)
			h.read(t, span)
			h.expect(t, 2, 0, 0, 1)
			h.read(t, span)
			h.expect(t, 4, 0, 1, 1)
		})
	})
}

// TestHedgeClosedUnread: a body that is closed while its first bytes are late ends both
// requests, whether the second has brought bytes or not.
func TestHedgeClosedUnread(t *testing.T) {
	for _, second := range []time.Duration{200 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			h := newHedged(origin.Options{Concurrent: 2})
			h.Script(origintest.Fault{Delay: 600 * time.Millisecond, Stall: true}, origintest.Fault{Delay: second})
			body, err := open(t, h, media.Span{Len: 10})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if err := body.Close(); err != nil {
				t.Error(err)
			}
			h.expect(t, 2, 0, 1, 0)
			for range 2 { // as many as there are slots
				body, err := open(t, h, media.Span{Len: 10})
				if err != nil {
					t.Fatal(err)
				}
				defer body.Close()
			}
		})
	}
}

// stuckStat is an origin whose first Stat is never answered.
type stuckStat struct {
	*origintest.Fake
	calls atomic.Int32
}

func (s *stuckStat) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	if s.calls.Add(1) == 1 {
		<-ctx.Done()
		return media.Object{}, media.Fault(media.Canceled, "test", ctx.Err())
	}
	return s.Fake.Stat(ctx, loc)
}

// TestHedgeOfStat: a Stat that is stuck is repeated, and cancelled once the other has an
// answer.
func TestHedgeOfStat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := &stuckStat{Fake: origintest.New(files)}
		o := origin.Harden(stuck, origin.Options{Hedge: 2})
		began := time.Now()
		_, err := o.Stat(t.Context(), media.Location{Provider: origintest.Provider, Key: "lesson"})
		if took := time.Since(began); err != nil || took != 500*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
		if n := stuck.calls.Load(); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
}

// TestHedgeEndsWithItsReader: a reader that leaves while both requests are out ends both.
func TestHedgeEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHedged(origin.Options{})
		h.Script(origintest.Fault{Delay: time.Hour}, origintest.Fault{Delay: time.Hour})
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		began := time.Now()
		obj := media.Object{Provider: origintest.Provider, ID: "lesson", Version: "1", Size: int64(len(files["lesson"]))}
		if _, err := h.Open(ctx, obj, obj.Span()); media.KindOf(err) != media.Timeout && media.KindOf(err) != media.Canceled {
			t.Error(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it ended after %v", took)
		}
		h.expect(t, 2, 0, 1, 0)
	})
}
