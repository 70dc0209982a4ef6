package database

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// The tests of this file hold wrong implementations against the models: the checker has to
// find them, or it would find nothing in the right ones either.

// pairs has two that do the same meet, so that what each has read before is old. Safe for
// concurrent use.
type pairs struct {
	mu      sync.Mutex
	waiting map[string]chan struct{} // guarded by mu
}

// meet returns when another call with the key has come, or after a second.
func (p *pairs) meet(key string) {
	p.mu.Lock()
	if other := p.waiting[key]; other != nil {
		delete(p.waiting, key)
		p.mu.Unlock()
		close(other)
		return
	}
	own := make(chan struct{})
	p.waiting[key] = own
	p.mu.Unlock()
	select {
	case <-own:
	case <-time.After(time.Second):
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.waiting[key] == own {
			delete(p.waiting, key)
		}
	}
}

// countingNode counts the starts that it has granted itself, and forgets the other nodes'.
type countingNode struct {
	node
	mu     sync.Mutex
	counts map[int64]int // by user; guarded by mu
}

func (n *countingNode) start(ctx context.Context, user int64, limit int) answer {
	n.mu.Lock()
	full := n.counts[user] == limit
	if !full {
		n.counts[user]++
	}
	n.mu.Unlock()
	if full {
		return no
	}
	return n.node.start(ctx, user, limit)
}

// readingNode looks whether a code is used, and then uses it.
type readingNode struct {
	node
	f     *fixture
	pairs *pairs
}

func (n readingNode) redeem(ctx context.Context, code string) answer {
	if n.f.number(`SELECT count(*) FROM lectern.lectern_used_codes WHERE id = $1`, code) != 0 {
		return no
	}
	n.pairs.meet(code)
	if n.node.redeem(ctx, code) == unknown {
		return unknown
	}
	return yes
}

// readingAccount reads whether there is room, and reserves in a transaction of its own.
type readingAccount struct {
	storeAccount
	pairs *pairs
}

func (a readingAccount) reserve(ctx context.Context, recording, teacher, size int64) (ok bool, err error) {
	var q store.Quota
	err = a.db.View(ctx, "test", func(x store.Session) (err error) {
		q, err = store.ReadQuota(ctx, x, teacher)
		return err
	})
	if err != nil || q.Used+q.Reserved+size > q.Total {
		return false, err
	}
	a.pairs.meet(fmt.Sprint(teacher))
	err = a.db.Update(ctx, "test", func(x store.Session) error {
		_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_quota_charges (recording_id, teacher_id, bytes, reserved, state, updated_at) VALUES ($1, $2, 0, $3, 'reserved', $4)
			ON CONFLICT (recording_id) DO UPDATE SET reserved = excluded.reserved, state = 'reserved'`, recording, teacher, size, catalog.NewDBTime(time.Now()))
		return err
	})
	return err == nil, err
}

// quiet is a schedule without faults.
func quiet() *schedule { return &schedule{} }

// TestLimitCountedPerProcess: a limit that each gateway counts for itself is found out.
func TestLimitCountedPerProcess(t *testing.T) {
	f := newFixture(t, 4)
	l, met := &limits{f: f, schedule: quiet(), epochs: 1}, &pairs{waiting: map[string]chan struct{}{}}
	for range nodes {
		n := newLocalNode(t, f.direct, staleness, false)
		l.nodes = append(l.nodes, readingNode{&countingNode{node: unlimited{n}, counts: map[int64]int{}}, f, met})
	}
	l.run(t, 4, 1, "code")
	if broken, _ := l.starts.check(startsModel()); len(broken) == 0 {
		t.Error("a limit that is counted per process passes")
	}
	if broken, _ := l.codes.check(codesModel()); len(broken) == 0 {
		t.Error("codes that are looked up before they are used pass")
	}
}

// unlimited grants all starts.
type unlimited struct{ *localNode }

func (n unlimited) start(ctx context.Context, user int64, _ int) answer {
	if _, err := n.starts.CountStart(ctx, user, 1, time.Now(), time.Hour, 0, 0); err != nil {
		return unknown
	}
	return yes
}

// TestRevocationCachedLonger: a node that keeps decisions for longer than it says is found out.
func TestRevocationCachedLonger(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 2)
	a := &accessRun{f: f, nodes: []node{newLocalNode(t, f.direct, time.Minute, false)}}
	for user := range int64(2) { // known before the first change
		a.nodes[0].watch(t.Context(), firstStudent+user)
	}
	a.run(t, 2, 1, 5*time.Second, 800*time.Millisecond)
	if broken, _ := a.h.check(accessModel()); len(broken) == 0 {
		t.Error("decisions that are cached for a minute pass")
	}
}

// TestQuotaReadBefore: a quota that is read before the transaction that reserves is found out.
func TestQuotaReadBefore(t *testing.T) {
	f := newFixture(t, 2)
	h, teachers := newHistory(), []int64{1, 2}
	f.addRecordings(firstCharged, slots*len(teachers))
	giveQuotas(t, f, teachers)
	// Room for one of two.
	const total, size = 300, 200
	f.exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $1`, int64(total))
	met := &pairs{waiting: map[string]chan struct{}{}}
	var accounts []account
	for range nodes {
		accounts = append(accounts, readingAccount{storeAccount{f.open(f.direct)}, met})
	}
	runQuota(t, h, teachers, 1, size, 1, accounts, 0, func() bool { return false })
	if broken, _ := h.check(quotaModel(total)); len(broken) == 0 {
		t.Error("a quota that is read outside the transaction passes")
	}
}
