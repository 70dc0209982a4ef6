package store

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// Run is one run of a periodic job.
type Run struct {
	ID                int64
	Kind              string
	Started, Finished time.Time // Finished is zero while it runs
	Outcome           string    // RunOK, RunFailed, RunObserved, RunFirstStart
	Summary           string    // JSON, or why it failed
}

// The outcomes of runs.
const (
	RunOK     = "ok"
	RunFailed = "failed"
	// RunObserved is the outcome of a run that ended well and only said what it would do.
	RunObserved = "observed"
	// RunFirstStart is the outcome of a row that stands for no run: a syncer started then
	// on a database on which the job had never run.
	RunFirstStart = "first start"
)

// BeginRun notes that a periodic job begins.
func BeginRun(ctx context.Context, x Session, kind string, now time.Time) (int64, error) {
	var id int64
	err := x.One(ctx, `INSERT INTO lectern.lectern_runs (kind, started_at) VALUES ($1, $2) RETURNING id`, []any{kind, stamp(now)}, &id)
	return id, err
}

// EndRun notes how it ended, and forgets runs older than 90 days.
func EndRun(ctx context.Context, x Session, id int64, outcome, summary string, now time.Time) error {
	if _, err := x.Exec(ctx, `UPDATE lectern.lectern_runs SET finished_at = $2, outcome = $3, summary = $4 WHERE id = $1`, id, stamp(now), outcome, clip(summary, 4000)); err != nil {
		return err
	}
	_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_runs WHERE started_at < $1`, stamp(now.AddDate(0, 0, -90)))
	return err
}

// MarkFirstStart notes that a syncer begins to act on a database on which a periodic job
// has never run, or has only observed.
func MarkFirstStart(ctx context.Context, x Session, kind string, now time.Time) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_runs (kind, started_at, finished_at, outcome, summary) VALUES ($1, $2, $2, $3, '{}')`, kind, stamp(now), RunFirstStart)
	return err
}

// LastRun is the latest run of a kind that ended well, or the zero Run.
func LastRun(ctx context.Context, x Session, kind string) (Run, error) {
	return lastRun(ctx, x, kind, RunOK, RunOK, RunOK)
}

// LastRunOrStart is LastRun, or a run that only observed or the row of MarkFirstStart,
// whichever is the latest.
func LastRunOrStart(ctx context.Context, x Session, kind string) (Run, error) {
	return lastRun(ctx, x, kind, RunOK, RunObserved, RunFirstStart)
}

// lastRun is the latest run of a kind with one of three outcomes.
func lastRun(ctx context.Context, x Session, kind, a, b, c string) (Run, error) {
	var (
		r                 Run
		started, finished catalog.DBTime
	)
	err := x.One(ctx, `SELECT id, kind, started_at, finished_at, outcome, summary FROM lectern.lectern_runs WHERE kind = $1 AND outcome IN ($2, $3, $4) ORDER BY started_at DESC, id DESC LIMIT 1`,
		[]any{kind, a, b, c}, &r.ID, &r.Kind, &started, &finished, &r.Outcome, &r.Summary)
	if catalog.IsNotFound(err) {
		return Run{}, nil
	}
	r.Started, r.Finished = started.Time, finished.Time
	return r, err
}

// SetAlert stores the state of what an alert is about. changed says that it differs
// from the state that was stored; "" is the good state, of which no row is kept.
func SetAlert(ctx context.Context, x Session, key, state, text string, now time.Time) (changed bool, since time.Time, err error) {
	var (
		before string
		at     catalog.DBTime
	)
	err = x.One(ctx, `SELECT state, since FROM lectern.lectern_alerts WHERE key = $1`+x.ForUpdate(), []any{key}, &before, &at)
	if err != nil && !catalog.IsNotFound(err) {
		return false, time.Time{}, err
	}
	if before == state {
		return false, at.Time, nil
	}
	since = now
	if before != "" {
		since = at.Time // it has been bad since then, now in another way; or it ends
	}
	if state == "" {
		_, err = x.Exec(ctx, `DELETE FROM lectern.lectern_alerts WHERE key = $1`, key)
		return true, since, err
	}
	_, err = x.Exec(ctx, `INSERT INTO lectern.lectern_alerts (key, state, since, text) VALUES ($1, $2, $3, $4)
		ON CONFLICT (key) DO UPDATE SET state = excluded.state, text = excluded.text`, key, state, stamp(since), clip(text, 2000))
	return true, since, err
}

// Heartbeat notes that a syncer is alive at BeatAt.
func Heartbeat(ctx context.Context, x Session, s Syncer) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_syncers (id, version, address, started_at, beat_at) VALUES ($1, $2, $3, $4, $4)
		ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at`, s.ID, s.Version, s.Address, stamp(s.BeatAt))
	return err
}

// Deregister removes a syncer from those that are alive.
func Deregister(ctx context.Context, x Session, id string) error {
	_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_syncers WHERE id = $1`, id)
	return err
}

// Syncer is one that was alive at BeatAt.
type Syncer struct {
	ID      string
	Version string // "" of one that does not write it
	Address string // where it receives webhooks; "" of a command
	BeatAt  time.Time
}

// Syncers are all that have not deregistered, by their ids.
func Syncers(ctx context.Context, x Session) ([]Syncer, error) {
	var out []Syncer
	err := x.Each(ctx, `SELECT id, version, address, beat_at FROM lectern.lectern_syncers ORDER BY id`, nil, func(scan func(...any) error) error {
		var (
			s  Syncer
			at catalog.DBTime
		)
		err := scan(&s.ID, &s.Version, &s.Address, &at)
		s.BeatAt = at.Time
		out = append(out, s)
		return err
	})
	return out, err
}
