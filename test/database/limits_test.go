package database

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/pgtest/faultproxy"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// limits is the playback limit and the codes of three nodes under faults.
type limits struct {
	f        *fixture
	nodes    []node
	schedule *schedule
	starts   *history
	codes    *history
}

// run has each user ask for twice as many starts as they may have, at random nodes, and each
// code redeemed at all of them at once.
func (l *limits) run(t *testing.T, users int, seed uint64, code func(user int) string) {
	t.Helper()
	l.starts, l.codes = newHistory(), newHistory()
	l.schedule.now = l.starts.now
	ctx, stop := context.WithCancel(t.Context())
	l.schedule.start(ctx, seed)
	var clients sync.WaitGroup
	slots := make(chan struct{}, 16)
	for u := range users {
		user := int64(firstStudent + u)
		random := rand.New(rand.NewPCG(seed, uint64(1000+u)))
		order := random.Perm(2*startsLimit + 2)
		clients.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var own sync.WaitGroup
			for _, i := range order {
				n := l.nodes[i%len(l.nodes)]
				own.Go(func() { l.starts.do(startOp{user: user}, func() answer { return n.start(ctx, user) }) })
				if i%4 == 0 { // two or three at a time
					own.Wait()
				}
			}
			own.Wait()
			text := code(u)
			for _, n := range l.nodes {
				own.Go(func() { l.codes.do(codeOp{text}, func() answer { return n.redeem(ctx, text) }) })
			}
			own.Wait()
			l.codes.do(codeOp{text}, func() answer { return l.nodes[u%len(l.nodes)].redeem(ctx, text) })
		})
	}
	clients.Wait()
	stop()
	l.schedule.wait()
	endConnections(l.f.proxies[:])
	// What was answered while the connections broke is true when they no longer do.
	for u := range users {
		text := code(u)
		l.codes.do(codeOp{text}, func() answer { return l.nodes[u%len(l.nodes)].redeem(t.Context(), text) })
	}
	for u := range users {
		op := startOp{user: int64(firstStudent + u), count: true}
		call := l.starts.now()
		n := l.f.number(`SELECT count(*) FROM lectern.lectern_starts WHERE user_id = $1`, op.user)
		l.starts.add(call, l.starts.now(), op, int(n))
	}
}

// TestLimitsLinearizable: whatever happens to the connections, the playback limit is granted
// exactly, and a code begins one session.
func TestLimitsLinearizable(t *testing.T) {
	f := newFixture(t, 60)
	for round := range max(1, *rounds) {
		l := &limits{f: f, schedule: &schedule{proxies: f.proxies[:], kinds: brief(), pause: 250 * time.Millisecond, longest: 40 * time.Millisecond}}
		users := 20
		if *rounds > 0 {
			users, l.schedule.kinds = 60, faultKinds
			l.schedule.pause, l.schedule.longest = 800*time.Millisecond, 400*time.Millisecond
		}
		for _, p := range f.proxies {
			l.nodes = append(l.nodes, newLocalNode(t, p.URL(), staleness, false))
		}
		l.run(t, users, *seed+uint64(round), func(user int) string { return fmt.Sprintf("code-%d-%d", round, user) })
		l.starts.mustCheck(t, "starts", startsModel(startsLimit))
		l.codes.mustCheck(t, "codes", codesModel())
		t.Logf("seed %d: %s", *seed+uint64(round), l.schedule)
		f.exec(`DELETE FROM lectern.lectern_starts`)
	}
}

// account is a teacher's quota as the syncers work with it.
type account interface {
	reserve(ctx context.Context, recording, teacher, size int64) (ok bool, err error)
	commit(ctx context.Context, recording, teacher, size int64) error
	release(ctx context.Context, recording int64) error
	refund(ctx context.Context, recording, teacher, size int64) error
}

// storeAccount is the account in the database.
type storeAccount struct{ db *catalog.Store }

// transaction is one of the syncer's, with a deadline as its jobs have one.
func (a storeAccount) transaction(ctx context.Context, f func(ctx context.Context, x store.Session) error) error {
	return a.db.UpdateWithin(ctx, "test: quota", 3*time.Second, f)
}

func (a storeAccount) reserve(ctx context.Context, recording, teacher, size int64) (ok bool, err error) {
	err = a.transaction(ctx, func(ctx context.Context, x store.Session) (err error) {
		ok, _, err = store.Reserve(ctx, x, recording, teacher, size, time.Now())
		return err
	})
	return ok, err
}

func (a storeAccount) commit(ctx context.Context, recording, teacher, size int64) error {
	return a.transaction(ctx, func(ctx context.Context, x store.Session) error {
		_, _, err := store.Commit(ctx, x, recording, teacher, size, time.Now())
		return err
	})
}

func (a storeAccount) release(ctx context.Context, recording int64) error {
	return a.transaction(ctx, func(ctx context.Context, x store.Session) error {
		return store.Release(ctx, x, recording, time.Now())
	})
}

func (a storeAccount) refund(ctx context.Context, recording, teacher, size int64) error {
	return a.transaction(ctx, func(ctx context.Context, x store.Session) error {
		return store.Refund(ctx, x, recording, teacher, size, time.Now())
	})
}

const (
	// quotaTotal is the quota of each teacher: room for half of what is wanted.
	quotaTotal = 1000
	// firstCharged is the first of the recordings that are charged.
	firstCharged = 1000
)

// quotaRun has syncers at several nodes archive recordings of one teacher, who has no room for
// all of them.
type quotaRun struct {
	h        *history
	teacher  int64
	accounts []account
	// size is the least of a recording, and spread how many sizes there are.
	size, spread int64
}

