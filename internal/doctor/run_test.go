package doctor

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestRunLeavesBehindWhatHangs: a check that ignores its context is a failure within 12 s, with
// what it had found, and delays no other; so is one within another, which reports it.
func TestRunLeavesBehindWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hang := func(_ context.Context, r *Report) {
			r.pass(nameCacheDir, "begun")
			<-release
		}
		var r Report
		began := time.Now()
		r.Run(t.Context(),
			Check{nameCacheDir, stuckFiles, hang},
			Check{nameDatabase, fixDatabase, func(ctx context.Context, r *Report) {
				r.together(ctx, Check{nameRole, fixDatabase, hang}, Check{nameSchema, fixDatabase, func(_ context.Context, r *Report) { r.pass(nameSchema, "fits") }})
				r.pass(nameDatabase, "answers")
			}},
			Check{nameArchive, stuckNetwork, func(ctx context.Context, r *Report) {
				<-ctx.Done()
				r.fail(nameArchive, "wait", "%v", ctx.Err())
			}})
		if took := time.Since(began); took != deadline+grace {
			t.Errorf("it took %v", took)
		}
		var got []string
		for _, f := range r.Findings() {
			got = append(got, string(f.Status)+" "+f.Check)
		}
		if want := []string{"PASS cache dir", "FAIL cache dir", "PASS cache dir", "FAIL role", "PASS schema", "PASS database", "FAIL archive"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		close(release)
	})
}
