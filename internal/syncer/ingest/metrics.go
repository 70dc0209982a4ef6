package ingest

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	bytes   prometheus.Counter
	seconds prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "lectern_ingest_bytes_total", Help: "Bytes archived."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lectern_ingest_seconds", Help: "Time from taking up a recording to its verified archive.",
			Buckets: prometheus.ExponentialBuckets(1, 2.5, 10)}),
	}
	reg.MustRegister(m.bytes, m.seconds)
	return m
}
