package cache

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the cache's counters and gauges.
type metrics struct {
	chunks      map[event]*counter
	scrubBytes  prometheus.Counter
	scrubRounds prometheus.Counter
}

// counter is one that people can read as well.
type counter struct {
	n    atomic.Int64
	prom prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, c *Cache) (*metrics, error) {
	chunks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_cache_chunks_total", Help: "Look-ups and transitions of chunks.",
	}, []string{"event"})
	m := &metrics{
		chunks: map[event]*counter{},
		scrubBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lectern_cache_verified_bytes_total", Help: "Bytes of chunk files whose checksums were compared by the scrub or on demand.",
		}),
		scrubRounds: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lectern_cache_scrubs_total", Help: "How often the scrub has been through the whole cache.",
		}),
	}
	for _, e := range events {
		m.chunks[e] = &counter{prom: chunks.WithLabelValues(string(e))}
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	collectors := []prometheus.Collector{
		chunks, m.scrubBytes, m.scrubRounds,
		gauge("lectern_cache_bytes", "Bytes of chunk files, reserved ones included.", func() float64 { return float64(c.gauges().Bytes) }),
		gauge("lectern_cache_capacity_bytes", "The disk budget.", func() float64 { return float64(c.cfg.Size) }),
	}
	for i, name := range diskStates {
		collectors = append(collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "lectern_cache_state", Help: "1 for the state the cache's disk is in.", ConstLabels: prometheus.Labels{"state": name},
		}, func() float64 {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.health.state == diskState(i) {
				return 1
			}
			return 0
		}))
	}
	for _, collector := range collectors {
		if err := reg.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) event(e event) {
	counter := m.chunks[e]
	counter.n.Add(1)
	counter.prom.Inc()
}

func (m *metrics) counts() map[string]int64 {
	counts := map[string]int64{}
	for e, counter := range m.chunks {
		counts[string(e)] = counter.n.Load()
	}
	return counts
}
