package cache

import "github.com/prometheus/client_golang/prometheus"

// How flights end.
const (
	fetchFinished  = "landed"
	fetchCancelled = "called_off"
	fetchFailed    = "failed"
)

// flown counts flights and what they brought in vain.
type fetchMetrics struct {
	fetches  map[string]prometheus.Counter
	overread prometheus.Counter
}

func newFetchMetrics(reg prometheus.Registerer, c *Cache) (*fetchMetrics, error) {
	flights := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_cache_flights_total", Help: "Requests of the cache to origins by how they ended: landed with all bytes, called off because nobody waited any longer, failed.",
	}, []string{"outcome"})
	m := &fetchMetrics{fetches: map[string]prometheus.Counter{}}
	for _, o := range []string{fetchFinished, fetchCancelled, fetchFailed} {
		m.fetches[o] = flights.WithLabelValues(o)
	}
	m.overread = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "lectern_cache_overread_bytes_total", Help: "Bytes fetched from origins that no viewer had been given when the last one left their request: read-ahead and heads of chunks. What was stored may still be served later.",
	})
	inUse := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lectern_cache_memory_bytes", Help: "Memory of chunks on their way from an origin.",
	}, func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(c.buffers.used)
	})
	for _, collector := range []prometheus.Collector{flights, m.overread, inUse} {
		if err := reg.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// closed accounts for a flight at its end; Cache.mu is held.
func (m *fetchMetrics) closed(f *fetch) {
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
