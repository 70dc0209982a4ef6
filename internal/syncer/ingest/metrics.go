package ingest

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	bytes   prometheus.Counter
	seconds prometheus.Histogram
	delay   prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "lectern_ingest_bytes_total", Help: "Bytes archived."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lectern_ingest_seconds", Help: "Time from taking up a recording to its verified archive.",
			Buckets: prometheus.ExponentialBuckets(1, 2.5, 10)}),
	}
	m.delay = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lectern_archive_delay_seconds",
		Help:    "Time from Zoom's first word of a recording to its first verified archive; without what backfills archive.",
		Buckets: []float64{60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400}})
	reg.MustRegister(m.bytes, m.seconds, m.delay)
	return m
}
