package syncer

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/syncer/queue"
)

// metrics are the supervisor's gauges; labels are closed sets.
type metrics struct {
	waiting *prometheus.GaugeVec
	oldest  prometheus.Gauge
	late    prometheus.Gauge
	mode    *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lectern_jobs_waiting", Help: "Jobs that wait to be run, by kind."}, []string{"kind"}),
		oldest:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "lectern_oldest_unarchived_seconds", Help: "Age of the recording that waits longest for its archive; 0 = none."}),
		late:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "lectern_recordings_late", Help: "Recordings that wait for their archive for more than two hours; without what backfills archive."}),
		mode:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lectern_sync_mode", Help: "1 for the mode that the syncer is in: active or observe."}, []string{"mode"}),
	}
	reg.MustRegister(m.waiting, m.oldest, m.late, m.mode)
	for _, mode := range []string{ModeActive, ModeObserve} {
		m.mode.WithLabelValues(mode)
	}
	for _, kind := range queue.Kinds {
		m.waiting.WithLabelValues(kind)
	}
	return m
}
