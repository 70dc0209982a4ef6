package queue

import "github.com/prometheus/client_golang/prometheus"

// metrics are the queue's; labels are closed sets.
type metrics struct {
	jobs *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{jobs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lectern_jobs_total", Help: "Jobs by kind and outcome of an attempt."}, []string{"kind", "outcome"})}
	reg.MustRegister(m.jobs)
	for _, kind := range Kinds {
		for _, outcome := range []string{"completed", "snoozed", "failed", "exhausted", "retried"} {
			m.jobs.WithLabelValues(kind, outcome)
		}
	}
	return m
}
