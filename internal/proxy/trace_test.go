package proxy

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
)

// playbackTracer keeps what it is told.
type playbackTracer struct {
	mu   sync.Mutex
	said []string // guarded by mu
	left chan string
}

func (p *playbackTracer) Join(ctx context.Context, user int64, rec media.Recording, traceparent, tracestate string) (context.Context, func(*accesslog.Record, time.Duration)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, fmt.Sprintf("%d %d %s%s", user, rec.ID, traceparent, tracestate))
	return media.WithTraceparent(ctx, "of the playback"), func(r *accesslog.Record, first time.Duration) {
		p.left <- fmt.Sprintln(r.Status, r.Bytes, r.Cache, r.Outcome, first > 0)
	}
}

// TestTracedPlayback: ranges with access are traced, in the trace of a trusted proxy and of
// nobody else, and the origin is asked under the playback's traceparent.
func TestTracedPlayback(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		tracer := &playbackTracer{left: make(chan string, 10)}
		var asked, opened atomic.Value
		h := newFixture(t, 1000, func(cfg *Config, h *fixture) {
			h.playbacks = tracer
			if !trusted {
				cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			}
			stat, open := h.stat, h.open
			h.stat = func(ctx context.Context, loc media.Location) (media.Object, error) {
				asked.Store(media.TraceparentOf(ctx))
				return stat(ctx, loc)
			}
			h.open = func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
				opened.Store(media.TraceparentOf(ctx))
				return open(ctx, obj, span)
			}
		})
		h.get("Range: bytes=0-9", "Traceparent: 00-a", "Tracestate: b")
		if got, want := <-tracer.left, "206 10 hit complete true\n"; got != want {
			t.Errorf("trusted %v: left with %s, want %s", trusted, got, want)
		}
		if asked.Load() != "of the playback" || opened.Load() != "of the playback" {
			t.Errorf("the origin was asked under %q, the store under %q", asked.Load(), opened.Load())
		}
		h.get("Range: bytes=2000-", "Traceparent: 00-a", "Tracestate: b")
		if got, want := <-tracer.left, "416 74 none refused false\n"; got != want {
			t.Errorf("trusted %v: left with %s, want %s", trusted, got, want)
		}
		h.do("HEAD", streamPath, "Authorization: Bearer "+goodToken)
		h.do("GET", streamPath) // without a token
		want := "[42 7 00-ab 42 7 00-ab]"
		if !trusted {
			want = "[42 7  42 7 ]"
		}
		tracer.mu.Lock()
		if got := fmt.Sprint(tracer.said); got != want {
			t.Errorf("trusted %v: joined %s, want %s", trusted, got, want)
		}
		tracer.mu.Unlock()
	}
}
