package database

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// either is both outcomes of an operation of which nobody knows whether it took place.
func either(before any, after []any) []any {
	for _, s := range after {
		if s == before {
			return after
		}
	}
	return append(after, before)
}

// startOp asks for a playback start of a user, counts those that are counted, or forgets them.
type startOp struct {
	node   int
	user   int64
	count  bool
	forget bool // as when an hour has passed
	limit  int  // of a start
}

func (o startOp) key() string { return fmt.Sprint("user ", o.user) }
func (o startOp) at() int     { return o.node }

func (o startOp) String() string {
	switch {
	case o.count:
		return "count"
	case o.forget:
		return "forget"
	default:
		return fmt.Sprintf("start at node %d of at most %d", o.node, o.limit)
	}
}

// startsModel is LIMIT_PLAYBACKS_PER_HOUR over any number of gateways: a start is granted
// exactly while fewer than the limit are counted.
func startsModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{0} },
		Step: func(state, input, output any) []any {
			n, o := state.(int), input.(startOp)
			if o.forget {
				return []any{0}
			}
			if o.count {
				if output.(int) == n {
					return []any{n}
				}
				return nil
			}
			var granted []any
			if n < o.limit {
				granted = []any{n + 1}
			}
			switch output.(answer) {
			case yes:
				return granted
			case no:
				if n >= o.limit {
					return []any{n}
				}
				return nil
			default: // unknown, uncounted
				return either(n, granted)
			}
		},
	}
	return m.ToModel()
}

// codeOp redeems a code.
type codeOp struct {
	code string
	node int
}

func (o codeOp) key() string    { return "code " + o.code }
func (o codeOp) at() int        { return o.node }
func (o codeOp) String() string { return fmt.Sprint("redeem at node ", o.node) }

// codesModel: a code begins one session.
func codesModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{false} },
		Step: func(state, _, output any) []any {
			used := state.(bool)
			switch {
			case output == yes && !used, output == no && used:
				return []any{true}
			case output == unknown:
				return either(used, []any{true})
			default:
				return nil
			}
		},
	}
	return m.ToModel()
}

// accessOp changes a user's access, or uses it at a node. Changes are numbered from 1; an odd
// one takes access away, an even one gives it back.
type accessOp struct {
	node   int
	user   int64
	change int // 0: the user watches
}

func (o accessOp) key() string { return fmt.Sprintf("user %d at node %d", o.user, o.node) }
func (o accessOp) at() int     { return o.node }

func (o accessOp) String() string {
	switch {
	case o.change == 0:
		return "watch"
	case o.change%2 == 1:
		return fmt.Sprintf("take away (%d)", o.change)
	default:
		return fmt.Sprintf("give (%d)", o.change)
	}
}

// accessModel is a user's access at one node: changes take effect there one after the other,
// each between its beginning and the end that the history gives it, which the promised
// staleness has put off.
func accessModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			version, o := state.(int), input.(accessOp)
			if o.change != 0 {
				return o.change == version+1, o.change
			}
			return (output == yes) == (version%2 == 0), version
		},
	}
}

// quotaOp is an operation on what one recording is charged.
type quotaOp struct {
	node    int
	teacher int64
	what    string // reserve, commit, release, refund, read
	slot    int    // the recording, counted from 0
	size    int64
}

func (o quotaOp) key() string { return fmt.Sprint("teacher ", o.teacher) }
func (o quotaOp) at() int     { return o.node }

func (o quotaOp) String() string {
	if o.what == "read" {
		return "read"
	}
	return fmt.Sprintf("%s %d of recording %d at node %d", o.what, o.size, o.slot, o.node)
}

// quotaAccount is what an account says.
type quotaAccount struct{ used, reserved, recordings int64 }

// quotaRead is what is read of an account and its charges, at one moment.
type quotaRead struct {
	quotaAccount
	charges quotaState
}

// slots bounds the recordings of one teacher.
const slots = 8

type slotState struct {
	charged  bool
	reserved int64
	bytes    int64 // charged
}

// apply is a charge after an operation that takes place.
func (s slotState) apply(o quotaOp) slotState {
	switch o.what {
	case "reserve":
		s.reserved = o.size
		if s.charged {
			s.reserved = max(0, o.size-s.bytes)
		}
	case "commit":
		s = slotState{charged: true, bytes: o.size}
	case "release":
		s.reserved = 0
	case "refund":
		s = slotState{}
	}
	return s
}

