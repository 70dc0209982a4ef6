package retention_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestFirstStart: on a database on which no clean-up has run, nothing that was there is
// removed, purged, charged or changed before the next time of the clean-up: not at the
// first start, not after a quick restart, not by a second syncer. A clean-up that was
// missed after that is caught up.
func TestFirstStart(t *testing.T) {
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s := syncertest.New(t,
		syncertest.Configured(func(c *syncer.Config) {
			c.TrashGrace = 0
			c.CleanupAt = time.Now().UTC().Add(12 * time.Hour).Format("15:04")
			c.SupervisorEvery = 20 * time.Millisecond
		}),
		func(s *syncertest.Server) { s.Deps.Now = now })
	past := syncertest.Stamp(time.Now().Add(-240 * time.Hour))
	for _, file := range []string{"expired.mp4", "removed.mp4", "forgotten.mp4"} {
		if err := os.WriteFile(filepath.Join(s.Root, file), []byte("bytes"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// What a platform's rows look like after some years: expired, removed, never finished, and
	// a quota that is not what is stored.
	for _, row := range []string{
		`(1, 'ready', 'local', 'expired.mp4', 'file-a', 100, $1, $2, $4)`, `(1, 'deleted', 'local', 'removed.mp4', 'file-b', 100, $1, $3, $1)`,
		`(2, 'processing', 'gdrive', '', 'file-c', 0, $4, $2, $4)`, `(3, 'failed', 'gdrive', '', 'file-d', 0, $4, $2, $4)`,
	} {
		s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key, zoom_recording_id, file_size, available_until, is_deleted, deleted_at) VALUES `+row,
			past, false, true, syncertest.Stamp(time.Time{}))
	}
	s.Quota(1)
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = 4711, recordings_count = 9`)
	before := s.Platform()
	files := func() string {
		names, err := filepath.Glob(filepath.Join(s.Root, "*.mp4"))
		return fmt.Sprint(len(names), err)
	}
	unchanged := func(when string) {
		t.Helper()
		s.Idle()
		if after := s.Platform(); after != before {
			t.Errorf("%s: the rows have changed:\n%s\nbefore:\n%s", when, after, before)
		}
		if files() != "3 <nil>" {
			t.Errorf("%s: %s files are left", when, files())
		}
	}
	s.Start()
	supervised(t, s, 1)
	unchanged("first start")
	s.Restart()
	supervised(t, s, 1)
	unchanged("restart")
	second := s.Another()
	if err := second.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	supervised(t, s, 2)
	unchanged("second syncer")
	second.Stop()

	// What is removed from now on goes after its grace, as ever.
	s.Exec(`UPDATE public.schedule_lessonrecording SET is_deleted = $1, deleted_at = $2, storage_provider = 'local', archive_key = 'forgotten.mp4' WHERE zoom_recording_id = 'file-d'`, true, syncertest.Stamp(now()))
	syncertest.Eventually(t, "what was removed since is purged", func() (bool, string) { return files() == "2 <nil>", files() })

	s.Syncer.Stop()
	ahead.Store(int64(13 * time.Hour)) // the first time of the clean-up has passed without a syncer
	s.Restart()
	syncertest.Eventually(t, "a missed clean-up is caught up", func() (bool, string) { return files() == "0 <nil>", files() })
}

// TestCommandCatchesNothingUp: a command that works until its own recordings are archived
// does not do the daily work of a syncer that serves.
func TestCommandCatchesNothingUp(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.TrashGrace, c.SupervisorEvery = 0, 20*time.Millisecond }))
	ranBefore(s)
	s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key, file_size, available_until) VALUES (1, 'ready', 'local', 'a.mp4', 1, $1)`, syncertest.Stamp(time.Now().Add(-time.Hour)))
	before := s.Platform()
	if err := s.Syncer.StartIngests(t.Context()); err != nil {
		t.Fatal(err)
	}
	supervised(t, s, 1)
	s.Idle()
	if after := s.Platform(); after != before {
		t.Errorf("the rows have changed:\n%s", after)
	}
}

// supervised waits until each of so many syncers has ended a round of its supervisor: a
// second heartbeat from now on is of a later round than the first.
func supervised(t *testing.T, s *syncertest.Server, syncers int) {
	t.Helper()
	beats := map[string]map[time.Time]bool{}
	syncertest.Eventually(t, "supervised", func() (bool, string) {
		s.View(func(ctx context.Context, x store.Session) error {
			all, err := store.Syncers(ctx, x)
			for _, one := range all {
				if beats[one.ID] == nil {
					beats[one.ID] = map[time.Time]bool{}
				}
				beats[one.ID][one.BeatAt] = true
			}
			return err
		})
		ended := 0
		for _, seen := range beats {
			if len(seen) > 2 {
				ended++
			}
		}
		return ended >= syncers, fmt.Sprint(beats)
	})
}
