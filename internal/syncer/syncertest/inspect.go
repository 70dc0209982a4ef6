package syncertest

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Eventually waits for a condition and says what it saw last.
func Eventually(t *testing.T, what string, holds func() (bool, string)) {
	t.Helper()
	const within = 2 * time.Minute
	deadline := time.Now().Add(within)
	for {
		ok, saw := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s; saw %s", what, within, saw)
		}
		time.Sleep(100 * time.Millisecond) // more often, and asking is all the machine does
	}
}

// View runs f in a reading transaction.
func (s *Server) View(f func(ctx context.Context, x store.Session) error) {
	s.t.Helper()
	if err := s.Store.View(s.t.Context(), "test", func(x store.Session) error { return f(s.t.Context(), x) }); err != nil {
		s.t.Fatal(err)
	}
}

// Update runs f in a transaction.
func (s *Server) Update(f func(ctx context.Context, x store.Session) error) {
	s.t.Helper()
	if err := s.Store.Update(s.t.Context(), "test", func(x store.Session) error { return f(s.t.Context(), x) }); err != nil {
		s.t.Fatal(err)
	}
}

// Exec runs a statement as PostgreSQL spells it.
func (s *Server) Exec(statement string, args ...any) {
	s.t.Helper()
	s.Update(func(ctx context.Context, x store.Session) error {
		_, err := x.Exec(ctx, statement, args...)
		return err
	})
}

// Recordings are a lesson's rows.
func (s *Server) Recordings(lesson int64) (out []store.Recording) {
	s.t.Helper()
	s.View(func(ctx context.Context, x store.Session) (err error) {
		out, err = store.RecordingsOfLesson(ctx, x, lesson)
		return err
	})
	return out
}

// Ingest is a lesson's, the zero Ingest when there is none.
func (s *Server) Ingest(lesson int64) (out store.Ingest) {
	s.View(func(ctx context.Context, x store.Session) (err error) {
		out, err = store.IngestOfLesson(ctx, x, lesson)
		if catalog.IsNotFound(err) {
			return nil
		}
		return err
	})
	return out
}

// Quota is a teacher's.
func (s *Server) Quota(teacher int64) (q store.Quota) {
	s.Update(func(ctx context.Context, x store.Session) (err error) {
		q, err = store.LoadQuota(ctx, x, teacher, time.Now())
		return err
	})
	return q
}

// Captions are a recording's, by language, without those that were removed.
func (s *Server) Captions(recording int64) (out []store.Caption) {
	s.t.Helper()
	s.View(func(ctx context.Context, x store.Session) error {
		out = nil
		return x.Each(ctx, `SELECT lang, label, body FROM lectern.lectern_captions WHERE recording_id = $1 ORDER BY lang`, []any{recording}, func(scan func(...any) error) error {
			var c store.Caption
			err := scan(&c.Lang, &c.Label, &c.Body)
			out = append(out, c)
			return err
		})
	})
	return out
}

// Archived waits until a lesson's recording is archived, and returns its row.
func (s *Server) Archived(lesson int64, parts ...string) store.Recording {
	s.t.Helper()
	Eventually(s.t, fmt.Sprintf("lesson %d archived", lesson), func() (bool, string) {
		i := s.Ingest(lesson)
		return i.State() == store.Done && i.Lease == "" && (len(parts) == 0 || strings.Join(i.Parts(), " ") == strings.Join(parts, " ")), fmt.Sprintf("%+v", i)
	})
	rows := s.Recordings(lesson)
	if len(rows) != 1 || rows[0].Status != media.StatusReady {
		s.t.Fatalf("lesson %d has %+v", lesson, rows)
	}
	return rows[0]
}

// BytesOf are the archived bytes of a row.
func (s *Server) BytesOf(r store.Recording) []byte {
	s.t.Helper()
	in, err := s.Deps.Archives[r.Provider].Open(s.t.Context(), r.Location().Key)
	if err != nil {
		s.t.Fatal(err)
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// Keys are the archive's objects.
func (s *Server) Keys() (out []string) {
	s.t.Helper()
	if err := s.Deps.Target.List(s.t.Context(), func(o archive.Stored) error { out = append(out, o.Key); return nil }); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// Stamp is a moment as a statement's argument.
func Stamp(t time.Time) catalog.DBTime { return catalog.NewDBTime(t) }

// NullInt64 is NULL for a bigint.
func NullInt64() sql.NullInt64 { return sql.NullInt64{} }

// Failed waits until a lesson's ingest has failed for a reason.
func (s *Server) Failed(lesson int64, reason string) store.Ingest {
	s.t.Helper()
	Eventually(s.t, fmt.Sprintf("lesson %d failed with %s", lesson, reason), func() (bool, string) {
		i := s.Ingest(lesson)
		return i.State() == store.Failed && i.Reason == reason, fmt.Sprintf("%+v", i)
	})
	return s.Ingest(lesson)
}

// Idle waits until no job waits or runs that is due.
func (s *Server) Idle() {
	s.t.Helper()
	Eventually(s.t, "the queue is empty", func() (bool, string) {
		_, open := s.countJobs(func(kind, _ string) bool { return kind != "reconcile" })
		return open == 0, fmt.Sprint(open, " jobs")
	})
}

// soon is when a scheduled job counts as one that is due: what follows a running job comes a second
// after it.
const soon = 5 * time.Second

// countJobs counts the jobs that match, and those of them that run or are due. The queue goes by the
// machine's clock, whatever Deps.Now says.
func (s *Server) countJobs(match func(kind, state string) bool) (all, open int) {
	s.t.Helper()
	s.View(func(ctx context.Context, x store.Session) error {
		all, open = 0, 0
		return x.Each(ctx, `SELECT kind, CAST(state AS text), scheduled_at FROM lectern.river_job`, nil, func(scan func(...any) error) error {
			var kind, state string
			var at catalog.DBTime
			if err := scan(&kind, &state, &at); err != nil || !match(kind, state) {
				return err
			}
			all++
			switch state {
			case "available", "pending", "retryable", "running":
				open++
			case "scheduled":
				if at.Before(time.Now().Add(soon)) {
					open++
				}
			}
			return nil
		})
	})
	return all, open
}

// Running is how many jobs run.
func (s *Server) Running() int {
	_, n := s.countJobs(func(_, state string) bool { return state == "running" })
	return n
}

// Reconcile runs one reconciliation and compares its summary.
func (s *Server) Reconcile(want reconcile.Summary) reconcile.Report {
	s.t.Helper()
	report, err := s.Syncer.Reconcile(s.t.Context(), reconcile.Scope{})
	if err != nil || report.Summary != want {
		s.t.Errorf("reconciled: %+v, %v; want %+v", report, err, want)
	}
	return report
}

// Log is what the syncer has logged so far.
func (s *Server) Log() string {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return s.log.String()
}

// Delays is what lectern_archive_delay_seconds has observed: how often, and the sum.
func (s *Server) Delays() (n uint64, seconds float64) {
	s.t.Helper()
	families, err := s.Metrics.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "lectern_archive_delay_seconds" {
			h := family.GetMetric()[0].GetHistogram()
			return h.GetSampleCount(), h.GetSampleSum()
		}
	}
	s.t.Fatal("there is no metric lectern_archive_delay_seconds")
	return 0, 0
}
