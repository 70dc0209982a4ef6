package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	jwksInterval    = 10 * time.Minute // between refreshes while all is well
	jwksRetryFirst  = time.Second      // after a failure, doubling
	jwksRetryMost   = time.Minute
	jwksMinInterval = 15 * time.Second // between refreshes that unknown kids ask for
	jwksTimeout     = 5 * time.Second  // of one fetch
	jwksMaxBytes    = 1 << 20
	// jwksMaxWaiting bounds the look-ups that wait for a fetch: made-up kids must not hold
	// a connection each while the key server is slow.
	jwksMaxWaiting = 64
)

// jwks refreshes the public keys of one URL. One goroutine fetches. A look-up waits for it
// only when it needs a key that is not in the current set.
type jwks struct {
	url         string
	host        string // the part of the URL that may be logged: its path or query may be a secret
	client      *http.Client
	log         *slog.Logger
	now         func() time.Time
	interval    time.Duration
	retry       time.Duration
	minInterval time.Duration

	set  atomic.Pointer[keySet] // nil until the first success
	wake chan struct{}          // capacity 1: a fetch is requested

	waiting atomic.Int64 // look-ups that wait for a fetch

	// mu guards what follows. No I/O happens under it.
	mu        sync.Mutex
	pending   chan struct{} // closed when the requested fetch has ended; nil = none requested
	requested time.Time     // when one was last requested
	running   bool
	cancel    context.CancelFunc // nil before start
	done      chan struct{}      // closed when the goroutine has ended
}

func newJWKS(address string, log *slog.Logger, now func() time.Time) *jwks {
	j := &jwks{
		url: address, log: log, now: now,
		client:   &http.Client{Timeout: jwksTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute}},
		interval: jwksInterval, retry: jwksRetryFirst, minInterval: jwksMinInterval,
		wake: make(chan struct{}, 1),
	}
	if u, err := url.Parse(address); err == nil {
		j.host = u.Host
	}
	return j
}

// start starts the refresh. Only the first call has an effect.
func (j *jwks) start(ctx context.Context) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cancel != nil {
		return
	}
	ctx, j.cancel = context.WithCancel(ctx)
	j.done, j.running = make(chan struct{}), true
	// Requests that arrive before the first answer wait for it.
	j.pending, j.requested = make(chan struct{}), j.now()
	go j.run(ctx)
}

// stop ends the refresh and waits for its goroutine. It may be called twice.
func (j *jwks) stop() {
	j.mu.Lock()
	cancel, done := j.cancel, j.done
	j.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	<-done
}

// run fetches at once, then every interval and whenever it is woken.
func (j *jwks) run(ctx context.Context) {
	defer close(j.done)
	defer j.client.CloseIdleConnections()
	defer j.releaseWaiters()
	wait := j.retry
	for {
		asked := j.startFetch()
		err := j.fetch(ctx)
		j.finishFetch(asked)
		next := j.interval
		switch {
		case err == nil:
			wait = j.retry
		case ctx.Err() == nil:
			next, wait = min(wait, j.interval), min(2*wait, jwksRetryMost)
			j.log.Warn("jwks: keys could not be fetched",
				slog.String("setting", "auth-jwks-url"), slog.String("host", j.host),
				slog.String("error", err.Error()), slog.Duration("again_in", next))
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-j.wake:
			timer.Stop()
		}
	}
}

// startFetch returns the request that the coming fetch fulfils, or nil. Look-ups may join it
// until finishFetch; a request made while none is pending is for the next fetch.
func (j *jwks) startFetch() chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pending
}

// finishFetch wakes the look-ups that wait for the fetch.
func (j *jwks) finishFetch(asked chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if asked != nil {
		close(asked)
		j.pending = nil
	}
}

// releaseWaiters wakes every look-up that still waits; none waits after it.
func (j *jwks) releaseWaiters() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running = false
	if j.pending != nil {
		close(j.pending)
		j.pending = nil
	}
}

// fetch replaces the set by the URL's current answer. On an error the old set stays.
func (j *jwks) fetch(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url, nil)
	if err != nil {
		return errors.New("the URL cannot be used")
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := j.client.Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(response.Body, jwksMaxBytes+1))
	if err != nil {
		return withoutURL(err)
	}
	if len(document) > jwksMaxBytes {
		return fmt.Errorf("the answer is larger than %d bytes", jwksMaxBytes)
	}
	set, err := parseKeySet(document)
	if err != nil {
		return err
	}
	// The same document is the same generation: tokens verified with it stay known.
	old := j.set.Load()
	if old != nil && old.digest == set.digest {
		return nil
	}
	set.generation = 1
	if old != nil {
		set.generation = old.generation + 1
	}
	j.set.Store(set)
	j.log.Info("jwks: keys fetched", slog.String("host", j.host),
		slog.Int("kids", len(set.kids)), slog.Int("skipped", set.skipped))
	return nil
}

// withoutURL drops the URL that net/http puts before its errors.
func withoutURL(err error) error {
	var with *url.Error
	if errors.As(err, &with) {
		return with.Err
	}
	return err
}

// generation names the present set, 0 when there is none yet.
func (j *jwks) generation() uint64 {
	if set := j.set.Load(); set != nil {
		return set.generation
	}
	return 0
}

// lookup returns the set that contains a kid. An unknown kid causes a fetch, which the
// look-up waits for, at most once in minInterval: made-up kids must not flood the key
// server. The error is a refusal for an unknown kid, and of kind Unavailable before the
// first successful fetch or when jwksMaxWaiting look-ups wait already.
func (j *jwks) lookup(ctx context.Context, kid string) (*keySet, error) {
	set := j.set.Load()
	if set == nil || !set.contains(kid) {
		if asked := j.requestFetch(); asked != nil {
			defer j.waiting.Add(-1)
			if j.waiting.Add(1) > jwksMaxWaiting {
				return nil, &media.Error{Kind: media.Unavailable, Op: "auth: wait for keys", RetryAfter: jwksTimeout}
			}
			select {
			case <-asked:
			case <-ctx.Done():
				return nil, media.Fault(media.KindOf(ctx.Err()), "auth: wait for keys", ctx.Err())
			}
		}
		set = j.set.Load()
	}
	switch {
	case set == nil:
		return nil, &media.Error{Kind: media.Unavailable, Op: "auth: keys of tokens", RetryAfter: jwksTimeout}
	case !set.contains(kid):
		return nil, forged()
	}
	return set, nil
}

// refresh requests a fetch, however recent the last one is.
func (j *jwks) refresh() {
	select {
	case j.wake <- struct{}{}:
	default: // one is requested already
	}
}

// requestFetch requests a fetch, or joins a pending request, and returns a channel that is
// closed when the fetch has ended; nil when it is too soon for another or none runs.
func (j *jwks) requestFetch() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pending != nil || !j.running || j.now().Sub(j.requested) < j.minInterval {
		return j.pending
	}
	j.pending, j.requested = make(chan struct{}), j.now()
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return j.pending
}
