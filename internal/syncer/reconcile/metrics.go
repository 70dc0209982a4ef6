package reconcile

import "github.com/prometheus/client_golang/prometheus"

// metrics are the reconciliation's; labels are closed sets.
type metrics struct {
	teachers    *prometheus.GaugeVec
	synced      prometheus.Counter
	lastSuccess prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		teachers:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lectern_reconcile_teachers", Help: "Teachers of the latest reconciliation."}, []string{"state"}),
		synced:      prometheus.NewCounter(prometheus.CounterOpts{Name: "lectern_reconcile_recordings_synced_total", Help: "Recordings that reconciliation took up."}),
		lastSuccess: prometheus.NewGauge(prometheus.GaugeOpts{Name: "lectern_reconcile_last_success_timestamp_seconds", Help: "When the latest reconciliation without a failed teacher ended."}),
	}
	reg.MustRegister(m.teachers, m.synced, m.lastSuccess)
	for _, state := range []string{"processed", "failed"} {
		m.teachers.WithLabelValues(state)
	}
	return m
}
