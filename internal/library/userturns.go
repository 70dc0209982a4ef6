package library

import (
	"context"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// userTurns admits one transaction of each user at a time. Transactions of one user would
// only wait for each other in the database, and each that waits there occupies one of the
// connections that all users share. The zero value is ready; safe for concurrent use.
type userTurns struct {
	mu     sync.Mutex
	queues map[int64]*userQueue // guarded by mu; users with a transaction or a waiter
}

// userQueue is what a user's transactions wait for.
type userQueue struct {
	turn  chan struct{} // holds a value while no transaction runs
	users int           // transactions that wait or run; guarded by userTurns.mu
}

// wait returns when it is the caller's turn; done ends it and is called exactly once.
// Unavailable: it was not within the limit. Otherwise the error is that of ctx.
func (u *userTurns) wait(ctx context.Context, op string, limit time.Duration, userID int64) (done func(), err error) {
	q := u.join(userID)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-q.turn:
		return func() { q.turn <- struct{}{}; u.leave(userID, q) }, nil
	case <-timer.C:
		err = media.Faultf(media.Unavailable, op, "other requests of the same user took longer than %s", limit)
	case <-ctx.Done():
		err = media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
	}
	u.leave(userID, q)
	return nil, err
}

func (u *userTurns) join(userID int64) *userQueue {
	u.mu.Lock()
	defer u.mu.Unlock()
	q := u.queues[userID]
	if q == nil {
		q = &userQueue{turn: make(chan struct{}, 1)}
		q.turn <- struct{}{}
		if u.queues == nil {
			u.queues = map[int64]*userQueue{}
		}
		u.queues[userID] = q
	}
	q.users++
	return q
}

func (u *userTurns) leave(userID int64, q *userQueue) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(u.queues, userID)
	}
}
