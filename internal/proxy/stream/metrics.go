package stream

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

type metrics struct {
	limitedStreams prometheus.Counter // refused for Config.Streams
	limitedPerUser prometheus.Counter // refused for Config.StreamsPerUser
	requests       *prometheus.CounterVec
	firstByte      *prometheus.HistogramVec
	bytes          [2]prometheus.Counter // by media.Source
	// partial and firsts are those of requests and firstByte that every seek
	// touches, by media.CacheStatus.
	partial [media.CacheStatuses]prometheus.Counter
	firsts  [media.CacheStatuses]prometheus.Observer
}

func newMetrics(reg prometheus.Registerer, active func() int, limitedStreams, limitedPerUser prometheus.Counter) (*metrics, error) {
	m := &metrics{
		limitedStreams: limitedStreams, limitedPerUser: limitedPerUser,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lectern_stream_requests_total",
			Help: "Stream requests by status code and by how the cache stood; none when no bytes were opened.",
		}, []string{"code", "cache"}),
		firstByte: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "lectern_stream_first_byte_seconds",
			Help:    "Time from a stream request to the first byte of its body.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"cache"}),
	}
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_stream_bytes_total",
		Help: "Bytes of recordings sent, by where they came from.",
	}, []string{"source"})
	running := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "lectern_streams_active",
		Help: "Streams running now.",
	}, func() float64 { return float64(active()) })
	for _, c := range []prometheus.Collector{m.requests, m.firstByte, bytes, running} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("stream metrics: %w", err)
		}
	}
	// What is there from the start can be summed and compared with from the start.
	for _, status := range []media.CacheStatus{media.CacheHit, media.CacheMiss, media.CachePartial, media.CacheBypass} {
		m.firstByte.WithLabelValues(status.String())
		for _, code := range []int{http.StatusOK, http.StatusPartialContent} {
			m.requests.WithLabelValues(strconv.Itoa(code), status.String())
		}
	}
	for _, code := range []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		m.requests.WithLabelValues(strconv.Itoa(code), media.CacheNone.String())
	}
	for _, src := range []media.Source{media.SourceCache, media.SourceOrigin} {
		m.bytes[src] = bytes.WithLabelValues(src.String())
	}
	for i := range m.firsts {
		name := media.CacheStatus(i).String()
		m.firsts[i] = m.firstByte.WithLabelValues(name)
		m.partial[i] = m.requests.WithLabelValues(strconv.Itoa(http.StatusPartialContent), name)
	}
	return m, nil
}

func (m *metrics) request(status int, cache media.CacheStatus) {
	if status == http.StatusPartialContent {
		m.partial[cache].Inc()
		return
	}
	m.requests.WithLabelValues(strconv.Itoa(status), cache.String()).Inc()
}

func (m *metrics) sent(src media.Source, n int64) { m.bytes[src].Add(float64(n)) }

func (m *metrics) first(cache media.CacheStatus, took time.Duration) {
	m.firsts[cache].Observe(took.Seconds())
}
