package stream

import (
	"sync"
	"sync/atomic"
)

// admission counts the streams of all users. Safe for concurrent use.
type admission struct {
	limit  int64
	active atomic.Int64
}

func (a *admission) acquire() bool {
	if a.active.Add(1) > a.limit {
		a.active.Add(-1)
		return false
	}
	return true
}

func (a *admission) release() { a.active.Add(-1) }

// userSlots counts the streams of each user. Safe for concurrent use.
type userSlots struct {
	limit int // 0 = none
	mu    sync.Mutex
	inUse map[int64]int // guarded by mu; a user without streams has no entry
}

func newUserSlots(limit int) *userSlots { return &userSlots{limit: limit, inUse: map[int64]int{}} }

func (u *userSlots) acquire(user int64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.limit > 0 && u.inUse[user] >= u.limit {
		return false
	}
	u.inUse[user]++
	return true
}

func (u *userSlots) release(user int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch n := u.inUse[user]; {
	case n > 1:
		u.inUse[user] = n - 1
	case n == 1:
		delete(u.inUse, user)
	default:
		panic("BUG: a stream slot released twice")
	}
}
