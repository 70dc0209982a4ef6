package queue

import (
	"context"
	"database/sql"
	"testing"
	"testing/synctest"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// countingDriver counts the library's own polls, each of which finds a job.
type countingDriver struct {
	riverdriver.Driver[*sql.Tx]
	riverdriver.Executor
	polls int
}

func (d *countingDriver) GetExecutor() riverdriver.Executor { return d }

func (d *countingDriver) JobGetAvailable(context.Context, *riverdriver.JobGetAvailableParams) (*riverdriver.JobGetAvailableResult, error) {
	d.polls++
	return &riverdriver.JobGetAvailableResult{Jobs: []*rivertype.JobRow{{}}}, nil
}

// TestPollsThatWouldFindNothing are left out on SQLite: the library's statement runs only
// for a queue that has an available job.
func TestPollsThatWouldFindNothing(t *testing.T) {
	db := catalogtest.SQLite(t)
	driver := newPacedDriver(db.Store, newPace(time.Nanosecond)) // each poll is due
	counting := &countingDriver{}
	driver.Driver = counting
	polls := driver.GetExecutor()
	poll := func(queue string, want int) {
		t.Helper()
		counting.polls = 0
		result, err := polls.JobGetAvailable(t.Context(), &riverdriver.JobGetAvailableParams{Queue: queue})
		if err != nil || counting.polls != want || len(result.Jobs) != want {
			t.Errorf("queue %s: %d jobs by %d polls of the library, %v; want %d", queue, len(result.Jobs), counting.polls, err, want)
		}
	}
	poll(ingestQueue, 0)
	db.Exec(t, `INSERT INTO lectern.river_job (kind, queue, state, args, max_attempts) VALUES ('ingest', $1, 'available', '{}', 1), ('event', $2, 'scheduled', '{}', 1)`, ingestQueue, defaultQueue)
	poll(ingestQueue, 1)
	poll(defaultQueue, 0)
	db.Exec(t, `UPDATE lectern.river_job SET state = 'running'`)
	poll(ingestQueue, 0)

	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := polls.JobGetAvailable(t.Context(), &riverdriver.JobGetAvailableParams{Queue: ingestQueue}); err == nil {
		t.Error("a database that does not answer has no jobs")
	}
}

// silentDriver is a database that never answers.
type silentDriver struct{ countingDriver }

func (d *silentDriver) GetExecutor() riverdriver.Executor { return d }

func (d *silentDriver) JobGetAvailable(ctx context.Context, _ *riverdriver.JobGetAvailableParams) (*riverdriver.JobGetAvailableResult, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestPollsEnd: a poll that is not answered ends, although the library sets it no deadline.
func TestPollsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := pacedDriver{Driver: &silentDriver{}, pace: newPace(time.Second)}.GetExecutor()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if _, err := polls.JobGetAvailable(ctx, &riverdriver.JobGetAvailableParams{Queue: ingestQueue}); err == nil || time.Since(began) > time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// TestLookUpUsesTheIndex: the look-up before a poll reads no rows of other queues or states.
func TestLookUpUsesTheIndex(t *testing.T) {
	db := catalogtest.SQLite(t)
	if found, err := store.JobAvailable(t.Context(), db.Store, ingestQueue); found || err != nil {
		t.Fatalf("%v, %v", found, err)
	}
	plan := db.Plan(t, `SELECT EXISTS (SELECT 1 FROM lectern.river_job WHERE state = 'available' AND queue = $1)`, ingestQueue)
	for _, line := range plan {
		if line == "SEARCH river_job USING COVERING INDEX river_job_prioritized_fetching_index (state=? AND queue=?)" {
			return
		}
	}
	t.Errorf("the plan: %q", plan)
}
