package drive

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// How a token is kept warm: renewed when four fifths of its life, or all but
// five minutes, are over; after a failure again soon, but not at once.
const (
	renewAhead   = 5 * time.Minute
	renewAfter   = 15 * time.Second
	renewAtLeast = time.Second
)

// warmTokens gives out a token that one goroutine renews ahead of its end, so
// that no viewer waits for the exchange. Safe for concurrent use.
type tokenRefresher struct {
	source oauth2.TokenSource // makes a new token at each call, or nearly
	log    *slog.Logger
	cancel context.CancelFunc
	ended  chan struct{}
	wake   chan struct{} // asks for a renewal now

	mu         sync.Mutex
	refreshing bool          // an attempt is under way; guarded by mu
	token      *oauth2.Token // guarded by mu
	err        error         // why there is none; guarded by mu
	attempted  chan struct{} // closed when an attempt has ended; guarded by mu
}

func newTokenRefresher(source oauth2.TokenSource, log *slog.Logger) *tokenRefresher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &tokenRefresher{source: source, log: log, cancel: cancel, ended: make(chan struct{}), wake: make(chan struct{}, 1), attempted: make(chan struct{}), refreshing: true}
	go w.run(ctx)
	return w
}

// keep renews until ctx ends.
func (w *tokenRefresher) run(ctx context.Context) {
	defer close(w.ended)
	failing := false
	for {
		token, err := w.source.Token()
		if (err != nil) != failing {
			failing = err != nil
			if failing {
				w.log.Warn("Drive's access token cannot be renewed", slog.String("error", fault("drive: token", err).Error()))
			} else {
				w.log.Info("Drive's access token is renewed again")
			}
		}
		w.publish(token, err)
		timer := time.NewTimer(nextRenewal(token, err))
		select {
		case <-ctx.Done():
			timer.Stop()
			w.publish(nil, errors.New("the origin is closed"))
			return
		case <-w.wake:
			timer.Stop()
		case <-timer.C:
		}
		w.mu.Lock()
		w.refreshing = true
		w.mu.Unlock()
	}
}

// settle publishes an attempt's end; a failure keeps the token that still holds.
func (w *tokenRefresher) publish(token *oauth2.Token, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err, w.refreshing = err, false
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

// Token implements oauth2.TokenSource. It waits only while there is no token at all.
func (w *tokenRefresher) Token() (*oauth2.Token, error) {
	w.mu.Lock()
	token, err, fresh := w.token, w.err, w.attempted
	w.mu.Unlock()
	if token.Valid() {
		return token, nil
	}
	if token == nil && err != nil {
		return nil, err
	}
	return w.await(fresh)
}

// renewNow makes a refused token be replaced, and waits for it.
func (w *tokenRefresher) renewNow() {
	w.mu.Lock()
	fresh := w.attempted
	w.mu.Unlock()
	_, _ = w.await(fresh)
}

// await asks for a renewal and waits for the attempt that fresh announces.
func (w *tokenRefresher) await(fresh chan struct{}) (*oauth2.Token, error) {
	w.mu.Lock()
	if !w.refreshing {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	w.mu.Unlock()
	select {
	case <-fresh:
	case <-w.ended:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil && !w.token.Valid() {
		return nil, w.err
	}
	return w.token, nil
}

func (w *tokenRefresher) stop() {
	w.cancel()
	<-w.ended
}
