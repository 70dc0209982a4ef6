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
	ops []porcupine.Operation // guarded by mu
}

func newHistory() *history { return &history{began: time.Now()} }

// now is the time as the history has it: nanoseconds since its beginning, monotonic.
func (h *history) now() int64 { return int64(time.Since(h.began)) }

// add adds an operation. One of unknown outcome never returns.
func (h *history) add(call, end int64, input any, output any) {
	if output == unknown {
		end = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{Input: input, Output: output, Call: call, Return: end})
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
		f(&h.ops[i])
	}
}

// counted says how many operations there are, and how many of them have an unknown outcome.
func (h *history) counted() (all, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops {
		if op.Return == math.MaxInt64 {
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

// keyed is an input of an operation on one of several independent objects.
type keyed interface{ key() string }

// parts are the histories of the objects, by their keys.
func (h *history) parts() map[string][]porcupine.Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string][]porcupine.Operation{}
	for _, op := range h.ops {
		key := op.Input.(keyed).key()
		op.ClientId = len(out[key])
		out[key] = append(out[key], op)
	}
	return out
}

// checkWithin bounds the check of one object: the search is exponential in the operations of
// unknown outcome.
const checkWithin = 20 * time.Second

// check looks for an order of each object's operations that explains all answers. It returns
// the objects that have none, with their operations, and how many could not be decided in time.
func (h *history) check(model porcupine.Model) (broken []string, undecided int) {
	parts := h.parts()
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

// mustCheck fails the test for each object whose answers have no explanation.
func (h *history) mustCheck(t *testing.T, what string, model porcupine.Model) {
	t.Helper()
	broken, undecided := h.check(model)
	for _, b := range broken[:min(len(broken), 3)] {
		t.Errorf("%s: no order explains %s", what, b)
	}
	if len(broken) > 3 {
		t.Errorf("%s: and %d more", what, len(broken)-3)
	}
	all, open := h.counted()
	t.Logf("%s: %d operations, %d of unknown outcome, %d objects, %d broken, %d undecided", what, all, open, len(h.parts()), len(broken), undecided)
}
