package intake

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/zoom"
)

// metrics are the intake's; labels are closed sets.
type metrics struct {
	events  *prometheus.CounterVec
	seconds prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lectern_webhook_events_total", Help: "Webhooks by event and what became of them."}, []string{"event", "result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lectern_webhook_seconds", Help: "Time to answer a webhook.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}}),
	}
	reg.MustRegister(m.events, m.seconds)
	// A counter that appears with its first event is seen to have increased only at its
	// second: what alerts look at is there from the start.
	for _, event := range append(zoom.HandledEvents(), eventLabel(""), eventLabel("unknown")) {
		for _, result := range results {
			m.events.WithLabelValues(event, result)
		}
	}
	for _, result := range []string{"accepted", "invalid_challenge"} {
		m.events.WithLabelValues(zoom.EventValidation, result)
	}
	for _, result := range refusals {
		m.events.WithLabelValues(eventLabel(""), result)
	}
	return m
}

// results are what becomes of an event; refusals of a request whose event is not known yet.
var (
	results  = []string{resultAccepted, resultDuplicate, resultIgnored, "unavailable"}
	refusals = []string{
		"unknown_tenant", "method_not_allowed", "unsupported_media_type", "overloaded", "too_large", "timeout", "incomplete",
		"invalid_signature", "stale_timestamp", "invalid_json",
	}
)
