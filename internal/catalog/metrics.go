package catalog

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lectiospace/lectern/internal/media"
)

// statements observes the statements of a Store. Safe for concurrent use.
type statements struct {
	seconds prometheus.Histogram
	// downSince is when the database was first found unavailable, in nanoseconds since
	// 1970; 0 while it answers.
	downSince atomic.Int64
}

func newStatements() *statements {
	return &statements{seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "lectern_database_seconds", Help: "Time of one statement, begins and commits included, and the wait for a connection.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
	})}
}

// observe counts a statement that began at a moment and ended with err.
func (s *statements) observe(ctx context.Context, began time.Time, err error) {
	s.seconds.Observe(time.Since(began).Seconds())
	switch {
	case err == nil || errors.Is(err, sql.ErrNoRows):
		s.downSince.Store(0)
	case errors.Is(context.Cause(ctx), errOwnDeadline) || unreachable(err):
		s.downSince.CompareAndSwap(0, began.UnixNano())
	}
}

// unreachable reports whether an error means that the database as a whole does not answer.
// Locks, deadlocks and missing tables concern one statement.
func unreachable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:min(2, len(pg.Code))] {
		case "08", "28", "3D", "53", "58": // see classifyPostgres
			return true
		case "57": // all but a canceled statement
			return pg.Code != "57014"
		}
		return false
	}
	var lite *sqlitedriver.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL:
			return true
		}
		return false
	}
	return isConnectionError(err)
}

// Outage is how long the database has been known to be unavailable from the statements
// of this Store, 0 while it answers.
func (s *Store) Outage() time.Duration {
	since := s.statements.downSince.Load()
	if since == 0 {
		return 0
	}
	return max(1, time.Since(time.Unix(0, since)))
}

// RegisterMetrics adds lectern_database_seconds, of the Store's own statements, and what
// is known of the pool that the job queue uses too: lectern_database_connections and
// lectern_database_waits_total.
func (s *Store) RegisterMetrics(reg prometheus.Registerer) error {
	connections := func(state string, value func(sql.DBStats) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "lectern_database_connections", Help: "Connections to the database that are used and idle, and how many may be used.",
			ConstLabels: prometheus.Labels{"state": state},
		}, func() float64 { return float64(value(s.db.Stats())) })
	}
	waits := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "lectern_database_waits_total", Help: "How often a statement waited for a connection since all were used.",
	}, func() float64 { return float64(s.db.Stats().WaitCount) })
	for _, c := range []prometheus.Collector{
		s.statements.seconds, waits,
		connections("used", func(st sql.DBStats) int { return st.InUse }),
		connections("idle", func(st sql.DBStats) int { return st.Idle }),
		connections("limit", func(st sql.DBStats) int { return st.MaxOpenConnections }),
	} {
		if err := reg.Register(c); err != nil {
			return media.Fault(media.Other, "catalog: register metrics", err)
		}
	}
	return nil
}

// RegisterUp adds lectern_database_up for a program that has no Cache, which registers its
// own. Each scrape calls check, which queries the Store.
func (s *Store) RegisterUp(reg prometheus.Registerer, check func(context.Context) error) error {
	return reg.Register(prometheus.NewGaugeFunc(upOpts, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		if err := check(ctx); err != nil && s.Outage() > 0 {
			return 0
		}
		return 1
	}))
}

// upOpts describe lectern_database_up.
var upOpts = prometheus.GaugeOpts{
	Name: "lectern_database_up", Help: "1 while the database answers, else 0; known from pings and from look-ups.",
}
