package playbacks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
	"github.com/lectiospace/lectern/internal/telemetry/trace/tracetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTracker makes a tracker whose spans the collector has once flush returns.
func newTracker(t *testing.T) (tracker *Tracker, collector *tracetest.Collector, flush func()) {
	t.Helper()
	collector = tracetest.New(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	tracer, err := trace.Start(t.Context(), "test", "1", slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	tracker = NewTracker(tracer, slog.New(slog.DiscardHandler))
	tracker.Start()
	flush = func() { tracker.Stop(); tracer.Stop() }
	t.Cleanup(flush)
	return tracker, collector, flush
}

func recording(id int64) media.Recording {
	return media.Recording{ID: id, Title: "a SECRET title", Location: media.Location{Provider: "gdrive", Key: "SECRET"}}
}

const (
	firstParent  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	secondParent = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
)

// TestOneSpanAPlayback: ranges of one user and recording make one span, whose requests to
// origins carry it; another user's, and another recording's, are others.
func TestOneSpanAPlayback(t *testing.T) {
	tracker, collector, flush := newTracker(t)
	leaves := map[int]func(*accesslog.Record, time.Duration){}
	carried := map[string]bool{}
	for i, parent := range []string{firstParent, secondParent, secondParent} {
		ctx, leave := tracker.Join(t.Context(), 1, recording(7), parent, "")
		leaves[i] = leave
		carried[media.TraceparentOf(ctx)] = true
	}
	_, other := tracker.Join(t.Context(), 2, recording(7), "", "")
	_, another := tracker.Join(t.Context(), 1, recording(8), "", "")
	leaves[1](&accesslog.Record{Bytes: 100, Cache: media.CacheMiss, Outcome: "complete"}, 40*time.Millisecond)
	leaves[0](&accesslog.Record{Bytes: 10, Cache: media.CacheHit, Outcome: "complete"}, 50*time.Millisecond)
	leaves[2](&accesslog.Record{Bytes: 1, Cache: media.CacheHit, Outcome: "timeout", Err: media.Fault(media.Timeout, "op", errors.New("SECRET"))}, 0)
	other(&accesslog.Record{Outcome: "hangup"}, 0)
	another(&accesslog.Record{Outcome: "complete"}, 0)
	flush()
	if len(collector.Spans()) != 3 || len(carried) != 1 {
		t.Fatalf("%d spans, %d contexts", len(collector.Spans()), len(carried))
	}
	span := collector.Await(t, "the playback", func(s tracetest.Span) bool { return s.Attrs["lectern.playback.ranges"] == "3" })
	want := map[string]string{
		"lectern.recording.id": "7", "lectern.provider": "gdrive", "lectern.playback.ranges": "3", "lectern.playback.bytes": "111",
		"lectern.cache.hits": "2", "lectern.cache.misses": "1", "lectern.cache.partial": "0", "lectern.cache.bypassed": "0",
		"lectern.first_byte_seconds": "0.04", "lectern.slowest_first_byte_seconds": "0.05", "lectern.origin_seconds": "0", "lectern.outcome": "timeout", "error.type": "timeout",
	}
	if fmt.Sprint(span.Attrs) != fmt.Sprint(want) {
		t.Errorf("attributes %v, want %v", span.Attrs, want)
	}
	if span.Parent != "b7ad6b7169203331" || fmt.Sprint(span.Links) != "[c7ad6b7169203331]" || !carried[span.Traceparent()] || !span.Failed {
		t.Errorf("%+v, carried %v", span, carried)
	}
}

// TestSpansEnd: after a pause, at the longest, and never while something is read before that.
func TestSpansEnd(t *testing.T) {
	tracker, collector, flush := newTracker(t)
	_, leave := tracker.Join(t.Context(), 1, recording(7), "", "")
	now := time.Now()
	tracker.endIdle(now.Add(longest - time.Minute)) // still reading
	_, again := tracker.Join(t.Context(), 1, recording(7), "", "")
	again(&accesslog.Record{}, 0)
	leave(&accesslog.Record{}, 0)
	tracker.endIdle(now.Add(idleAfter - time.Second))
	_, third := tracker.Join(t.Context(), 1, recording(7), "", "")
	third(&accesslog.Record{}, 0)
	tracker.endIdle(time.Now().Add(idleAfter)) // one span of three ranges
	_, late := tracker.Join(t.Context(), 1, recording(7), "", "")
	tracker.endIdle(time.Now().Add(longest)) // one span of none, whose exchange goes on
	late(&accesslog.Record{}, 0)
	flush()
	var ranges []string
	for _, s := range collector.Spans() {
		ranges = append(ranges, s.Attrs["lectern.playback.ranges"])
	}
	if fmt.Sprint(ranges) != "[3 0]" {
		t.Errorf("spans of %v ranges", ranges)
	}
	if ctx, leave := tracker.Join(t.Context(), 1, recording(7), "", ""); leave != nil || media.TraceparentOf(ctx) != "" {
		t.Error("a playback begins after Stop")
	}
}

// TestBounded: beyond the limit playbacks go on, untraced.
func TestBounded(t *testing.T) {
	tracker, _, _ := newTracker(t)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	for user := range int64(most) {
		tracker.Join(context.Background(), user, recording(7), "", "")
	}
	if _, leave := tracker.Join(context.Background(), most, recording(7), "", ""); leave != nil {
		t.Error("one too many is traced")
	}
	if _, leave := tracker.Join(context.Background(), 1, recording(7), "", ""); leave == nil {
		t.Error("a range of a traced playback is left out")
	}
	tracker.mu.Lock()
	defer tracker.mu.Unlock()
	if len(tracker.running) != most {
		t.Errorf("%d are held", len(tracker.running))
	}
}
