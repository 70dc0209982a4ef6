package origin

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// Observer counts requests to origins and their results.
type Observer struct {
	requests  *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	firstByte *prometheus.HistogramVec
	hedged    *prometheus.CounterVec
}

// NewObserver registers the metrics; it panics when they are registered already.
func NewObserver(reg prometheus.Registerer) *Observer {
	o := &Observer{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lectern_origin_requests_total", Help: "Requests to origins by outcome: ok, or the kind of fault.",
		}, []string{"provider", "outcome"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lectern_origin_bytes_total", Help: "Bytes received from origins.",
		}, []string{"provider"}),
		firstByte: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lectern_origin_first_byte_seconds", Help: "Time from asking an origin to its first byte.",
			Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30},
		}, []string{"provider"}),
		hedged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lectern_origin_hedges_total", Help: "Late requests to origins by what became of the second request: won, lost, or skipped because none was allowed.",
		}, []string{"provider", "outcome"}),
	}
	reg.MustRegister(o.requests, o.bytes, o.firstByte, o.hedged)
	return o
}

// Observe counts the requests to next under the provider's name.
func (o *Observer) Observe(provider string, next Origin) Origin {
	for _, kind := range []media.Kind{media.NotFound, media.Denied, media.Unavailable, media.Quota, media.Timeout, media.Changed, media.Corrupt} {
		o.requests.WithLabelValues(provider, kind.String())
	}
	o.requests.WithLabelValues(provider, "ok")
	o.bytes.WithLabelValues(provider)
	o.firstByte.WithLabelValues(provider)
	return &observed{o, provider, next}
}

// hedges returns a function that counts a provider's late requests.
func (o *Observer) hedges(provider string) func(hedgeOutcome) {
	for _, outcome := range hedgeOutcomes {
		o.hedged.WithLabelValues(provider, string(outcome))
	}
	return func(outcome hedgeOutcome) { o.hedged.WithLabelValues(provider, string(outcome)).Inc() }
}

type observed struct {
	o        *Observer
	provider string
	next     Origin
}

func (d *observed) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	obj, err := d.next.Stat(ctx, loc)
	d.count(err)
	return obj, err
}

func (d *observed) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	began := time.Now()
	body, err := d.next.Open(ctx, obj, span)
	if err != nil {
		d.count(err)
		return nil, err
	}
	return &observedBody{ReadCloser: body, d: d, began: began}, nil
}

// ObservePeeks counts a provider's peeks with its reads.
func (o *Observer) ObservePeeks(provider string, next Peeker) Peeker {
	return observedPeeker{&observed{o: o, provider: provider}, next}
}

type observedPeeker struct {
	d    *observed
	next Peeker
}

func (p observedPeeker) Peek(ctx context.Context, loc media.Location, span media.Span) (io.ReadCloser, int64, error) {
	began := time.Now()
	body, size, err := p.next.Peek(ctx, loc, span)
	if err != nil {
		p.d.count(err)
		return nil, 0, err
	}
	return &observedBody{ReadCloser: body, d: p.d, began: began}, size, nil
}

func (d *observed) count(err error) {
	outcome := "ok"
	if err != nil {
		outcome = media.KindOf(err).String()
	}
	d.o.requests.WithLabelValues(d.provider, outcome).Inc()
}

// observedBody counts its request once, at its end, by how it ended.
type observedBody struct {
	io.ReadCloser
	d     *observed
	began time.Time
	seen  bool
	once  sync.Once
}

func (b *observedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && !b.seen {
		b.seen = true
		b.d.o.firstByte.WithLabelValues(b.d.provider).Observe(time.Since(b.began).Seconds())
	}
	b.d.o.bytes.WithLabelValues(b.d.provider).Add(float64(n))
	if errors.Is(err, io.EOF) {
		b.once.Do(func() { b.d.count(nil) })
	} else if err != nil {
		b.once.Do(func() { b.d.count(err) })
	}
	return n, err
}

func (b *observedBody) Close() error {
	b.once.Do(func() { b.d.count(nil) }) // closed early: no fault of the origin
	return b.ReadCloser.Close()
}
