package database

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// recovery is how long a node may go on with what it knew after its database can be reached
// again: until its next ping, a second apart, that a look-up's 2.5 seconds may hold up.
const recovery = 4 * time.Second

// accessRun takes access away from users and gives it back while they watch at all nodes.
type accessRun struct {
	f        *fixture
	nodes    []node
	schedule *schedule
	h        *history

	mu      sync.Mutex
	changes []accessChange // guarded by mu
}

// accessChange is one that the database has acknowledged.
type accessChange struct {
	user      int64
	number    int
	call, end int64
}

// statements of changes: to odd users' accounts, and to even users' group.
func (a *accessRun) change(user int64, number int) {
	take := number%2 == 1
	call := a.h.now()
	switch {
	case user%2 == 1:
		a.f.exec(`UPDATE public.accounts_customuser SET is_active = $2 WHERE id = $1`, user, !take)
	case take:
		a.f.exec(`DELETE FROM public.schedule_group_students WHERE customuser_id = $1`, user)
	default:
		a.f.exec(`INSERT INTO public.schedule_group_students (group_id, customuser_id) VALUES (1, $1)`, user)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changes = append(a.changes, accessChange{user, number, call, a.h.now()})
}

// run lasts for a time. Changes of one user are between and twice every apart.
func (a *accessRun) run(t *testing.T, users int, seed uint64, lasts, every time.Duration) {
	t.Helper()
	a.h = newHistory()
	ctx, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	if a.schedule != nil {
		a.schedule.now = a.h.now
		a.schedule.start(ctx, seed)
	}
	var clients sync.WaitGroup
	for u := range users {
		user, random := int64(firstStudent+u), rand.New(rand.NewPCG(seed, uint64(2000+u)))
		clients.Go(func() {
			for number := 1; ; number++ {
				select {
				case <-ctx.Done():
					return
				case <-time.After(every + time.Duration(random.Int64N(int64(every)))):
				}
				a.change(user, number)
			}
		})
		for i, n := range a.nodes {
			clients.Go(func() { a.watch(ctx, i, n, user) })
		}
	}
	clients.Wait()
	if a.schedule != nil {
		a.schedule.wait()
	}
	for _, c := range a.changes {
		for i := range a.nodes {
			end := c.end + int64(staleness)
			if a.schedule != nil && i < len(a.schedule.proxies) {
				end = a.schedule.putOff(i, c.end, staleness, recovery)
			}
			a.h.add(c.call, end, accessOp{node: i, user: c.user, change: c.number}, yes)
		}
	}
}

// watch uses a user's access at a node again and again. Answers without a decision say
// nothing.
func (a *accessRun) watch(ctx context.Context, i int, n node, user int64) {
	for {
		call := a.h.now()
		got := n.watch(ctx, user)
		if end := a.h.now(); got != unknown {
			a.h.add(call, end, accessOp{node: i, user: user}, got)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// TestRevocationLinearizable: a user whose access was taken away is served by no node after
// the staleness that is promised, and once refused not served again; while a node's database
// cannot be reached, that is put off. The last node gets no notifications, as behind a pooler.
func TestRevocationLinearizable(t *testing.T) {
	t.Parallel()
	users, lasts := 4, 4*time.Second
	if *rounds > 0 {
		users, lasts = 10, 40*time.Second
	}
	f := newFixture(t, users)
	faulty := f.proxies[:nodes-1]
	if *rounds > 0 {
		faulty = f.proxies[:]
	}
	sum := &tally{what: "access", model: accessModel()}
	for round := range max(1, *rounds) {
		a := &accessRun{f: f, schedule: &schedule{proxies: faulty, kinds: brief(), pause: lasts / 3, longest: lasts / 30}}
		for i, p := range f.proxies {
			a.nodes = append(a.nodes, newLocalNode(t, p.URL(), staleness, i < nodes-1))
		}
		a.run(t, users, *seed+uint64(round), lasts, 800*time.Millisecond)
		sum.mustCheck(t, a.h, a.schedule)
		if refused := a.h.answers(no); refused == 0 {
			t.Error("nobody was ever refused")
		}
		t.Logf("seed %d: %d changes; %s", *seed+uint64(round), len(a.changes), a.schedule)
		f.exec(`UPDATE public.accounts_customuser SET is_active = TRUE`)
		f.exec(`DELETE FROM public.schedule_group_students`)
		for u := range users {
			f.exec(`INSERT INTO public.schedule_group_students (group_id, customuser_id) VALUES (1, $1)`, int64(firstStudent+u))
		}
	}
	sum.report(t)
}
