package intake

import "github.com/prometheus/client_golang/prometheus"

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
	return m
}
