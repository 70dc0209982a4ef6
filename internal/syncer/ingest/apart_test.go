package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// withoutFFmpeg makes every copy and every encode fail; probing works.
func withoutFFmpeg(s *syncertest.Server) { s.Deps.Tool = ffmpeg.Tool{FFmpeg: "/bin/false"} }

// mendableFFmpeg is withoutFFmpeg until the function that it returns is called.
func mendableFFmpeg(t *testing.T) (option syncertest.Option, mend func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ffmpeg")
	write := func(script string) {
		if err := os.WriteFile(path+".new", []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write("exit 1")
	return func(s *syncertest.Server) { s.Deps.Tool = ffmpeg.Tool{FFmpeg: path} }, func() { write(`exec ffmpeg "$@"`) }
}

// beside are the parts beside a lesson's recording.
func beside(s *syncertest.Server, lesson int64) (out []store.RecordingFile) {
	i := s.Ingest(lesson)
	s.View(func(ctx context.Context, x store.Session) (err error) {
		out, err = store.RecordingParts(ctx, x, i.RecordingID)
		return err
	})
	return out
}

func bytesAt(t *testing.T, s *syncertest.Server, f store.RecordingFile) []byte {
	t.Helper()
	return s.BytesOf(store.Recording{Provider: f.Provider, ArchiveKey: f.ArchiveKey, DriveFile: f.ArchiveKey})
}

func contentOf(t *testing.T, c emulator.Content) []byte {
	t.Helper()
	b := make([]byte, c.Size())
	if _, err := c.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNoJoinPasses: the longest part is the recording and the other is archived beside it,
// as it is: verified, charged, told, and trashed at Zoom. With another ffmpeg the join
// passes and takes the place of both; what is removed then is purged as a whole.
func TestNoJoinPasses(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"local": nil, "drive": {syncertest.OnDrive}} {
		t.Run(name, func(t *testing.T) {
			noFFmpeg, mend := mendableFFmpeg(t)
			s := syncertest.New(t, append(options, trashing, noFFmpeg)...).Start()
			m := listedMeeting(t, "one-second-of-overlap")
			m.Files[1].Content = syncertest.Encode(t, 5, "libx264")
			s.Zoom.AddMeeting(m)
			s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
			r := s.Archived(1, m.UUID+"/f-2")
			if r.Seconds != 5 || r.ZoomRecordingID != "f-2" {
				t.Errorf("%+v", r)
			}
			s.Idle()
			parts := beside(s, 1)
			if len(parts) != 1 || parts[0].ZoomFile != m.UUID+"/f-1" || !parts[0].Verified() || parts[0].Duration.Round(time.Second) != 2*time.Second || len(parts[0].SHA256) != 64 {
				t.Fatalf("beside it: %+v", parts)
			}
			if !bytes.Equal(bytesAt(t, s, parts[0]), contentOf(t, m.Files[0].Content)) {
				t.Error("the part is not as it was")
			}
			syncertest.Eventually(t, "trashed", func() (bool, string) {
				got := s.Zoom.Stats().Trashed
				return len(got) == 2, fmt.Sprint(got)
			})
			if q := s.Quota(1); q.Used != r.Size+parts[0].Size || q.Recordings != 1 {
				t.Errorf("quota: %+v", q)
			}
			if _, _, err := s.Syncer.RunPeriodic(t.Context(), "usage"); err != nil || s.Quota(1).Used != r.Size+parts[0].Size {
				t.Errorf("recomputed: %+v, %v", s.Quota(1), err)
			}
			history := explained(t, s, m.UUID)
			for _, want := range []string{"reason parts_not_joined", "part 1 ", "to do "} {
				if !strings.Contains(history, want) {
					t.Errorf("not explained: %q in\n%s", want, history)
				}
			}
			syncertest.Eventually(t, "an alert", func() (bool, string) {
				got := s.Alerts.Titles()
				return slices.Contains(got, "firing: The parts of a recording could not be joined: parts_not_joined"), fmt.Sprint(got)
			})
			s.Reconcile(reconcile.Summary{Processed: 2}) // nothing is new, nothing an orphan
			s.Idle()
			if n := strings.Count(explained(t, s, m.UUID), "  archived: "); n != 1 {
				t.Errorf("archived %d times", n)
			}

			mend()
			s.Restart()
			s.Reconcile(reconcile.Summary{Processed: 2})
			joined := s.Archived(1, m.UUID+"/f-1", m.UUID+"/f-2")
			if joined.ID != r.ID || joined.Seconds != 7 || len(beside(s, 1)) != 0 {
				t.Errorf("joined: %+v, beside it %+v", joined, beside(s, 1))
			}
			s.Idle()
			if keys := s.Keys(); len(keys) != 1 || keys[0] != joined.Location().Key {
				t.Errorf("archived: %v, the recording is %s", keys, joined.Location().Key)
			}
			if q := s.Quota(1); q.Used != joined.Size || q.Recordings != 1 {
				t.Errorf("quota: %+v", q)
			}
			if history := explained(t, s, m.UUID); strings.Contains(history, "reason parts_not_joined") {
				t.Errorf("still explained:\n%s", history)
			}
		})
	}
}

// TestPartsBesideAreRemovedWithTheRecording: bytes, quota and all, after the grace.
func TestPartsBesideAreRemovedWithTheRecording(t *testing.T) {
	s := syncertest.New(t, trashing, withoutFFmpeg).Start()
	m := listedMeeting(t, "one-second-of-overlap")
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	r := s.Archived(1)
	s.Idle()
	if len(s.Keys()) != 2 {
		t.Fatalf("archived: %v", s.Keys())
	}
	s.Update(func(ctx context.Context, x store.Session) error {
		if _, err := store.RemoveRecording(ctx, x, r.ID, "a test", time.Now().Add(-2*time.Hour)); err != nil {
			return err
		}
		return store.Refund(ctx, x, r.ID, 1, r.Size, time.Now())
	})
	if q := s.Quota(1); q.Used != 0 {
		t.Errorf("quota: %+v", q)
	}
	if _, failed, err := s.Syncer.RunPeriodic(t.Context(), "purge"); err != nil || failed != 0 || len(s.Keys()) != 0 {
		t.Errorf("purged: %v, %d failed, %v", s.Keys(), failed, err)
	}
	s.Reconcile(reconcile.Summary{Processed: 2})
	if r := s.Recordings(1)[0]; !r.Deleted {
		t.Errorf("%+v", r)
	}
}

// TestAPartBesideIsLost: it is archived again while Zoom has it, and the recording plays on.
func TestAPartBesideIsLost(t *testing.T) {
	s := syncertest.New(t, withoutFFmpeg).Start()
	m := listedMeeting(t, "one-second-of-overlap")
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	r := s.Archived(1)
	s.Idle()
	lost := beside(s, 1)
	if len(lost) != 1 {
		t.Fatalf("%+v", lost)
	}
	if err := s.Deps.Target.Remove(t.Context(), lost[0].ArchiveKey); err != nil {
		t.Fatal(err)
	}
	s.Reconcile(reconcile.Summary{Processed: 2})
	syncertest.Eventually(t, "archived again", func() (bool, string) {
		got := beside(s, 1)
		return len(got) == 1 && got[0].Verified() && got[0].ArchiveKey != lost[0].ArchiveKey, fmt.Sprintf("%+v", got)
	})
	s.Archived(1)
	if again := s.Recordings(1)[0]; again.Location() != r.Location() || again.Status != media.StatusReady {
		t.Errorf("%+v became %+v", r, again)
	}
}

// TestAFailingJoinReplacesNothing: the archived recording stays as it is, and the late
// segment is archived beside it.
func TestAFailingJoinReplacesNothing(t *testing.T) {
	s := syncertest.New(t, trashing, withoutFFmpeg).Start()
	m := listedMeeting(t, "one-second-of-overlap")
	late := m.Files[1]
	m.Files = m.Files[:1]
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	before := s.Archived(1)
	content := s.BytesOf(before)
	s.Zoom.AddFile(m.UUID, late)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	syncertest.Eventually(t, "the late segment is archived", func() (bool, string) {
		got := beside(s, 1)
		return len(got) == 1 && got[0].Verified() && s.Ingest(1).Lease == "", fmt.Sprintf("%+v", got)
	})
	s.Idle()
	r := s.Archived(1, m.UUID+"/f-1")
	if !bytes.Equal(s.BytesOf(r), content) || r.Location() != before.Location() {
		t.Error("the archived recording was replaced")
	}
	if !bytes.Equal(bytesAt(t, s, beside(s, 1)[0]), contentOf(t, late.Content)) {
		t.Error("the late segment is not as it was")
	}
	syncertest.Eventually(t, "trashed", func() (bool, string) {
		got := s.Zoom.Stats().Trashed
		return len(got) == 2, fmt.Sprint(got)
	})
}

// TestKilledBeforeAPartBesideIsPublished: a run that ended between the upload of a part
// beside the recording and its publication is continued: the part is charged, and Zoom's
// copy counts as archived.
func TestKilledBeforeAPartBesideIsPublished(t *testing.T) {
	s := syncertest.New(t, withoutFFmpeg).Start()
	m := listedMeeting(t, "one-second-of-overlap")
	late := m.Files[1]
	m.Files = m.Files[:1]
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	r := s.Archived(1)
	s.Zoom.AddFile(m.UUID, late)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	published := func() (parts []store.RecordingFile, ok bool) {
		parts = beside(s, 1)
		var meeting store.Meeting
		s.View(func(ctx context.Context, x store.Session) (err error) {
			meeting, err = store.LoadMeeting(ctx, x, m.UUID)
			return err
		})
		ok = len(parts) == 1 && !slices.ContainsFunc(meeting.Files, func(f store.File) bool { return f.ArchivedAt.IsZero() })
		return parts, ok && s.Ingest(1).Lease == "" && s.Quota(1).Used == r.Size+parts[0].Size
	}
	finished := func() (bool, string) {
		parts, ok := published()
		return ok, fmt.Sprintf("%+v, %+v", parts, s.Quota(1))
	}
	syncertest.Eventually(t, "the late segment is archived", finished)
	s.Idle()
	before := beside(s, 1)[0]
	s.Exec(`UPDATE lectern.lectern_zoom_files SET archived_at = NULL, archived_size = 0 WHERE file_id = 'f-2'`)
	s.Exec(`UPDATE lectern.lectern_quota_charges SET bytes = $1`, r.Size)
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET used_bytes = $1`, r.Size)
	s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
	syncertest.Eventually(t, "the late segment is published", finished)
	if after := beside(s, 1)[0]; after.ArchiveKey != before.ArchiveKey {
		t.Errorf("%+v was uploaded again: %+v", before, after)
	}
}