// settled repeats a request until its outcome is known, as the syncer's jobs do.
func (q *quotaRun) settled(ctx context.Context, random *rand.Rand, o quotaOp, recording int64) answer {
	for {
		a := q.accounts[random.IntN(len(q.accounts))]
		got := q.h.do(o, func() answer {
			ok, err := true, error(nil)
			switch o.what {
			case "reserve":
				ok, err = a.reserve(ctx, recording, o.teacher, o.size)
			case "commit":
				err = a.commit(ctx, recording, o.teacher, o.size)
			case "release":
				err = a.release(ctx, recording)
			case "refund":
				err = a.refund(ctx, recording, o.teacher, o.size)
			}
			switch {
			case err != nil:
				return unknown
			case ok:
				return yes
			default:
				return no
			}
		})
		if got != unknown || ctx.Err() != nil {
			return got
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// archive is the life of one recording: reserved, charged or given up, made longer, removed.
func (q *quotaRun) archive(ctx context.Context, random *rand.Rand, slot int, recording int64) {
	size := q.size + random.Int64N(q.spread)
	for range 3 {
		op := quotaOp{teacher: q.teacher, slot: slot, size: size}
		op.what = "reserve"
		switch {
		case q.settled(ctx, random, op, recording) == no:
		case random.IntN(4) == 0:
			op.what = "release"
			q.settled(ctx, random, op, recording)
		default:
			// Each twice: jobs run at least once.
			op.what = "commit"
			q.settled(ctx, random, op, recording)
			q.settled(ctx, random, op, recording)
			if random.IntN(3) == 0 {
				op.what = "refund"
				q.settled(ctx, random, op, recording)
				q.settled(ctx, random, op, recording)
			}
		}
		size += random.Int64N(100)
	}
}

// runQuota runs teachers' recordings at all accounts, and reads what is left.
func runQuota(t *testing.T, h *history, teachers []int64, seed uint64, size, spread int64, accounts []account) {
	t.Helper()
	var group sync.WaitGroup
	const slotsUsed = 6
	for n, teacher := range teachers {
		q := &quotaRun{h: h, teacher: teacher, accounts: accounts, size: size, spread: spread}
		for slot := range slotsUsed {
			random := rand.New(rand.NewPCG(seed, uint64(n*slots+slot)))
			recording := firstCharged + int64(n*slots+slot)
			group.Go(func() { q.archive(t.Context(), random, slot, recording) })
		}
	}
	group.Wait()
}

// readQuotas reads the accounts in the end, and removes them.
func readQuotas(f *fixture, h *history, teachers []int64) {
	for _, teacher := range teachers {
		call := h.now()
		a := quotaAccount{
			used:       f.number(`SELECT COALESCE(SUM(used_bytes), 0) FROM public.schedule_teacherstoragequota WHERE teacher_id = $1`, teacher),
			reserved:   f.number(`SELECT CAST(COALESCE(SUM(reserved), 0) AS bigint) FROM lectern.lectern_quota_charges WHERE teacher_id = $1`, teacher),
			recordings: f.number(`SELECT COALESCE(SUM(recordings_count), 0) FROM public.schedule_teacherstoragequota WHERE teacher_id = $1`, teacher),
		}
		h.add(call, h.now(), quotaOp{teacher: teacher, what: "read"}, a)
	}
	f.exec(`DELETE FROM lectern.lectern_quota_charges`)
	f.exec(`DELETE FROM public.schedule_teacherstoragequota`)
}

// giveQuotas gives each teacher their quota.
func giveQuotas(t *testing.T, f *fixture, teachers []int64) {
	t.Helper()
	for _, teacher := range teachers {
		err := f.store.Update(t.Context(), "test", func(x catalog.Session) error {
			_, err := store.LoadQuota(t.Context(), x, teacher, time.Now())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $1`, int64(quotaTotal))
}

// TestQuotaLinearizable: whatever happens to the connections of the syncers, what is reserved
// and charged is never above the quota, and each charge is made and refunded once.
func TestQuotaLinearizable(t *testing.T) {
	f := newFixture(t, 4)
	// Any user is a teacher here: the account is all that counts.
	teachers := []int64{1, 2}
	if *rounds > 0 {
		teachers = []int64{1, 2, 3, 4, 5}
	}
	f.addRecordings(firstCharged, slots*len(teachers))
	for round := range max(1, *rounds) {
		h := newHistory()
		giveQuotas(t, f, teachers)
		var accounts []account
		for _, p := range f.proxies {
			accounts = append(accounts, storeAccount{f.open(p.URL())})
		}
		s := &schedule{proxies: f.proxies[:], kinds: brief(), pause: 250 * time.Millisecond, longest: 40 * time.Millisecond, now: h.now}
		if *rounds > 0 {
			s.kinds, s.pause, s.longest = faultKinds, 800*time.Millisecond, 300*time.Millisecond
		}
		ctx, stop := context.WithCancel(t.Context())
		s.start(ctx, *seed+uint64(round))
		runQuota(t, h, teachers, *seed+uint64(round), 100, 200, accounts)
		stop()
		s.wait()
		endConnections(f.proxies[:])
		readQuotas(f, h, teachers)
		h.mustCheck(t, "quota", quotaModel(quotaTotal))
		t.Logf("seed %d: %s", *seed+uint64(round), s)
	}
}

// endConnections cuts what is left of the connections, so that nothing is under way.
func endConnections(proxies []*faultproxy.Proxy) {
	for _, p := range proxies {
		p.Cut()
	}
}
