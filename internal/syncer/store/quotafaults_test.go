package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// failingOnce is a context that has ended when one of the statements of a transaction begins,
// and at no other moment: exactly that statement fails.
type failingOnce struct {
	context.Context
	left    int // statements until the one that fails
	ended   bool
	reached bool
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Done is called by goroutines of database/sql, too; only a transaction that begins a statement
// finds the context ended.
func (c *failingOnce) Done() <-chan struct{} {
	var caller [1]uintptr
	runtime.Callers(2, caller[:])
	if frame, _ := runtime.CallersFrames(caller[:]).Next(); !strings.HasSuffix(frame.Function, "(*Tx).grabConn") {
		return nil
	}
	c.left--
	if c.ended = c.left == 0; c.ended {
		c.reached = true
		return closed
	}
	return nil
}

func (c *failingOnce) Err() error {
	var caller [1]uintptr
	runtime.Callers(2, caller[:])
	if frame, _ := runtime.CallersFrames(caller[:]).Next(); strings.HasSuffix(frame.Function, "(*Tx).grabConn") && c.ended {
		return context.Canceled
	}
	return nil
}

// accounts are all accounts and charges, as text.
func accounts(ctx context.Context, x store.Session) (string, error) {
	var out strings.Builder
	err := x.Each(ctx, `SELECT teacher_id, total_quota_bytes, used_bytes, recordings_count, purchased_gb, warning_sent, quota_exceeded FROM public.schedule_teacherstoragequota ORDER BY teacher_id`, nil, func(scan func(...any) error) error {
		var teacher, total, used, recordings, gb int64
		var warned, exceeded bool
		err := scan(&teacher, &total, &used, &recordings, &gb, &warned, &exceeded)
		fmt.Fprintf(&out, "teacher %d: %d of %d, %d recordings, %d GB", teacher, used, total, recordings, gb)
		if warned {
			out.WriteString(", warned")
		}
		if exceeded {
			out.WriteString(", exceeded")
		}
		out.WriteString("\n")
		return err
	})
	if err != nil {
		return "", err
	}
	err = x.Each(ctx, `SELECT recording_id, teacher_id, bytes, reserved, state FROM lectern.lectern_quota_charges ORDER BY recording_id`, nil, func(scan func(...any) error) error {
		var recording, teacher, bytes, reserved int64
		var state string
		err := scan(&recording, &teacher, &bytes, &reserved, &state)
		fmt.Fprintf(&out, "recording %d: %s, %d and %d of teacher %d\n", recording, state, bytes, reserved, teacher)
		return err
	})
	return out.String(), err
}

// quotaCalls are the calls that change or read accounts. Before each, teacher 3 has 500 of
// 1000 bytes and five recordings, recording 1 of 100 bytes is charged, and 50 are reserved for
// recording 2.
var quotaCalls = map[string]struct {
	call func(ctx context.Context, x store.Session, row int64) (any, error)
	want string // what the accounts are afterwards, where it differs
}{
	"load": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		return store.LoadQuota(ctx, x, teacher, now)
	}, before},
	"read": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		return store.ReadQuota(ctx, x, teacher)
	}, before},
	"raise": {func(ctx context.Context, x store.Session, row int64) (any, error) {
		return nil, store.RaiseQuota(ctx, x, row, 100, 2, now)
	}, "teacher 3: 500 of 1100, 5 recordings, 2 GB\n" + charges},
	"reserve": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		ok, q, err := store.Reserve(ctx, x, two, teacher, 70, now)
		return []any{ok, q}, err
	}, "teacher 3: 500 of 1000, 5 recordings, 0 GB\n" + chargeOne + "recording 2: reserved, 0 and 70 of teacher 3\n"},
	"reserve for a later version": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		ok, q, err := store.Reserve(ctx, x, one, teacher, 150, now)
		return []any{ok, q}, err
	}, "teacher 3: 500 of 1000, 5 recordings, 0 GB\nrecording 1: charged, 100 and 50 of teacher 3\n" + reservedTwo},
	"reserve too much": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		ok, q, err := store.Reserve(ctx, x, two, teacher, 501, now)
		return []any{ok, q}, err
	}, before},
	"commit": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		warn, q, err := store.Commit(ctx, x, two, teacher, 300, now)
		return []any{warn, q}, err
	}, "teacher 3: 800 of 1000, 6 recordings, 0 GB, warned\n" + chargeOne + "recording 2: charged, 300 and 0 of teacher 3\n"},
	"commit of a later version": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		warn, q, err := store.Commit(ctx, x, one, teacher, 120, now)
		return []any{warn, q}, err
	}, "teacher 3: 520 of 1000, 5 recordings, 0 GB\nrecording 1: charged, 120 and 0 of teacher 3\n" + reservedTwo},
	"adopt": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		return nil, store.AdoptCharge(ctx, x, two, teacher, 60, now)
	}, "teacher 3: 500 of 1000, 5 recordings, 0 GB\n" + chargeOne + "recording 2: charged, 60 and 0 of teacher 3\n"},
	"adopt what is charged": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		return nil, store.AdoptCharge(ctx, x, one, teacher, 60, now)
	}, before},
	"release": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		return nil, store.Release(ctx, x, two, now)
	}, "teacher 3: 500 of 1000, 5 recordings, 0 GB\n" + chargeOne + "recording 2: released, 0 and 0 of teacher 3\n"},
	"refund": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		return nil, store.Refund(ctx, x, one, 4, 7, now)
	}, "teacher 3: 400 of 1000, 4 recordings, 0 GB\nrecording 1: released, 100 and 0 of teacher 3\n" + reservedTwo},
	"refund of the platform's": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		return nil, store.MarkRefunded(ctx, x, one, now)
	}, "teacher 3: 500 of 1000, 5 recordings, 0 GB\nrecording 1: released, 100 and 0 of teacher 3\n" + reservedTwo},
	"recompute": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		before, after, warn, err := store.RecomputeUsage(ctx, x, teacher, now)
		if err == nil && (before.Used != 500 || !warn) {
			err = fmt.Errorf("before %+v, warned %t", before, warn)
		}
		if err == nil {
			var again bool
			if _, _, again, err = store.RecomputeUsage(context.Background(), x, teacher, now); err == nil && again {
				err = errors.New("warned twice")
			}
		}
		return []any{before, after, warn}, err
	}, "teacher 3: 900 of 1000, 1 recordings, 0 GB, warned\n" + charges},
	"fill": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		return nil, store.FillUsage(ctx, x, now)
	}, "teacher 3: 900 of 1000, 1 recordings, 0 GB\n" + charges},
	"recompute with a charge of another teacher": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		if err := chargeAnother(x); err != nil {
			return nil, err
		}
		_, _, warn, err := store.RecomputeUsage(ctx, x, teacher, now)
		return warn, err
	}, "teacher 3: 900 of 1000, 1 recordings, 0 GB, warned\n" + charges},
	"fill with a charge of another teacher": {func(ctx context.Context, x store.Session, _ int64) (any, error) {
		if err := chargeAnother(x); err != nil {
			return nil, err
		}
		return nil, store.FillUsage(ctx, x, now)
	}, "teacher 3: 900 of 1000, 1 recordings, 0 GB\n" + charges},
	"teachers": {func(ctx context.Context, x store.Session, _ int64) (any, error) { return store.QuotaTeachers(ctx, x) }, before},
}

