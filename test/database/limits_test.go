package database

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
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
