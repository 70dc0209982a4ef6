package schema

import (
	"context"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// readinessTTL is how long an answer of Ready is used again. Anybody may probe, and each
// answer costs several queries.
const readinessTTL = time.Second

// Readiness is Ready for probes: its answers are cheap, and it knows whether the program
// can do without the database for the time being. It is safe for concurrent use.
type Readiness struct {
	ready  func(context.Context) error
	outage func() time.Duration
	grace  time.Duration
	now    func() time.Time

	mu      sync.Mutex // held while the database is asked, so that one prober asks
	err     error
	checked time.Time // zero: never
	known   bool      // whether an outage was known then
	fitted  bool      // the schema has been seen to fit since the start
	failing time.Time // when the database was first found unavailable; zero: it is not
}

// NewReadiness makes a Readiness for s. outage is how long the database has been known to
// be unavailable, 0 while it answers; grace is how long the program can do without it.
func NewReadiness(s *catalog.Store, outage func() time.Duration, grace time.Duration, now func() time.Time) *Readiness {
	return newReadiness(func(ctx context.Context) error { return Ready(ctx, s) }, outage, grace, now)
}

func newReadiness(ready func(context.Context) error, outage func() time.Duration, grace time.Duration, now func() time.Time) *Readiness {
	return &Readiness{ready: ready, outage: outage, grace: grace, now: now}
}

// Check is Ready, at most a second old. During an outage that is known already it does
// not wait for the database.
func (r *Readiness) Check(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, known := r.now(), r.outage() > 0
	if !r.checked.IsZero() && now.Sub(r.checked) < readinessTTL && known == r.known {
		return r.err
	}
	var err error
	if known && r.fitted {
		err = media.Faultf(media.Unavailable, "schema: ready", "the database has been unavailable for %s", r.outage().Round(time.Second))
	} else {
		err = r.ready(ctx)
	}
	if ctx.Err() != nil && err != nil {
		err = media.Faultf(media.Unavailable, "schema: ready", "the database did not answer in time")
	}
	r.err, r.checked, r.known = err, now, known
	switch {
	case media.KindOf(err) != media.Unavailable || err == nil:
		r.fitted, r.failing = err == nil, time.Time{}
	case r.failing.IsZero():
		r.failing = now
	}
	return err
}

// Bridged reports whether, after an error of Check, the program can still do useful work:
// the schema did fit, the database is unavailable, and not for longer than the grace.
func (r *Readiness) Bridged(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return media.KindOf(err) == media.Unavailable && r.fitted && max(r.outage(), r.now().Sub(r.failing)) <= r.grace
}
