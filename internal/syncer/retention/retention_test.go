package retention_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/retention"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

func TestMain(m *testing.M) { syncertest.Main(m) }

// TestRetention: platform-pains A7, B9, B11, F3: expired recordings are removed once,
// their quota released once, their bytes purged after the grace; those the platform
// removed too, without touching the quota. One that fails stops no other.
func TestRetention(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, append(options, syncertest.Configured(func(c *syncer.Config) { c.TrashGrace = 0 }))...)
			for _, file := range []string{"a.mp4", "b.mp4", "c.mp4"} {
				if err := os.WriteFile(filepath.Join(s.Root, file), []byte("bytes"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			past := syncertest.Stamp(time.Now().Add(-time.Minute))
			insert := func(key string, lesson any, teacher any, provider string, deleted bool) {
				s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, teacher_id, status, storage_provider, archive_key, file_size, available_until, is_deleted, deleted_at) VALUES ($1, $2, 'ready', $3, $4, 100, $5, $6, $7)`,
					lesson, teacher, provider, key, past, deleted, map[bool]any{true: past, false: syncertest.Stamp(time.Time{})}[deleted])
			}
			insert("x.mp4", int64(1), syncertest.NullInt64(), "azure", false) // its archive is not syncertest.Configured
			insert("a.mp4", int64(1), syncertest.NullInt64(), "local", false)
			insert("b.mp4", syncertest.NullInt64(), int64(1), "local", false) // standalone: platform-pains F3
			insert("c.mp4", int64(3), syncertest.NullInt64(), "local", true)  // removed by the platform
			for _, teacher := range []int64{1, 2} {
				s.Quota(teacher)
			}
			s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = 1000, recordings_count = 10`)
			ranBefore(s)
			s.Start() // caught up by itself: today's clean-up was missed
			syncertest.Eventually(t, "cleaned up", func() (bool, string) {
				left, _ := filepath.Glob(filepath.Join(s.Root, "*.mp4"))
				return len(left) == 0, fmt.Sprint(left)
			})
			s.Idle()
			for range 2 { // again: nothing more happens
				if _, _, err := s.Syncer.RunPeriodic(t.Context(), "cleanup"); err != nil {
					t.Error(err)
				}
				if _, _, err := s.Syncer.RunPeriodic(t.Context(), "purge"); err != nil {
					t.Error(err)
				}
			}
			if one, two := s.Quota(1), s.Quota(2); one.Used != 700 || one.Recordings != 7 || two.Used != 1000 || two.Recordings != 10 {
				t.Errorf("quotas: %+v, %+v", one, two)
			}
			var removed int64
			s.View(func(ctx context.Context, x store.Session) error {
				return x.One(ctx, `SELECT COUNT(*) FROM public.schedule_lessonrecording WHERE is_deleted = $1`, []any{true}, &removed)
			})
			if removed != 4 {
				t.Errorf("%d rows are removed", removed)
			}
		})
	}
}

