package drive

import (
	"context"
	"testing"
	"time"
)

// contextUntil is canceled when a condition holds.
func contextUntil(t *testing.T, holds func() bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	go func() {
		for !holds() && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	return ctx, cancel
}
