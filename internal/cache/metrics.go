package cache

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the cache's counters and gauges.
type metrics struct {
	chunks      map[event]*counter
	fetches     map[fetchOutcome]prometheus.Counter
	passes      map[passReason]prometheus.Counter
	overread    prometheus.Counter
	scrubBytes  prometheus.Counter
	scrubRounds prometheus.Counter
}

// counter is one that Stats reads as well.
type counter struct {
	n    atomic.Int64
	prom prometheus.Counter
}

// fetchOutcome is how a fetch ended.
type fetchOutcome string

const (
	fetchFinished  fetchOutcome = "finished"
	fetchCancelled fetchOutcome = "cancelled"
	fetchFailed    fetchOutcome = "failed"
)

func newMetrics(reg prometheus.Registerer, c *Cache) (*metrics, error) {
	chunks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_cache_chunks_total", Help: "Look-ups and transitions of chunks.",
	}, []string{"event"})
	fetches := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_cache_fetches_total", Help: "Requests of the cache to origins by outcome: finished with all bytes, cancelled because nobody waited any longer, failed.",
	}, []string{"outcome"})
	passed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_cache_passed_through_chunks_total", Help: "Chunks that passed from memory to their viewers without being stored, by reason: at their first use while the cache is full, no disk space, the disk is bypassed or failed, its writes are behind, a fetch needed the memory.",
	}, []string{"reason"})
	counterOf := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m := &metrics{
		chunks: map[event]*counter{}, fetches: map[fetchOutcome]prometheus.Counter{}, passes: map[passReason]prometheus.Counter{},
		overread:    counterOf("lectern_cache_overread_bytes_total", "Bytes fetched from origins that no viewer had been given when the last one left their request: read-ahead, heads of chunks, and what completes a chunk. What was stored may still be served later."),
		scrubBytes:  counterOf("lectern_cache_verified_bytes_total", "Bytes of chunk files whose checksums were compared by the scrub or on demand."),
		scrubRounds: counterOf("lectern_cache_scrubs_total", "How often the scrub has been through the whole cache."),
	}
	for _, e := range events {
		m.chunks[e] = &counter{prom: chunks.WithLabelValues(string(e))}
	}
	for _, o := range []fetchOutcome{fetchFinished, fetchCancelled, fetchFailed} {
		m.fetches[o] = fetches.WithLabelValues(string(o))
	}
	for _, why := range passReasons {
		m.passes[why] = passed.WithLabelValues(string(why))
	}
	collectors := []prometheus.Collector{
		chunks, fetches, passed, m.overread, m.scrubBytes, m.scrubRounds,
		gauge("lectern_cache_bytes", "Bytes of chunk files, reserved ones included.", func() float64 { return float64(c.gauges().Bytes) }),
		gauge("lectern_cache_capacity_bytes", "The disk budget.", func() float64 { return float64(c.cfg.Size) }),
		gauge("lectern_cache_memory_bytes", "Memory of chunks on their way from an origin.", c.bufferBytes),
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

func (c *Cache) bufferBytes() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return float64(c.buffers.used)
}

func (m *metrics) event(e event) {
	counter := m.chunks[e]
	counter.n.Add(1)
	counter.prom.Inc()
}

// passedThrough counts a complete chunk that is not stored.
func (m *metrics) passedThrough(why passReason) {
	m.event(eventBypass)
	m.passes[why].Inc()
}

func (m *metrics) counts() map[string]int64 {
	counts := map[string]int64{}
	for e, counter := range m.chunks {
		counts[string(e)] = counter.n.Load()
	}
	return counts
}

// fetchClosed counts a fetch at its end; Cache.mu is held.
func (m *metrics) fetchClosed(f *fetch) {
	outcome := fetchFinished
	switch {
	case f.cancelled:
		outcome = fetchCancelled
	case f.err != nil:
		outcome = fetchFailed
	}
	m.fetches[outcome].Inc()
	m.overread.Add(float64(f.received - min(f.received, f.served-f.from)))
}
