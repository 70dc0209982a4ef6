package drive

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// A token is renewed when four fifths of its life, or all but renewAhead, are over. After a
// failure the renewal is tried again every renewAfter.
const (
	renewAhead   = 5 * time.Minute
	renewAfter   = 15 * time.Second
	renewAtLeast = time.Second
)

// errStopped is the error of Token after stop when no valid token is left.
var errStopped = errors.New("the origin is stopped")

// tokenRefresher renews a token in one goroutine before it expires, so that no viewer waits
// for the exchange. Before start, callers of Token do the exchange themselves. Safe for
// concurrent use.
type tokenRefresher struct {
	log  *slog.Logger
	wake chan struct{} // capacity 1: a renewal is requested

	mu        sync.Mutex         // guards what follows; no I/O under it
	source    oauth2.TokenSource // makes a new token at each call
	cancel    context.CancelFunc // nil before start
	ended     chan struct{}      // closed when the goroutine has ended
	renewing  bool               // the goroutine is making an attempt
	token     *oauth2.Token
	err       error         // of the last attempt
	attempted chan struct{} // closed and replaced when an attempt has ended
}

func newTokenRefresher(source oauth2.TokenSource, log *slog.Logger) *tokenRefresher {
	return &tokenRefresher{source: source, log: log, wake: make(chan struct{}, 1), attempted: make(chan struct{})}
}

// replace renews by another source from now on, beginning now. The present token is used
// until a new one has come.
func (w *tokenRefresher) replace(source oauth2.TokenSource) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.source = source
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// newToken makes an attempt with the present source.
func (w *tokenRefresher) newToken() (*oauth2.Token, error) {
	w.mu.Lock()
	source := w.source
	w.mu.Unlock()
	return source.Token()
}

// start starts the renewal. Only the first call has an effect.
func (w *tokenRefresher) start(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		return
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.ended, w.renewing = make(chan struct{}), true
	go w.run(ctx, w.ended)
}

// stop ends the renewal and waits for its goroutine. It may be called twice, and without
// start.
func (w *tokenRefresher) stop() {
	w.mu.Lock()
	cancel, ended := w.cancel, w.ended
	w.mu.Unlock()
	if cancel != nil {
		cancel()
		<-ended
	}
}

// run renews until ctx ends.
func (w *tokenRefresher) run(ctx context.Context, ended chan struct{}) {
	defer close(ended)
	failing := false
	for {
		token, err := w.newToken()
		if (err != nil) != failing {
			failing = err != nil
			if failing {
				w.log.Warn("drive: access token cannot be renewed", slog.String("error", fault("drive: token", err).Error()))
			} else {
				w.log.Info("drive: access token renewed again")
			}
		}
		w.publish(token, err)
		timer := time.NewTimer(nextRenewal(token, err))
		select {
		case <-ctx.Done():
			timer.Stop()
			w.publish(nil, errStopped)
			return
		case <-w.wake:
			timer.Stop()
		case <-timer.C:
		}
		w.mu.Lock()
		w.renewing = true
		w.mu.Unlock()
	}
}

// publish stores the result of an attempt. A failure keeps the token that is still valid.
func (w *tokenRefresher) publish(token *oauth2.Token, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err, w.renewing = err, false
	if err == nil {
		w.token = token
	}
	close(w.attempted)
	w.attempted = make(chan struct{})
}

func nextRenewal(token *oauth2.Token, err error) time.Duration {
	if err != nil {
		return renewAfter
	}
	if token.Expiry.IsZero() {
		return time.Hour
	}
	left := time.Until(token.Expiry)
	return max(renewAtLeast, min(left*4/5, left-renewAhead), min(left*4/5, left/2))
}

// Token implements oauth2.TokenSource. It waits only while there is no valid token.
func (w *tokenRefresher) Token() (*oauth2.Token, error) {
	w.mu.Lock()
	token, err, attempted, running := w.token, w.err, w.attempted, w.cancel != nil
	w.mu.Unlock()
	switch {
	case token.Valid():
		return token, nil
	case !running:
		return w.exchange()
	case token == nil && err != nil:
		return nil, err
	}
	return w.await(attempted)
}

// renewNow replaces a refused token, and waits for the attempt.
func (w *tokenRefresher) renewNow() {
	w.mu.Lock()
	attempted, running := w.attempted, w.cancel != nil
	w.mu.Unlock()
	if running {
		_, _ = w.await(attempted)
	} else {
		_, _ = w.exchange()
	}
}

// exchange makes an attempt in the caller's goroutine.
func (w *tokenRefresher) exchange() (*oauth2.Token, error) {
	token, err := w.newToken()
	w.publish(token, err)
	return token, err
}

// await requests a renewal and waits until the attempt is over whose end closes attempted.
func (w *tokenRefresher) await(attempted chan struct{}) (*oauth2.Token, error) {
	w.mu.Lock()
	ended := w.ended
	if !w.renewing {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	w.mu.Unlock()
	select {
	case <-attempted:
	case <-ended:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil && !w.token.Valid() {
		return nil, w.err
	}
	return w.token, nil
}
