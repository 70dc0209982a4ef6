package queue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// TestAtOnce: of a kind with a bound no more jobs work at a time; those that wait end with
// their context.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		working, end := make(chan int64, 8), make(chan struct{})
		w := newWorker(&Queue{}, HandlerOptions{AtOnce: 2}, func(_ context.Context, job *Job[EventArgs]) error {
			working <- job.Args.EventID
			<-end
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 8)
		for i := range 4 {
			go func() {
				results <- w.Work(ctx, &river.Job[EventArgs]{JobRow: &rivertype.JobRow{}, Args: EventArgs{EventID: int64(i)}})
			}()
		}
		synctest.Wait()
		if n := len(working); n != 2 {
			t.Errorf("%d work at a time, want 2", n)
		}
		end <- struct{}{}
		synctest.Wait()
		if n := len(working); n != 3 {
			t.Errorf("%d have begun once one has ended, want 3", n)
		}
		cancel()
		synctest.Wait()
		close(end)
		synctest.Wait()
		canceled := 0
		for range 4 {
			if errors.Is(<-results, context.Canceled) {
				canceled++
			}
		}
		if canceled != 1 || len(working) != 3 {
			t.Errorf("%d were cancelled while they waited, %d have begun; want 1 and 3", canceled, len(working))
		}
	})
}