// chargeAnother makes recording 1 teacher 3's, and its charge another teacher's.
func chargeAnother(x store.Session) error {
	ctx := context.Background()
	if _, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET is_deleted = FALSE, status = 'failed', lesson_id = (SELECT MIN(id) FROM public.schedule_lesson WHERE teacher_id = 3) WHERE id = 1`); err != nil {
		return err
	}
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_quota_charges SET teacher_id = 4 WHERE recording_id = 1`)
	return err
}

const (
	chargeOne   = "recording 1: charged, 100 and 0 of teacher 3\n"
	reservedTwo = "recording 2: reserved, 0 and 50 of teacher 3\n"
	charges     = chargeOne + reservedTwo
	before      = "teacher 3: 500 of 1000, 5 recordings, 0 GB\n" + charges
)

// TestQuotaCalls: what each call leaves, and that a call of which a statement fails says so,
// whichever statement it is.
func TestQuotaCalls(t *testing.T) {
	db := catalogtest.Databases[0].Open(t)
	for name, c := range quotaCalls {
		run := func(ctx context.Context) (said, left string, failed error) {
			err := db.Update(t.Context(), "test", func(x store.Session) error {
				background := t.Context()
				for _, statement := range []string{
					`DELETE FROM lectern.lectern_quota_charges`, `DELETE FROM public.schedule_teacherstoragequota`,
					`UPDATE public.schedule_lessonrecording SET is_deleted = (id <> (SELECT MIN(r.id) FROM public.schedule_lessonrecording r JOIN public.schedule_lesson l ON l.id = r.lesson_id WHERE l.teacher_id = 3 AND r.status = 'ready' AND r.storage_provider <> 'zoom')), file_size = 900`,
				} {
					if _, err := x.Exec(background, statement); err != nil {
						return err
					}
				}
				for _, s := range []step{commit(one, 100), reserve(two, 50)} {
					if _, err := s(background, x); err != nil {
						return err
					}
				}
				if _, err := x.Exec(background, `UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = 1000, used_bytes = 500, recordings_count = 5 WHERE teacher_id = 3`); err != nil {
					return err
				}
				var row int64
				if err := x.One(background, `SELECT id FROM public.schedule_teacherstoragequota WHERE teacher_id = 3`, nil, &row); err != nil {
					return err
				}
				var result any
				if result, failed = c.call(ctx, x, row); failed != nil {
					return catalog.ErrDryRun
				}
				said = fmt.Sprintf("%+v", result)
				var err error
				if left, err = accounts(background, x); err != nil {
					return err
				}
				return catalog.ErrDryRun
			})
			if !errors.Is(err, catalog.ErrDryRun) && err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return said, left, failed
		}
		said, left, err := run(t.Context())
		if err != nil || left != c.want {
			t.Fatalf("%s: %v, leaves\n%s, want\n%s", name, err, left, c.want)
		}
		failures := 0
		for n := 1; ; n++ {
			ctx := &failingOnce{Context: t.Context(), left: n}
			again, then, err := run(ctx)
			if !ctx.reached {
				break
			}
			if err != nil {
				failures++
			} else if again != said || then != left {
				t.Fatalf("%s: statement %d fails, and the call says %s and leaves\n%s", name, n, again, then)
			}
		}
		if failures == 0 {
			t.Errorf("%s: no statement was made to fail", name)
		}
		t.Logf("%s: %s, %d failures", name, said, failures)
	}
}
