package proxy

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/stream"
)

// The values of lectern_limited_total{limit}.
const (
	limitStreams        = "streams"
	limitStreamsPerUser = "streams_per_user"
	limitPlaybacks      = "playbacks_per_hour"
	limitFailures       = "failed_authentication"
	limitAPI            = "api"
)

// newLimitedCounter registers lectern_limited_total. Its series exist from the start:
// a rate over a series that appears with its first event misses that event.
func newLimitedCounter(reg prometheus.Registerer) (*prometheus.CounterVec, error) {
	limited := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_limited_total",
		Help: "Requests refused because a limit was reached.",
	}, []string{"limit"})
	if err := reg.Register(limited); err != nil {
		return nil, fmt.Errorf("proxy metrics: %w", err)
	}
	for _, limit := range []string{limitStreams, limitStreamsPerUser, limitPlaybacks, limitFailures, limitAPI} {
		limited.WithLabelValues(limit)
	}
	return limited, nil
}

// startMetrics is a StartCounter that counts the starts it refuses.
type startMetrics struct {
	stream.StartCounter
	limited prometheus.Counter
}

// countedStarts wraps starts, which may be nil, in startMetrics.
func countedStarts(starts stream.StartCounter, limited prometheus.Counter) stream.StartCounter {
	if starts == nil {
		return nil
	}
	return startMetrics{starts, limited}
}

// Count implements stream.StartCounter.
func (m startMetrics) Count(ctx context.Context, userID, recordingID int64, direct bool) (undo func(), err error) {
	undo, err = m.StartCounter.Count(ctx, userID, recordingID, direct)
	if media.RefusalOf(err) != nil {
		m.limited.Inc()
	}
	return undo, err
}
