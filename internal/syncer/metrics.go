package syncer

import "github.com/prometheus/client_golang/prometheus"

// metrics are the syncer's; labels are closed sets.
type metrics struct {
	events       *prometheus.CounterVec
	eventSeconds prometheus.Histogram
	jobs         *prometheus.CounterVec
	waiting      *prometheus.GaugeVec
	ingestBytes  prometheus.Counter
	ingestTime   prometheus.Histogram
	teachers     *prometheus.GaugeVec
	synced       prometheus.Counter
	reconciled   prometheus.Gauge
	oldest       prometheus.Gauge
	cleanup      *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lectern_webhook_events_total", Help: "Webhooks by event and what became of them."}, []string{"event", "result"}),
		eventSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lectern_webhook_seconds", Help: "Time to answer a webhook.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}}),
		jobs:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lectern_jobs_total", Help: "Jobs by kind and outcome of an attempt."}, []string{"kind", "outcome"}),
		waiting:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lectern_jobs_waiting", Help: "Jobs that wait to be run, by kind."}, []string{"kind"}),
		ingestBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "lectern_ingest_bytes_total", Help: "Bytes archived."}),
		ingestTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lectern_ingest_seconds", Help: "Time from taking up a recording to its verified archive.",
			Buckets: prometheus.ExponentialBuckets(1, 2.5, 10)}),
		teachers:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lectern_reconcile_teachers", Help: "Teachers of the latest reconciliation."}, []string{"state"}),
		synced:     prometheus.NewCounter(prometheus.CounterOpts{Name: "lectern_reconcile_recordings_synced_total", Help: "Recordings that reconciliation took up."}),
		reconciled: prometheus.NewGauge(prometheus.GaugeOpts{Name: "lectern_reconcile_last_success_timestamp_seconds", Help: "When the latest reconciliation without a failed teacher ended."}),
		oldest:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "lectern_oldest_unarchived_seconds", Help: "Age of the recording that waits longest for its archive; 0 = none."}),
		cleanup:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lectern_cleanup_recordings_total", Help: "Recordings by what retention did with them."}, []string{"outcome"}),
	}
	reg.MustRegister(m.events, m.eventSeconds, m.jobs, m.waiting, m.ingestBytes, m.ingestTime, m.teachers, m.synced, m.reconciled, m.oldest, m.cleanup)
	for _, kind := range kinds {
		m.waiting.WithLabelValues(kind)
		for _, outcome := range []string{"completed", "snoozed", "failed", "exhausted", "retried"} {
			m.jobs.WithLabelValues(kind, outcome)
		}
	}
	for _, state := range []string{"processed", "failed"} {
		m.teachers.WithLabelValues(state)
	}
	for _, outcome := range []string{"removed", "purged", "failed"} {
		m.cleanup.WithLabelValues(outcome)
	}
	return m
}

// kinds are the jobs there are.
var kinds = []string{"event", "ingest", "captions", "zoom_trash", "reconcile", "usage", "cleanup", "purge", "resync", "alert"}
