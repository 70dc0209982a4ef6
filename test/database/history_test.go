package database

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// answer is what a request came to, as far as its client knows.
type answer uint8

const (
	// unknown: the request was not answered, or with 503. It may have had its effect, may yet
	// have it, or never.
	unknown answer = iota
	yes
	no
	// uncounted: a playback that was granted while the database could not be reached, when
	// starts are not counted. It may have been counted all the same.
	uncounted
)

func (a answer) String() string { return []string{"unknown", "yes", "no", "uncounted"}[a] }

// history records requests, for the checker. Safe for concurrent use.
type history struct {
	began time.Time

	mu  sync.Mutex
	ops []record // guarded by mu
}

// record is an operation, and when its client had its answer or gave it up.
type record struct {
	porcupine.Operation
	ended int64
}

func newHistory() *history { return &history{began: time.Now()} }

// now is the time as the history has it: nanoseconds since its beginning, monotonic.
func (h *history) now() int64 { return int64(time.Since(h.began)) }

// add adds an operation. One of unknown outcome never returns, unless settle says by when.
func (h *history) add(call, end int64, input any, output any) {
	returns := end
	if output == unknown {
		returns = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, record{porcupine.Operation{Input: input, Output: output, Call: call, Return: returns}, end})
}

// settle is called when nothing is under way: what has had no effect so far has none any
// more. Without it every operation of unknown outcome would overlap all that follow, and no
// long history could be decided.
func (h *history) settle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	for i := range h.ops {
		h.ops[i].Return = min(h.ops[i].Return, now)
	}
}

// do makes a request and records it.
func (h *history) do(input any, request func() answer) answer {
	call := h.now()
	got := request()
	h.add(call, h.now(), input, got)
	return got
}

// change replaces what operations have come to, with what is known only afterwards.
func (h *history) change(f func(op *porcupine.Operation)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.ops {
		f(&h.ops[i].Operation)
	}
}

// counted says how many operations there are, and how many of them have an unknown outcome.
func (h *history) counted() (all, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops {
		if op.Output == unknown {
			open++
		}
	}
	return len(h.ops), open
}

// answers counts the operations with an answer.
func (h *history) answers(a answer) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops {
		if op.Output == a {
			n++
		}
	}
	return n
}

// direct counts the operations that asked the database itself.
func (h *history) direct() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops {
		if op.Input.(keyed).at() == direct {
			n++
		}
	}
	return n
}

// struck counts the operations that were under way while something was wrong with the
// database of their node.
func (h *history) struck(s *schedule) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops {
		if node := op.Input.(keyed).at(); node >= 0 && node < len(s.proxies) && s.during(node, op.Call, op.ended, 0) {
			n++
		}
	}
	return n
}

// direct is the node of an operation that asks the database itself.
const direct = -1

// keyed is an input of an operation on one of several independent objects, at a node.
type keyed interface {
	key() string
	at() int
}

// parts are the histories of the objects, by their keys.
func (h *history) parts() map[string][]porcupine.Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string][]porcupine.Operation{}
	for _, op := range h.ops {
		key := op.Input.(keyed).key()
		op.ClientId = len(out[key])
		out[key] = append(out[key], op.Operation)
	}
	return out
}

// checkWithin bounds the check of one object: the search is exponential in the operations of
// unknown outcome.
const checkWithin = 20 * time.Second

// check looks for an order of each object's operations that explains all answers. It returns
// the objects that have none, with their operations, and how many could not be decided in time.
func (h *history) check(model porcupine.Model) (broken []string, undecided int) {
	return checkParts(h.parts(), model)
}

// checkParts is check for histories by their keys.
func checkParts(parts map[string][]porcupine.Operation, model porcupine.Model) (broken []string, undecided int) {
	var (
		mu      sync.Mutex
		waiting sync.WaitGroup
		slots   = make(chan struct{}, 2)
	)
	for key, ops := range parts {
		waiting.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			result := porcupine.CheckOperationsTimeout(model, ops, checkWithin)
			mu.Lock()
			defer mu.Unlock()
			switch result {
			case porcupine.Illegal:
				broken = append(broken, key+":\n"+describe(ops))
			case porcupine.Unknown:
				undecided++
			}
		})
	}
	waiting.Wait()
	slices.Sort(broken)
	return broken, undecided
}

// describe lists operations by their beginnings.
func describe(ops []porcupine.Operation) string {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call/1e3 - b.Call/1e3) })
	var b strings.Builder
	for _, op := range ops {
		end := "never"
		if op.Return != math.MaxInt64 {
			end = time.Duration(op.Return).Round(10 * time.Microsecond).String()
		}
		fmt.Fprintf(&b, "\t%v - %s: %v: %v\n", time.Duration(op.Call).Round(10*time.Microsecond), end, op.Input, op.Output)
	}
	return b.String()
}

// tally is what the histories of one model have come to in a campaign's rounds.
type tally struct {
	what  string
	model porcupine.Model
	check func(h *history) (broken []string, undecided int) // nil: the model's

	rounds, faults, fewest            int // fewest: faults of a round
	operations, open, struck, longest int
}

// mustCheck fails the test for each object whose answers have no explanation or could not be
// decided, and for a round without faults, which shows nothing.
func (c *tally) mustCheck(t *testing.T, h *history, s *schedule) {
	t.Helper()
	check := c.check
	if check == nil {
		check = func(h *history) ([]string, int) { return h.check(c.model) }
	}
	broken, undecided := check(h)
	for _, b := range broken[:min(len(broken), 3)] {
		t.Errorf("%s: no order explains %s", c.what, b)
	}
	if len(broken) > 3 {
		t.Errorf("%s: and %d more", c.what, len(broken)-3)
	}
	if undecided > 0 {
		t.Errorf("%s: %d objects could not be decided", c.what, undecided)
	}
	faults := s.injected()
	if faults == 0 {
		t.Errorf("%s: a round without faults", c.what)
	}
	all, open := h.counted()
	longest, parts := 0, h.parts()
	for _, ops := range parts {
		longest = max(longest, len(ops))
	}
	struck := h.struck(s)
	t.Logf("%s: %d operations, %d of unknown outcome, %d during faults; %d faults; %d objects, the longest history has %d; %d broken, %d undecided",
		c.what, all, open, struck, faults, len(parts), longest, len(broken), undecided)
	if c.rounds == 0 || faults < c.fewest {
		c.fewest = faults
	}
	c.rounds++
	c.faults += faults
	c.operations += all
	c.open += open
	c.struck += struck
	c.longest = max(c.longest, longest)
}

// report logs the sums.
func (c *tally) report(t *testing.T) {
	t.Helper()
	t.Logf("%s in all: %d rounds with %d faults, at least %d in each; %d operations, %d of unknown outcome, %d during faults; longest history %d",
		c.what, c.rounds, c.faults, c.fewest, c.operations, c.open, c.struck, c.longest)
}
