package database

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// limits is the playback limit and the codes of three nodes under faults.
type limits struct {
	f        *fixture
	nodes    []node
	schedule *schedule
	starts   *history
	codes    *history
	// epochs are the parts of a run, after each of which nothing is under way; each lasts for
	// faults faults.
	epochs, faults int
	// think is the mean time between two bursts of a user.
	think time.Duration
	// wide gives every second user a limit that takes several epochs to reach.
	wide bool
	// used are the codes of each user so far.
	used [][]string
}

// limit is the playback limit of a user.
func (l *limits) limit(user int) int {
	if l.wide && user%2 == 1 {
		return 12 * startsLimit
	}
	return startsLimit
}

// run has each user ask for more starts than they may have, several at a time at random nodes,
// and each code redeemed at all of them at once, again and again.
func (l *limits) run(t *testing.T, users int, seed uint64, name string) {
	t.Helper()
	l.starts, l.codes, l.used = newHistory(), newHistory(), make([][]string, users)
	l.schedule.now = l.starts.now
	for epoch := range l.epochs {
		ctx, stop := context.WithCancel(t.Context())
		l.schedule.start(ctx, seed)
		more := l.schedule.until(l.faults)
		var clients sync.WaitGroup
		for u := range users {
			random := rand.New(rand.NewPCG(seed, uint64(1000*(epoch+1)+u)))
			clients.Go(func() { l.user(ctx, random, u, fmt.Sprintf("%s-%d-%d", name, epoch, u), more) })
		}
		clients.Wait()
		stop()
		l.schedule.wait()
		l.f.quiesce()
		l.starts.settle()
		l.codes.settle()
		var redeeming sync.WaitGroup
		for u := range users {
			redeeming.Go(func() { l.redeemAgain(t.Context(), u) })
		}
		redeeming.Wait()
		for u := range users {
			l.close(u)
		}
	}
}

// user asks and redeems for the time of an epoch, and until the limit was asked for twice. Most
// codes are new: only the first use of one can be lost.
func (l *limits) user(ctx context.Context, random *rand.Rand, u int, name string, more func() bool) {
	user, limit := int64(firstStudent+u), l.limit(u)
	for asked := 0; asked < 2*startsLimit+2 || more(); {
		var burst sync.WaitGroup
		for range 1 + random.IntN(4) {
			i := random.IntN(len(l.nodes))
			burst.Go(func() {
				l.starts.do(startOp{node: i, user: user, limit: limit}, func() answer { return l.nodes[i].start(ctx, user, limit) })
			})
			asked++
		}
		burst.Wait()
		code := fmt.Sprint(name, "-", asked)
		if n := len(l.used[u]); n > 0 && random.IntN(4) == 0 {
			code = l.used[u][random.IntN(n)]
		} else {
			l.used[u] = append(l.used[u], code)
		}
		l.redeem(ctx, code)
		if l.think > 0 {
			time.Sleep(time.Duration((0.5 + random.Float64()) * float64(l.think)))
		}
	}
}

// redeem redeems a code at all nodes at once.
func (l *limits) redeem(ctx context.Context, code string) {
	var all sync.WaitGroup
	for i, n := range l.nodes {
		all.Go(func() { l.codes.do(codeOp{code, i}, func() answer { return n.redeem(ctx, code) }) })
	}
	all.Wait()
}

