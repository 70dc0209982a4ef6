package origin

import (
	"context"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// hedge makes a second request beside one that is late, as "The Tail at Scale" (Dean and
// Barroso, CACM 56:2) has it: the first to answer is used, the other one is cancelled at
// once. A connection that is stuck then costs a multiple of a usual first byte and not
// the watchdog's deadline.
//
// A request is late when its first byte takes longer than lateFactor times what nearly
// all have taken lately, and a body when nothing more comes for as long. Second requests
// are at most percent of all, and none is made
//
//   - while all slots of s are taken: a second read needs one of its own,
//   - for hedgePause after the origin has refused a request for its quota,
//   - for the read by which the breaker learns whether a quota is back.
//
// So an origin that is slow for everybody is not asked twice as often. The first request
// of a read runs in the slot that its caller holds.
func hedge(next Origin, s slots, percent int, count func(hedgeOutcome)) Origin {
	return &hedger{next: next, slots: s, budget: hedgeBudget{tokens: hedgeStart, share: float64(percent) / 100}, count: count}
}

const (
	// lateFactor times the 95th percentile of recent first bytes is late, and
	// lateFirstByte and lateBody are the least that is. A body's rest is requested again,
	// and often billed again, so its bound is higher.
	lateFactor    = 2
	lateFirstByte = 500 * time.Millisecond
	lateBody      = time.Second
	// hedgePause is how long no second request is made after the origin has refused one
	// for its quota, unless its Retry-After is longer.
	hedgePause = time.Minute
	// hedgeStart is how many second requests may be made before the first requests have
	// earned any, and hedgeMost how many may be saved up.
	hedgeStart = 2
	hedgeMost  = 10
)

// hedgeOutcome is the result of a late request. It is a label of lectern_origin_hedges_total.
type hedgeOutcome string

const (
	hedgeWon     hedgeOutcome = "won"     // the second request answered first
	hedgeLost    hedgeOutcome = "lost"    // the first did after all, or the second failed
	hedgeSkipped hedgeOutcome = "skipped" // no second request was allowed
)

var hedgeOutcomes = []hedgeOutcome{hedgeWon, hedgeLost, hedgeSkipped}

type hedger struct {
	next  Origin
	slots slots
	count func(hedgeOutcome)

	reads, stats firstBytes

	mu     sync.Mutex
	budget hedgeBudget // guarded by mu
	pause  time.Time   // no second requests before; guarded by mu
}

// began counts a first request, which earns a part of a second one.
func (h *hedger) began() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.budget.earn()
}

// allow reports whether a second request may be made now, and takes it from the budget.
func (h *hedger) allow(ctx context.Context) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !isProbe(ctx) && !time.Now().Before(h.pause) && h.budget.take()
}

// failed looks at how a request has failed.
func (h *hedger) failed(err error) {
	asked := media.RetryAfterOf(err)
	if media.KindOf(err) != media.Quota && asked <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := time.Now().Add(max(hedgePause, asked)); until.After(h.pause) {
		h.pause = until
	}
}

// Stat implements Stater. It returns when both requests have ended, of which the one that
// is not used is cancelled.
func (h *hedger) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	h.began()
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan statAnswer, 2)
	request := func(second bool) {
		running.Go(func() {
			obj, err := h.next.Stat(ctx, loc)
			answers <- statAnswer{obj, err, second}
		})
	}
	began := time.Now()
	request(false)
	late := time.NewTimer(h.stats.late(lateFirstByte))
	defer late.Stop()
	var last statAnswer
	select {
	case last = <-answers:
	case <-late.C:
		if !h.allow(ctx) {
			h.count(hedgeSkipped)
			last = <-answers
			break
		}
		request(true)
		if last = <-answers; last.err != nil && media.KindOf(last.err).Passing() {
			last = <-answers
		}
		h.count(last.outcome())
	}
	if last.err != nil {
		h.failed(last.err)
	} else {
		h.stats.add(time.Since(began)) // at least; a first request that was cancelled would have taken longer
	}
	return last.obj, last.err
}

// statAnswer is the end of a first or second request.
type statAnswer struct {
	obj    media.Object
	err    error
	second bool
}

func (a statAnswer) outcome() hedgeOutcome {
	if a.second && a.err == nil {
		return hedgeWon
	}
	return hedgeLost
}

// hedgeBudget is a token bucket: each first request earns share of a second one.
type hedgeBudget struct{ tokens, share float64 }

func (b *hedgeBudget) earn() { b.tokens = min(hedgeMost, b.tokens+b.share) }

func (b *hedgeBudget) take() bool {
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
