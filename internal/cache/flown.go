package cache

import "github.com/prometheus/client_golang/prometheus"

// How flights end.
const (
	flightLanded    = "landed"
	flightCalledOff = "called_off"
	flightFailed    = "failed"
)

// flown counts flights and what they brought in vain.
type flown struct {
	flights  map[string]prometheus.Counter
	overread prometheus.Counter
}

func newFlown(reg prometheus.Registerer, c *Cache) (*flown, error) {
	flights := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_cache_flights_total", Help: "Requests of the cache to origins by how they ended: landed with all bytes, called off because nobody waited any longer, failed.",
	}, []string{"outcome"})
	m := &flown{flights: map[string]prometheus.Counter{}}
	for _, o := range []string{flightLanded, flightCalledOff, flightFailed} {
		m.flights[o] = flights.WithLabelValues(o)
	}
	m.overread = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "lectern_cache_overread_bytes_total", Help: "Bytes fetched from origins that no viewer had been given when the last one left their request: read-ahead and heads of chunks. What was stored may still be served later.",
	})
	inUse := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lectern_cache_memory_bytes", Help: "Memory of chunks on their way from an origin.",
	}, func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(c.memory.used)
	})
	for _, collector := range []prometheus.Collector{flights, m.overread, inUse} {
		if err := reg.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// closed accounts for a flight at its end; Cache.mu is held.
func (m *flown) closed(f *flight) {
	outcome := flightLanded
	switch {
	case f.calledOff:
		outcome = flightCalledOff
	case f.err != nil:
		outcome = flightFailed
	}
	m.flights[outcome].Inc()
	m.overread.Add(float64(f.got - min(f.got, f.served-f.from)))
}
