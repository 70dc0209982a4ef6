package retention

import "github.com/prometheus/client_golang/prometheus"

// metrics are the retention's; labels are closed sets.
type metrics struct {
	cleanup *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{cleanup: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lectern_cleanup_recordings_total", Help: "Recordings by what retention did with them."}, []string{"outcome"})}
	reg.MustRegister(m.cleanup)
	for _, outcome := range []string{"removed", "purged", "failed"} {
		m.cleanup.WithLabelValues(outcome)
	}
	return m
}
