package database

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

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

// readQuota reads an account and its charges in one statement, which is one moment, and adds it
// to the history. A read without an answer says nothing.
func readQuota(ctx context.Context, f *fixture, h *history, teacher int64) error {
	var got quotaRead
	call := h.now()
	err := f.store.Rows(ctx, "test: account", 10*time.Second, `
		SELECT q.used_bytes, q.recordings_count, COALESCE(c.recording_id, 0), COALESCE(c.state, ''), COALESCE(c.bytes, 0), COALESCE(c.reserved, 0)
		FROM public.schedule_teacherstoragequota q LEFT JOIN lectern.lectern_quota_charges c ON c.teacher_id = q.teacher_id
		WHERE q.teacher_id = $1`, []any{teacher}, func(scan func(...any) error) error {
		var (
			recording int64
			state     string
			s         slotState
		)
		if err := scan(&got.used, &got.recordings, &recording, &state, &s.bytes, &s.reserved); err != nil || recording == 0 {
			return err
		}
		if s.charged = state == "charged"; !s.charged {
			s.bytes = 0
		}
		got.reserved += s.reserved
		got.charges[(recording-firstCharged)%slots] = s
		return nil
	})
	if err == nil {
		h.add(call, h.now(), quotaOp{node: direct, teacher: teacher, what: "read"}, got)
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

// checkQuotas is check for quotas of total bytes. An account whose answers have no order may take
// longer to search than anyone waits, since each operation of unknown outcome doubles what
// there is to search. What one moment and one recording show is therefore looked for first: what
// a read saw must be the sum of its charges, and each recording's charge must have an order of
// its own.
func checkQuotas(h *history, total int64) (broken []string, undecided int) {
	charges, found := map[string][]porcupine.Operation{}, map[string]bool{}
	parts := h.parts()
	for teacher, ops := range parts {
		for _, op := range ops {
			o := op.Input.(quotaOp)
			key := func(slot int) string { return fmt.Sprintf("%s, recording %d", teacher, slot) }
			if o.what != "read" {
				charges[key(o.slot)] = append(charges[key(o.slot)], op)
				continue
			}
			got := op.Output.(quotaRead)
			if got.charges.account() != got.quotaAccount && !found[teacher] {
				broken, found[teacher] = append(broken, fmt.Sprintf("%s: an account that is not the sum of its charges:\n%s", teacher, describe([]porcupine.Operation{op}))), true
			}
			for slot, s := range got.charges {
				op.Output = s
				charges[key(slot)] = append(charges[key(slot)], op)
			}
		}
	}
	more, undecided := checkParts(charges, chargeModel())
	for teacher := range parts {
		of := func(text string) bool { return strings.HasPrefix(text, teacher+", ") }
		if found[teacher] || slices.ContainsFunc(more, of) {
			delete(parts, teacher)
		}
	}
	whole, open := checkParts(parts, quotaModel(total))
	return slices.Concat(broken, more, whole), undecided + open
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
	sum := &tally{what: "quota", check: func(h *history) ([]string, int) { return checkQuotas(h, quotaTotal) }}
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

// TestCheckQuotas: what is wrong is found and decided among operations of unknown outcome that
// no search of the whole account gets through.
func TestCheckQuotas(t *testing.T) {
	op := func(what string, slot int, size int64) quotaOp {
		return quotaOp{node: 0, teacher: 1, what: what, slot: slot, size: size}
	}
	read := func(charged ...int64) (r quotaRead) {
		for slot, bytes := range charged {
			r.charges[slot] = slotState{charged: true, bytes: bytes}
		}
		r.quotaAccount = r.charges.account()
		return r
	}
	doubled := read(6)
	doubled.used = 12
	type step struct {
		op     quotaOp
		answer any
	}
	for _, c := range []struct {
		name  string
		steps []step // one after the other
		want  bool
	}{
		{"a charge", []step{{op("commit", 0, 6), yes}, {op("read", 0, 0), read(6)}, {op("commit", 0, 6), yes}, {op("read", 0, 0), read(6)}}, true},
		{"a charge that was lost and is made again", []step{{op("commit", 0, 6), yes}, {op("read", 0, 0), read()}, {op("commit", 0, 6), yes}, {op("read", 0, 0), read(6)}}, false},
		{"a charge that is added twice", []step{{op("commit", 0, 6), yes}, {op("read", 0, 0), doubled}}, false},
		{"a refund that is undone", []step{{op("commit", 0, 6), yes}, {op("refund", 0, 6), yes}, {op("read", 0, 0), read(6)}}, false},
	} {
		h := newHistory()
		for i := range 24 {
			h.add(0, 1, op("reserve", 1+i%4, int64(i+1)), unknown)
		}
		for i, s := range c.steps {
			h.add(int64(2*i+2), int64(2*i+3), s.op, s.answer)
		}
		broken, undecided := checkQuotas(h, 1000)
		if len(broken) == 0 != c.want || undecided != 0 {
			t.Errorf("%s: broken %q, %d undecided", c.name, broken, undecided)
		}
	}
	h := newHistory()
	h.add(0, 9, op("reserve", 0, 6), yes)
	h.add(0, 9, op("reserve", 1, 6), yes)
	if broken, _ := checkQuotas(h, 10); len(broken) != 1 {
		t.Errorf("two that reserve the same room: broken %q", broken)
	}
}