// chargeModel is one recording's charge, of which a refused reservation says nothing: whether
// there is room the other recordings decide. Its reads give a slotState.
func chargeModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{slotState{}} },
		Step: func(state, input, output any) []any {
			s, o := state.(slotState), input.(quotaOp)
			if o.what == "read" {
				if output.(slotState) == s {
					return []any{s}
				}
				return nil
			}
			switch output.(answer) {
			case yes:
				return []any{s.apply(o)}
			case no:
				return []any{s}
			default:
				return either(s, []any{s.apply(o)})
			}
		},
	}
	return m.ToModel()
}

type quotaState [slots]slotState

func (q quotaState) account() (a quotaAccount) {
	for _, s := range q {
		a.reserved += s.reserved
		if s.charged {
			a.used += s.bytes
			a.recordings++
		}
	}
	return a
}

// quotaModel is a teacher's quota of total bytes: what is accepted is never more.
func quotaModel(total int64) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{quotaState{}} },
		Step: func(state, input, output any) []any {
			q, o := state.(quotaState), input.(quotaOp)
			if o.what == "read" {
				if output.(quotaRead) == (quotaRead{q.account(), q}) {
					return []any{q}
				}
				return nil
			}
			after, ok := q.apply(o, total)
			switch output.(answer) {
			case yes:
				if ok {
					return []any{after}
				}
				return nil
			case no:
				if !ok {
					return []any{q}
				}
				return nil
			default:
				if !ok {
					return []any{q}
				}
				return either(q, []any{after})
			}
		},
	}
	return m.ToModel()
}

// apply is an account after an operation; ok is false when there is no room.
func (q quotaState) apply(o quotaOp, total int64) (after quotaState, ok bool) {
	s := q[o.slot].apply(o)
	if o.what == "reserve" && s.reserved > 0 {
		a := q.account()
		if a.used+a.reserved-q[o.slot].reserved+s.reserved > total {
			return q, false
		}
	}
	q[o.slot] = s
	return q, true
}