// redeemAgain redeems each code of a user when nothing is under way: those of earlier epochs
// are used up too.
func (l *limits) redeemAgain(ctx context.Context, u int) {
	for n, code := range l.used[u] {
		i := (u + n) % len(l.nodes)
		for range 50 { // until the node has connections again
			if l.codes.do(codeOp{code, i}, func() answer { return l.nodes[i].redeem(ctx, code) }) != unknown {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// close counts a user's starts when nothing is under way. Those of a user who has reached the
// limit are forgotten, so that they may reach it again.
func (l *limits) close(u int) {
	op := startOp{node: direct, user: int64(firstStudent + u), count: true}
	call := l.starts.now()
	n := int(l.f.number(`SELECT count(*) FROM lectern.lectern_starts WHERE user_id = $1`, op.user))
	l.starts.add(call, l.starts.now(), op, n)
	if n >= l.limit(u) {
		op = startOp{node: direct, user: op.user, forget: true}
		call = l.starts.now()
		l.f.exec(`DELETE FROM lectern.lectern_starts WHERE user_id = $1`, op.user)
		l.starts.add(call, l.starts.now(), op, yes)
	}
}

// TestLimitsLinearizable: whatever happens to the connections, the playback limit is granted
// exactly, and a code begins one session.
func TestLimitsLinearizable(t *testing.T) {
	f := newFixture(t, 24)
	starts, codes := &tally{what: "starts", model: startsModel()}, &tally{what: "codes", model: codesModel()}
	for round := range max(1, *rounds) {
		l := &limits{f: f, epochs: 1, faults: 9, think: 40 * time.Millisecond, wide: true, schedule: &schedule{proxies: f.proxies[:], kinds: brief(), pause: 250 * time.Millisecond, longest: 40 * time.Millisecond}}
		users := 20
		if *rounds > 0 {
			users, l.epochs, l.faults, l.think, l.wide = 24, 8, 6, 250*time.Millisecond, true
			l.schedule.kinds, l.schedule.pause, l.schedule.longest = faultKinds, 800*time.Millisecond, 400*time.Millisecond
		}
		for _, p := range f.proxies {
			l.nodes = append(l.nodes, newLocalNode(t, p.URL(), staleness, false))
		}
		l.run(t, users, *seed+uint64(round), fmt.Sprint("code-", round))
		starts.mustCheck(t, l.starts, l.schedule)
		codes.mustCheck(t, l.codes, l.schedule)
		t.Logf("seed %d: %s", *seed+uint64(round), l.schedule)
		f.exec(`DELETE FROM lectern.lectern_starts`)
	}
	starts.report(t)
	codes.report(t)
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
	// think is the mean time between two operations of a recording.
	think time.Duration
}

// settled repeats a request until its outcome is known, as the syncer's jobs do.
func (q *quotaRun) settled(ctx context.Context, random *rand.Rand, o quotaOp, recording int64) answer {
	for {
		if q.think > 0 {
			time.Sleep(time.Duration((0.5 + random.Float64()) * float64(q.think)))
		}
		o.node = random.IntN(len(q.accounts))
		a := q.accounts[o.node]
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

// atLeastOnce is what a job does: once, or twice. Always twice would hide the loss of the
// first.
func (q *quotaRun) atLeastOnce(ctx context.Context, random *rand.Rand, o quotaOp, recording int64) {
	q.settled(ctx, random, o, recording)
	if random.IntN(2) == 0 {
		q.settled(ctx, random, o, recording)
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
			op.what = "commit"
			q.atLeastOnce(ctx, random, op, recording)
			if random.IntN(3) == 0 {
				op.what = "refund"
				q.atLeastOnce(ctx, random, op, recording)
			}
		}
		size += random.Int64N(100)
	}
}

// runQuota runs teachers' recordings at all accounts, once and as long as there is more.
func runQuota(t *testing.T, h *history, teachers []int64, seed uint64, size, spread int64, accounts []account, think time.Duration, more func() bool) {
	t.Helper()
	var group sync.WaitGroup
	const slotsUsed = 6
	for n, teacher := range teachers {
		q := &quotaRun{h: h, teacher: teacher, accounts: accounts, size: size, spread: spread, think: think}
		for slot := range slotsUsed {
			random := rand.New(rand.NewPCG(seed, uint64(n*slots+slot)))
			recording := firstCharged + int64(n*slots+slot)
			group.Go(func() {
				q.archive(t.Context(), random, slot, recording)
				for more() {
					q.archive(t.Context(), random, slot, recording)
				}
			})
		}
	}
	group.Wait()
}

// readQuota reads an account in one statement, which is one moment, and adds it to the history.
// A read without an answer says nothing.
func readQuota(ctx context.Context, f *fixture, h *history, teacher int64) error {
	var a quotaAccount
	call := h.now()
	err := f.store.Row(ctx, "test: account", `SELECT
			(SELECT COALESCE(SUM(used_bytes), 0)::bigint FROM public.schedule_teacherstoragequota WHERE teacher_id = $1),
			(SELECT COALESCE(SUM(reserved), 0)::bigint FROM lectern.lectern_quota_charges WHERE teacher_id = $1),
			(SELECT COALESCE(SUM(recordings_count), 0)::bigint FROM public.schedule_teacherstoragequota WHERE teacher_id = $1)`,
		[]any{teacher}, &a.used, &a.reserved, &a.recordings)
	if err == nil {
		h.add(call, h.now(), quotaOp{node: direct, teacher: teacher, what: "read"}, a)
	}
	return err
}

// readQuotas reads the accounts when nothing is under way.
func readQuotas(f *fixture, h *history, teachers []int64) {
	f.t.Helper()
	for _, teacher := range teachers {
		if err := readQuota(f.t.Context(), f, h, teacher); err != nil {
			f.t.Fatal(err)
		}
	}
}

// watchQuotas reads the accounts again and again while recordings are archived, until ctx ends:
// what was acknowledged and lost is set again by the recording's next operation, so that a read
// afterwards does not show the loss.
func watchQuotas(ctx context.Context, f *fixture, h *history, teachers []int64, pause time.Duration) {
	var all sync.WaitGroup
	for _, teacher := range teachers {
		all.Go(func() {
			for ctx.Err() == nil {
				_ = readQuota(ctx, f, h, teacher)
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	all.Wait()
}

// giveQuotas gives each teacher their quota, with nothing charged.
func giveQuotas(t *testing.T, f *fixture, teachers []int64) {
	t.Helper()
	f.exec(`DELETE FROM lectern.lectern_quota_charges`)
	f.exec(`DELETE FROM public.schedule_teacherstoragequota`)
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
	sum := &tally{what: "quota", model: quotaModel(quotaTotal)}
	for round := range max(1, *rounds) {
		h := newHistory()
		giveQuotas(t, f, teachers)
		var accounts []account
		for _, p := range f.proxies {
			accounts = append(accounts, storeAccount{f.open(p.URL())})
		}
		epochs, faults, think := 4, 3, 10*time.Millisecond
		s := &schedule{proxies: f.proxies[:], kinds: brief(), pause: 250 * time.Millisecond, longest: 40 * time.Millisecond, now: h.now}
		if *rounds > 0 {
			epochs, faults, think = 8, 6, 100*time.Millisecond
			s.kinds, s.pause, s.longest = faultKinds, 800*time.Millisecond, 300*time.Millisecond
		}
		for epoch := range epochs {
			ctx, stop := context.WithCancel(t.Context())
			s.start(ctx, *seed+uint64(round))
			var watching sync.WaitGroup
			// More often than a recording's operations follow each other.
			watching.Go(func() { watchQuotas(ctx, f, h, teachers, think/4) })
			runQuota(t, h, teachers, (*seed+uint64(round))<<8|uint64(epoch), 100, 200, accounts, think, s.until(faults))
			stop()
			s.wait()
			watching.Wait()
			f.quiesce()
			h.settle()
			readQuotas(f, h, teachers)
		}
		sum.mustCheck(t, h, s)
		t.Logf("seed %d: %d reads; %s", *seed+uint64(round), h.direct(), s)
	}
	sum.report(t)
}
