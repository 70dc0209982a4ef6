package derive

import "github.com/prometheus/client_golang/prometheus"

// The outcomes of derivations as the metrics name them.
const (
	outcomeMade   = "made"
	outcomeFailed = "failed" // a failed attempt
	outcomeGaveUp = "gave_up"
)

type metrics struct {
	derivations *prometheus.CounterVec
	read        prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, makers []Maker) *metrics {
	m := &metrics{
		derivations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lectern_derivations_total", Help: "Files made of recordings, by kind: made (also where a recording has none of the kind), failed, gave_up (failed for the last time)."}, []string{"kind", "outcome"}),
		read:        prometheus.NewCounter(prometheus.CounterOpts{Name: "lectern_derivation_read_bytes_total", Help: "Bytes of recordings that were read from archives to make files of them."}),
	}
	reg.MustRegister(m.derivations, m.read)
	for _, maker := range makers {
		for _, outcome := range []string{outcomeMade, outcomeFailed, outcomeGaveUp} {
			m.derivations.WithLabelValues(maker.Kind(), outcome)
		}
	}
	return m
}
