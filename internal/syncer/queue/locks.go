package queue

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// lockPoll is how often LockWithin tries.
const lockPoll = 5 * time.Millisecond

// LockWithin takes and releases a lock. It returns an error when the lock cannot be
// taken before ctx ends; no goroutine is left behind.
func LockWithin(ctx context.Context, mu *sync.Mutex, name string) error {
	for !mu.TryLock() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the lock of the %s cannot be taken: %w", name, ctx.Err())
		case <-time.After(lockPoll):
		}
	}
	mu.Unlock()
	return nil
}
