package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"riverqueue.com/riverui"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// stateNames are words for job states that people use beside the library's own.
var stateNames = map[string]rivertype.JobState{"failed": rivertype.JobStateCancelled, "waiting": rivertype.JobStateScheduled, "done": rivertype.JobStateCompleted}

// List writes the jobs in a state, newest first, a line per job that begins with its
// id. state "" means all. media.Invalid: there is no such state.
func (q *Queue) List(ctx context.Context, state string, w io.Writer) error {
	params := river.NewJobListParams().First(1000).OrderBy(river.JobListOrderByID, river.SortOrderDesc)
	if state != "" {
		wanted, known := stateNames[state]
		if !known {
			wanted = rivertype.JobState(state)
		}
		if !slices.Contains(rivertype.JobStates(), wanted) {
			return media.Faultf(media.Invalid, "jobs", "%q is not a state: available, cancelled (also failed), completed, discarded, pending, retryable, running, scheduled", state)
		}
		params = params.States(wanted)
	}
	list, err := q.client.JobList(ctx, params)
	if err != nil {
		return catalog.WrapError(ctx, "jobs", err)
	}
	for _, j := range list.Jobs {
		fmt.Fprintf(w, "%d\t%s\t%s\tattempt %d\t%s", j.ID, j.Kind, j.State, j.Attempt, string(shortArgs(j)))
		if j.FinalizedAt == nil && j.ScheduledAt.After(q.now()) {
			fmt.Fprintf(w, "\tnext %s", timestamp(j.ScheduledAt))
		}
		if n := len(j.Errors); n > 0 {
			fmt.Fprintf(w, "\t%s: %s", timestamp(j.Errors[n-1].At), strings.ReplaceAll(j.Errors[n-1].Error, "\n", "; "))
		}
		if output := j.Output(); len(output) > 0 {
			fmt.Fprintf(w, "\t%s", output)
		}
		fmt.Fprintln(w)
	}
	return nil
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// shortArgs are a job's arguments; the texts of alerts are long.
func shortArgs(j *rivertype.JobRow) []byte {
	if len(j.EncodedArgs) > 120 {
		return append(slices.Clone(j.EncodedArgs[:117]), "..."...)
	}
	return j.EncodedArgs
}

// Retry runs a job again, now. Where an unfinished job has the same arguments, that
// one is run now instead: two of them would do the work twice. media.NotFound: there
// is no such job.
func (q *Queue) Retry(ctx context.Context, id int64) error {
	old, err := q.client.JobGet(ctx, id)
	if errors.Is(err, river.ErrNotFound) {
		return media.Faultf(media.NotFound, "retry", "there is no job %d", id)
	}
	if err != nil {
		return catalog.WrapError(ctx, "retry", err)
	}
	if old.FinalizedAt != nil {
		open, err := q.client.JobList(ctx, river.NewJobListParams().Kinds(old.Kind).States(unfinished...).First(10_000))
		if err != nil {
			return catalog.WrapError(ctx, "retry", err)
		}
		for _, duplicate := range open.Jobs {
			if bytes.Equal(duplicate.EncodedArgs, old.EncodedArgs) {
				id = duplicate.ID
			}
		}
	}
	job, err := q.client.JobRetry(ctx, id)
	if err != nil {
		return catalog.WrapError(ctx, "retry", err)
	}
	q.log.Info("queue: job retried", slog.Int64("job", job.ID))
	return nil
}

// Page is the library's own page for operators, to be mounted at prefix. It is called
// before Start.
func (q *Queue) Page(prefix string) (http.Handler, error) {
	handler, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(q.client, nil), Logger: q.log.With(slog.String("component", "jobs page")), Prefix: prefix,
		// A job's arguments may name people.
		JobListHideArgsByDefault: true,
	})
	if err != nil {
		return nil, err
	}
	q.page = handler
	return handler, nil
}

// startPage starts what the page needs behind it; it ends with ctx.
func (q *Queue) startPage(ctx context.Context) {
	for q.page != nil && ctx.Err() == nil {
		if err := q.page.Start(ctx); err == nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(startRetry):
		}
	}
}
