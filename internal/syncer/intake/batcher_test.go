package intake

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/pgtest"
	"github.com/lectiospace/lectern/internal/syncer/queue"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// openBatcher is a batcher whose queue runs no jobs.
func openBatcher(t *testing.T, db *catalogtest.DB) *eventBatcher {
	t.Helper()
	q := queue.New(queue.Config{ID: "test", IngestWorkers: 1, ReconcileEvery: time.Hour, UsageEvery: time.Hour, CleanupAt: "03:00"},
		db.Store, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), time.Now)
	queue.Handle(q, queue.HandlerOptions{}, func(context.Context, *queue.Job[queue.EventArgs]) error { return nil })
	if err := q.Open(); err != nil {
		t.Fatal(err)
	}
	return newEventBatcher(db.Store, q)
}

// pendingEvents are n events that have not been delivered before.
func pendingEvents(n int) []*pendingEvent {
	all := make([]*pendingEvent, n)
	for i := range all {
		all[i] = pendingFor(fmt.Sprintf("event-%02d", i), "")
	}
	return all
}

func pendingFor(identity, token string) *pendingEvent {
	e := store.Event{Identity: identity, Name: zoom.EventCompleted, MeetingUUID: "uuid", Time: 1, ReceivedAt: time.Unix(1_800_000_000, 0), Body: "{}", SealedToken: token, State: store.EventNew}
	return &pendingEvent{event: e, done: make(chan outcome, 1)}
}

// stored are the identities of the stored events in their order, and the events of the
// jobs in theirs.
func stored(t *testing.T, db *catalogtest.DB) (events, jobs []string) {
	t.Helper()
	jobTable := "river_job"
	if db.Path() == "" {
		jobTable = "lectern.river_job"
	}
	read := func(x store.Session, query string, into *[]string) error {
		return x.Each(t.Context(), query, nil, func(scan func(...any) error) error {
			var text string
			err := scan(&text)
			*into = append(*into, text)
			return err
		})
	}
	err := db.View(t.Context(), "test", func(x store.Session) error {
		if err := read(x, `SELECT identity FROM lectern.lectern_zoom_events ORDER BY id`, &events); err != nil {
			return err
		}
		return read(x, `SELECT e.identity FROM `+jobTable+` j JOIN lectern.lectern_zoom_events e ON CAST(j.args ->> 'event_id' AS bigint) = e.id ORDER BY j.id`, &jobs)
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, jobs
}

// TestBatch: what shares a transaction is stored in the order of its arrival, each event
// with its job; what is identical is one event, whether it is known already or comes twice
// in a batch.
func TestBatch(t *testing.T) {
	catalogtest.EachStandalone(t, func(t *testing.T, open func(t testing.TB) *catalogtest.DB) {
		db := open(t)
		b := openBatcher(t, db)
		if _, err := b.insert(t.Context(), []*pendingEvent{pendingFor("known", "")}); err != nil {
			t.Fatal(err)
		}
		ignored := pendingFor("ignored", "")
		ignored.event.State = store.EventIgnored
		got, err := b.insert(t.Context(), []*pendingEvent{
			pendingFor("z", ""), pendingFor("known", ""), ignored, pendingFor("a", ""), pendingFor("z", ""), pendingFor("known", "another token"), pendingFor("m", ""),
		})
		want := []string{resultAccepted, resultDuplicate, resultIgnored, resultAccepted, resultDuplicate, resultDuplicate, resultAccepted}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("results %v, %v, want %v", got, err, want)
		}
		events, jobs := stored(t, db)
		if want := []string{"known", "z", "ignored", "a", "m"}; !slices.Equal(events, want) {
			t.Errorf("events %v, want %v", events, want)
		}
		if want := []string{"known", "z", "a", "known", "m"}; !slices.Equal(jobs, want) {
			t.Errorf("jobs of %v, want of %v", jobs, want)
		}
	})
}

// TestBatchStatements: a batch costs as many statements as an event.
func TestBatchStatements(t *testing.T) {
	statements, through := pgtest.CountStatements(t, catalogtest.Postgres(t).URL)
	b := openBatcher(t, catalogtest.Open(t, through))
	// The queue's library looks at the server's version once.
	if _, err := b.insert(t.Context(), []*pendingEvent{pendingFor("first", "")}); err != nil {
		t.Fatal(err)
	}
	statements.Take()
	if _, err := b.insert(t.Context(), pendingEvents(maxBatch)); err != nil {
		t.Fatal(err)
	}
	// Begin, the events, the jobs, commit, and at times a notification of the queue.
	if n, _ := statements.Take(); n > 5 {
		t.Errorf("%d events were %d statements", maxBatch, n)
	}
}

// TestBatchWithABadEvent: an event that the database refuses does not take those with it
// that share its transaction.
func TestBatchWithABadEvent(t *testing.T) {
	db := catalogtest.Postgres(t)
	b := openBatcher(t, db)
	all := pendingEvents(8)
	all[3].event.Body = "\x00"
	b.commit(t.Context(), all)
	for i, p := range all {
		if o := <-p.done; (o.err != nil) != (i == 3) {
			t.Errorf("event %d: %q, %v", i, o.result, o.err)
		}
	}
	if events, jobs := stored(t, db); len(events) != 7 || len(jobs) != 7 {
		t.Errorf("stored %v with jobs of %v", events, jobs)
	}
}
