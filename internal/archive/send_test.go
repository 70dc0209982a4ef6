package archive

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// TestSend: a request whose body is not read any more ends after a minute, one that moves
// does not, however long it takes.
func TestSend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := Send(t.Context(), "test", strings.NewReader("body"), func(ctx context.Context, body io.ReadSeekCloser) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if media.KindOf(err) != media.Timeout || time.Since(began) != sendStall {
			t.Errorf("a stuck request: %v after %v", err, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("refused at the end")
		err := Send(t.Context(), "test", strings.NewReader("body"), func(ctx context.Context, body io.ReadSeekCloser) error {
			for range 4 {
				time.Sleep(sendStall - time.Second)
				if _, err := body.Read(make([]byte, 1)); err != nil {
					return err
				}
			}
			return errors.Join(ctx.Err(), failed)
		})
		if !errors.Is(err, failed) || errors.Is(err, context.Canceled) {
			t.Errorf("a slow request: %v", err)
		}
	})
}

// TestRetry: what passes is tried again, not before the service wants it and no more than
// Tries times; the wait ends with the context.
func TestRetry(t *testing.T) {
	t.Parallel()
	busy := &media.Error{Kind: media.Unavailable, Op: "test", RetryAfter: 7 * time.Second, Err: errors.New("busy")}
	retry := Retry{Tries: 3, Before: func(int) time.Duration { return time.Second }}
	synctest.Test(t, func(t *testing.T) {
		tries, began := 0, time.Now()
		err := retry.Do(t.Context(), "test", func() error { tries++; return busy })
		if !errors.Is(err, busy) || tries != 3 || time.Since(began) != 14*time.Second {
			t.Errorf("busy: %v after %d tries in %v", err, tries, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := retry.Do(t.Context(), "test", func() error { tries++; return media.Faultf(media.Denied, "test", "no") })
		if media.KindOf(err) != media.Denied || tries != 1 {
			t.Errorf("denied: %v after %d tries", err, tries)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if err := retry.Do(ctx, "test", func() error { return busy }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the context has ended: %v", err)
		}
	})
}