// TestPurgeOfALateFile: what a run uploads beside a recording whose bytes have been purged
// meanwhile is purged too.
func TestPurgeOfALateFile(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.TrashGrace = 0 }))
	late := filepath.Join(s.Root, "late.mp4")
	if err := os.WriteFile(late, []byte("bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	past := syncertest.Stamp(time.Now().Add(-time.Hour))
	s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key, is_deleted, deleted_at) VALUES (1, 'deleted', 'local', '', $1, $2)`, true, past)
	row := s.Recordings(1)[0]
	s.Exec(`INSERT INTO lectern.lectern_purges (recording_id, provider, archive_key, purged_at) VALUES ($1, 'local', '', $2)`, row.ID, past)
	s.Exec(`INSERT INTO lectern.lectern_recording_files (recording_id, kind, provider, archive_key, created_at) VALUES ($1, 'part', 'local', 'late.mp4', $2)`, row.ID, past)
	for _, want := range []int{1, 0} {
		summary, failed, err := s.Syncer.RunPeriodic(t.Context(), "purge")
		if got, ok := summary.(retention.Summary); err != nil || failed != 0 || !ok || got.Purged != want {
			t.Errorf("purged: %+v, %d failed, %v", summary, failed, err)
		}
	}
	if _, err := os.Stat(late); !os.IsNotExist(err) {
		t.Errorf("the late file: %v", err)
	}
}

// ranBefore makes the clean-up of two days ago the latest that ran.
func ranBefore(s *syncertest.Server) {
	s.Exec(`INSERT INTO lectern.lectern_runs (kind, started_at, finished_at, outcome, summary) VALUES ('cleanup', $1, $1, 'ok', '{}')`, syncertest.Stamp(time.Now().Add(-48*time.Hour)))
	s.Exec(`INSERT INTO lectern.lectern_runs (kind, started_at, finished_at, outcome, summary) VALUES ('usage', $1, $1, 'ok', '{}')`, syncertest.Stamp(time.Now()))
}

// TestPurgeOfLeftDerivedFiles: what a killed run has left of a derivation that is never made again
// does not stay in the archive; what may be under way does.
func TestPurgeOfLeftDerivedFiles(t *testing.T) {
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...)
			now := time.Now()
			s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key) VALUES (1, 'ready', 'local', 'a.mp4')`)
			recording := s.Recordings(1)[0].ID
			put := func(file string, begun, verified time.Time) {
				if err := os.WriteFile(filepath.Join(s.Root, file), []byte("bytes"), 0o600); err != nil {
					t.Fatal(err)
				}
				s.Exec(`INSERT INTO lectern.lectern_recording_files (recording_id, kind, provider, archive_key, derivation, name, created_at, verified_at) VALUES ($4, 'poster', 'local', $1, 'poster', 'poster.jpg', $2, $3)`,
					file, syncertest.Stamp(begun), syncertest.Stamp(verified), recording)
			}
			put("left.jpg", now.Add(-25*time.Hour), time.Time{})
			put("made.jpg", now.Add(-25*time.Hour), now.Add(-24*time.Hour))
			put("being made.jpg", now.Add(-23*time.Hour), time.Time{})
			for range 2 {
				if _, _, err := s.Syncer.RunPeriodic(t.Context(), "purge"); err != nil {
					t.Fatal(err)
				}
			}
			left, err := filepath.Glob(filepath.Join(s.Root, "*.jpg"))
			if want := []string{filepath.Join(s.Root, "being made.jpg"), filepath.Join(s.Root, "made.jpg")}; err != nil || !slices.Equal(left, want) {
				t.Errorf("the archive has %q, want %q (%v)", left, want, err)
			}
		})
	}
}

// TestUsage: platform-pains F1, F4: what is booked becomes what is stored, charged to
// the lesson's teacher.
func TestUsage(t *testing.T) {
	s := syncertest.New(t)
	s.Exec(`UPDATE public.schedule_lesson SET teacher_id = 2 WHERE id = 1`) // a substitute
	for i, status := range []string{"ready", "archived", "failed", "processing"} {
		s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key, file_size) VALUES (1, $1, 'local', $2, 1000)`, status, fmt.Sprint(i))
	}
	s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, file_size, is_deleted) VALUES (1, 'deleted', 'local', 1000, $1)`, true)
	s.Quota(1)
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = 77, recordings_count = 7`)
	if _, failed, err := s.Syncer.RunPeriodic(t.Context(), "usage"); err != nil || failed != 0 {
		t.Fatal(failed, err)
	}
	if one, two := s.Quota(1), s.Quota(2); one.Used != 0 || one.Recordings != 0 || two.Used != 2000 || two.Recordings != 2 {
		t.Errorf("%+v, %+v", one, two)
	}
}

// TestUsageTakesCharges: once the storage was counted, a recording whose lesson was given to
// another teacher is refunded to that one when it is removed.
func TestUsageTakesCharges(t *testing.T) {
	s := syncertest.New(t)
	s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key, file_size) VALUES (1, 'ready', 'local', 'a.mp4', 1000)`)
	change := func(f func(x store.Session) error) {
		t.Helper()
		if err := s.Store.Update(t.Context(), "test", f); err != nil {
			t.Fatal(err)
		}
	}
	change(func(x store.Session) error {
		_, _, err := store.Commit(t.Context(), x, 1, 1, 1000, time.Now())
		return err
	})
	s.Exec(`UPDATE public.schedule_lesson SET teacher_id = 2 WHERE id = 1`)
	if _, failed, err := s.Syncer.RunPeriodic(t.Context(), "usage"); err != nil || failed != 0 {
		t.Fatal(failed, err)
	}
	s.Exec(`UPDATE public.schedule_lessonrecording SET is_deleted = $1`, true)
	change(func(x store.Session) error { return store.Refund(t.Context(), x, 1, 2, 1000, time.Now()) })
	if one, two := s.Quota(1), s.Quota(2); one.Used != 0 || one.Recordings != 0 || two.Used != 0 || two.Recordings != 0 {
		t.Errorf("%+v, %+v", one, two)
	}
}

