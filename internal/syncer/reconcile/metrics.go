package reconcile

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the reconciliation's; labels are closed sets.
type metrics struct {
	teachers *prometheus.GaugeVec
	synced   prometheus.Counter
	// lastFinished and lastSuccess are 0 until a first one.
	lastFinished, lastSuccess prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		teachers:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lectern_reconcile_teachers", Help: "Teachers of the latest reconciliation."}, []string{"state"}),
		synced:       prometheus.NewCounter(prometheus.CounterOpts{Name: "lectern_reconcile_recordings_synced_total", Help: "Recordings that reconciliation took up."}),
		lastFinished: prometheus.NewGauge(prometheus.GaugeOpts{Name: "lectern_reconcile_last_finished_timestamp_seconds", Help: "When the latest reconciliation ended, with failed teachers or without; 0 = never."}),
		lastSuccess:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "lectern_reconcile_last_success_timestamp_seconds", Help: "When the latest reconciliation without a failed teacher ended; 0 = never."}),
	}
	reg.MustRegister(m.teachers, m.synced, m.lastFinished, m.lastSuccess)
	for _, state := range []string{"processed", "failed"} {
		m.teachers.WithLabelValues(state)
	}
	return m
}

// observe sets the gauges of a reconciliation that ended at a moment.
func (m *metrics) observe(s Summary, at time.Time) {
	m.teachers.WithLabelValues("processed").Set(float64(s.Processed))
	m.teachers.WithLabelValues("failed").Set(float64(s.Failed))
	m.lastFinished.Set(float64(at.Unix()))
	if s.Failed == 0 && s.Left == 0 {
		m.lastSuccess.Set(float64(at.Unix()))
	}
}