// TestModels: the checker finds what each model forbids, and passes what it allows.
func TestModels(t *testing.T) {
	const never = math.MaxInt64
	op := func(call, end int64, input, output any) porcupine.Operation {
		return porcupine.Operation{Call: call, Return: end, Input: input, Output: output}
	}
	start, one, count, forget := startOp{user: 1, limit: 2}, startOp{user: 1, limit: 1}, startOp{user: 1, count: true}, startOp{user: 1, forget: true}
	code := codeOp{code: "a"}
	watch := accessOp{user: 1}
	take, give := accessOp{user: 1, change: 1}, accessOp{user: 1, change: 2}
	quota := func(what string, slot int, size int64) quotaOp { return quotaOp{what: what, slot: slot, size: size} }
	// read is what is read of charges that begin with some.
	read := func(charged ...int64) (r quotaRead) {
		for slot, bytes := range charged {
			r.charges[slot] = slotState{charged: true, bytes: bytes}
		}
		r.quotaAccount = r.charges.account()
		return r
	}
	for _, c := range []struct {
		name  string
		model porcupine.Model
		ops   []porcupine.Operation
		want  bool
	}{
		{"two starts of two", startsModel(), []porcupine.Operation{op(0, 1, start, yes), op(0, 1, start, yes), op(2, 3, start, no)}, true},
		{"three starts of two", startsModel(), []porcupine.Operation{op(0, 9, start, yes), op(0, 9, start, yes), op(0, 9, start, yes)}, false},
		{"refused too early", startsModel(), []porcupine.Operation{op(0, 1, start, yes), op(2, 3, start, no)}, false},
		{"refused because of a lost one", startsModel(), []porcupine.Operation{op(0, 1, start, yes), op(0, never, start, unknown), op(2, 3, start, no), op(4, 5, count, 2)}, true},
		{"an acknowledged start is lost", startsModel(), []porcupine.Operation{op(0, 1, start, yes), op(0, never, start, unknown), op(4, 5, count, 0)}, false},
		{"granted during an outage", startsModel(), []porcupine.Operation{op(0, 1, one, uncounted), op(2, 3, one, yes), op(4, 5, one, uncounted), op(6, 7, count, 1)}, true},
		{"granted above the limit", startsModel(), []porcupine.Operation{op(0, 1, one, uncounted), op(2, 3, one, yes), op(4, 5, one, yes), op(6, 7, count, 1)}, false},
		{"granted again after an hour", startsModel(), []porcupine.Operation{op(0, 1, one, yes), op(2, 3, forget, yes), op(4, 5, one, yes), op(6, 7, one, no), op(8, 9, count, 1)}, true},
		{"refused after an hour", startsModel(), []porcupine.Operation{op(0, 1, one, yes), op(2, 3, forget, yes), op(4, 5, one, no)}, false},
		{"an unknown start that was settled counts later", startsModel(), []porcupine.Operation{op(0, 3, one, unknown), op(4, 5, count, 0), op(6, 7, count, 1)}, false},
		{"a code once", codesModel(), []porcupine.Operation{op(0, 9, code, no), op(0, 9, code, yes)}, true},
		{"a code twice", codesModel(), []porcupine.Operation{op(0, 9, code, yes), op(0, 9, code, yes)}, false},
		{"a code lost on the way", codesModel(), []porcupine.Operation{op(0, never, code, unknown), op(0, 9, code, no)}, true},
		{"a code refused by nobody's use", codesModel(), []porcupine.Operation{op(0, 1, code, no), op(2, 3, code, yes)}, false},
		{"still watching within the bound", accessModel(), []porcupine.Operation{op(0, 10, take, yes), op(5, 6, watch, yes), op(7, 8, watch, no)}, true},
		{"still watching after it", accessModel(), []porcupine.Operation{op(0, 10, take, yes), op(11, 12, watch, yes)}, false},
		{"watching again", accessModel(), []porcupine.Operation{op(0, 10, take, yes), op(1, 2, watch, no), op(3, 4, watch, yes)}, false},
		{"given back", accessModel(), []porcupine.Operation{op(0, 10, take, yes), op(1, 2, watch, no), op(3, 13, give, yes), op(4, 5, watch, yes), op(14, 15, watch, yes)}, true},
		{"not given back", accessModel(), []porcupine.Operation{op(0, 10, take, yes), op(3, 13, give, yes), op(14, 15, watch, no)}, false},
		{"a quota that is full", quotaModel(10), []porcupine.Operation{op(0, 1, quota("reserve", 0, 6), yes), op(2, 3, quota("reserve", 1, 6), no), op(4, 5, quota("commit", 0, 4), yes), op(6, 7, quota("reserve", 1, 6), yes)}, true},
		{"two reserve the same room", quotaModel(10), []porcupine.Operation{op(0, 9, quota("reserve", 0, 6), yes), op(0, 9, quota("reserve", 1, 6), yes)}, false},
		{"a charge that is lost", quotaModel(10), []porcupine.Operation{op(0, 1, quota("commit", 0, 6), yes), op(2, 3, quota("read", 0, 0), read())}, false},
		{"a charge that was lost and is made again", quotaModel(10), []porcupine.Operation{op(0, 1, quota("commit", 0, 6), yes), op(2, 3, quota("read", 0, 0), read()), op(4, 5, quota("commit", 0, 6), yes), op(6, 7, quota("read", 0, 0), read(6))}, false},
		{"a reservation that is lost", quotaModel(10), []porcupine.Operation{op(0, 1, quota("reserve", 0, 6), yes), op(2, 3, quota("read", 0, 0), read()), op(4, 5, quota("commit", 0, 6), yes)}, false},
		{"reads while a charge is made", quotaModel(10), []porcupine.Operation{op(0, 9, quota("commit", 0, 6), yes), op(1, 2, quota("read", 0, 0), read()), op(3, 4, quota("read", 0, 0), read(6))}, true},
		{"a charge that is seen and gone again", quotaModel(10), []porcupine.Operation{op(0, 9, quota("commit", 0, 6), yes), op(1, 2, quota("read", 0, 0), read(6)), op(3, 4, quota("read", 0, 0), read())}, false},
		{"a refund of unknown outcome", quotaModel(10), []porcupine.Operation{op(0, 1, quota("commit", 0, 6), yes), op(2, never, quota("refund", 0, 0), unknown), op(4, 5, quota("read", 0, 0), read()), op(6, 7, quota("reserve", 1, 9), yes)}, true},
		{"a refund twice", quotaModel(10), []porcupine.Operation{op(0, 1, quota("commit", 0, 6), yes), op(0, 1, quota("commit", 1, 3), yes), op(2, 3, quota("refund", 0, 0), yes), op(4, 5, quota("read", 0, 0), quotaRead{quotaAccount{recordings: 1}, read(0, 3).charges})}, false},
	} {
		if got := porcupine.CheckOperationsTimeout(c.model, c.ops, 10*time.Second); (got == porcupine.Ok) != c.want || got == porcupine.Unknown {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