// TestMissedUsage: a syncer that starts when the storage was not counted for a period counts
// it, and not a period after its start.
func TestMissedUsage(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.SupervisorEvery = 20 * time.Millisecond }))
	s.Quota(1)
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = 77, recordings_count = 7`)
	for kind, ago := range map[string]time.Duration{"cleanup": time.Second, "usage": 7 * time.Hour} {
		s.Exec(`INSERT INTO lectern.lectern_runs (kind, started_at, finished_at, outcome, summary) VALUES ($1, $2, $2, 'ok', '{}')`, kind, syncertest.Stamp(time.Now().Add(-ago)))
	}
	s.Start()
	syncertest.Eventually(t, "the storage is counted", func() (bool, string) { q := s.Quota(1); return q.Used == 0, fmt.Sprint(q) })
}

// TestManyReserveAtOnce: platform-pains F2: reservations are exact, however many are made at once.
func TestManyReserveAtOnce(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...)
			s.Quota(1)
			s.Exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = 1000`)
			for i := range 20 {
				s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, zoom_recording_id) VALUES (1, 'processing', 'local', $1)`, fmt.Sprint(i))
			}
			granted := make(chan int64, 20)
			for id := range int64(20) {
				go func() {
					ok := false
					err := s.Store.Update(t.Context(), "test", func(x store.Session) (err error) {
						ok, _, err = store.Reserve(t.Context(), x, id+1, 1, 100, time.Now())
						return err
					})
					if err != nil {
						t.Error(err)
					}
					if !ok {
						id = -1
					}
					granted <- id + 1
				}()
			}
			var holders []int64
			for range 20 {
				if id := <-granted; id != 0 {
					holders = append(holders, id)
				}
			}
			if q := s.Quota(1); len(holders) != 10 || q.Reserved != 1000 {
				t.Fatalf("%d of 20 were granted 100 of 1000; %+v", len(holders), q)
			}
			for range 3 { // committing twice counts once
				s.Update(func(ctx context.Context, x store.Session) error {
					_, _, err := store.Commit(ctx, x, holders[0], 1, 150, time.Now())
					return err
				})
			}
			for range 3 {
				s.Update(func(ctx context.Context, x store.Session) error {
					return store.Refund(ctx, x, holders[1], 1, 100, time.Now())
				})
			}
			if q := s.Quota(1); q.Used != 150 || q.Recordings != 1 || q.Reserved != 800 {
				t.Errorf("%+v", q)
			}
			for _, id := range holders {
				s.Update(func(ctx context.Context, x store.Session) error { return store.Release(ctx, x, id, time.Now()) })
			}
			if q := s.Quota(1); q.Used != 150 || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("%+v", q)
			}
		})
	}
}
