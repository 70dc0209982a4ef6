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
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestARecurringMeeting: platform-pains B4, B5: one meeting id, two weeks: each
// lesson gets its own recording, in whatever order they come.
func TestARecurringMeeting(t *testing.T) {
	s := syncertest.New(t).Start()
	week := 7 * 24 * time.Hour
	s.Exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2 WHERE id = 2`, syncertest.Stamp(syncertest.LessonStart.Add(-week)), syncertest.Stamp(syncertest.LessonStart.Add(-week+time.Hour)))
	s.Record("1", 86412345678, "uuid-new==", syncertest.LessonStart)
	s.Record("1", 86412345678, "uuid-old==", syncertest.LessonStart.Add(-week))
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-new=="))
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-old=="))
	if r := s.Archived(1); r.ZoomRecordingID != "file-uuid-new==" {
		t.Errorf("lesson 1 has %s", r.ZoomRecordingID)
	}
	if r := s.Archived(2); r.ZoomRecordingID != "file-uuid-old==" {
		t.Errorf("lesson 2 has %s", r.ZoomRecordingID)
	}
}

// TestARedelivery: platform-pains B3: a repeated event changes neither a ready
// recording nor who may see it.
func TestARedelivery(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	before := s.Archived(1)
	s.Exec(`UPDATE public.schedule_lessonrecording SET visibility = 'custom_students' WHERE id = $1`, before.ID)
	s.Exec(`DELETE FROM public.schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = $1`, before.ID)
	s.Exec(`INSERT INTO public.schedule_lessonrecording_allowed_students (lessonrecording_id, customuser_id) VALUES ($1, $2)`, before.ID, int64(3))
	// Another event of the same recording, with one file more.
	s.Zoom.AddFile("uuid-1==", zoomemu.File{ID: "chat", Type: "CHAT", View: "chat_file", Start: syncertest.LessonStart, Content: emulator.Bytes([]byte("hello"))})
	if got := s.Deliver(s.Zoom.Event("recording.completed", "uuid-1==")); got != "accepted" {
		t.Fatal(got)
	}
	s.Idle()
	after := s.Recordings(1)
	if len(after) != 1 || after[0].Status != media.StatusReady || after[0].Visibility != media.VisibleCustomStudents || after[0].ArchiveKey != before.ArchiveKey {
		t.Errorf("%+v became %+v", before, after)
	}
	var groups int64
	s.View(func(ctx context.Context, x store.Session) error {
		return x.One(ctx, `SELECT COUNT(*) FROM public.schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = $1`, []any{before.ID}, &groups)
	})
	if groups != 0 {
		t.Error("the lesson's group was let in again")
	}
}

// TestARemovedRecordingStaysRemoved: platform-pains B13.
func TestARemovedRecordingStaysRemoved(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	r := s.Archived(1)
	s.Exec(`UPDATE public.schedule_lessonrecording SET is_deleted = $2, status = 'deleted', deleted_at = $3 WHERE id = $1`, r.ID, true, syncertest.Stamp(time.Now()))
	s.Zoom.AddFile("uuid-1==", zoomemu.File{ID: "late", Type: "MP4", View: syncertest.SpeakerView, Start: syncertest.LessonStart.Add(61 * time.Minute), End: syncertest.LessonStart.Add(70 * time.Minute), Content: syncertest.Video(t)})
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	syncertest.Eventually(t, "it is noticed", func() (bool, string) { i := s.Ingest(1); return i.State() == store.Removed, fmt.Sprintf("%+v", i) })
	if rows := s.Recordings(1); len(rows) != 1 || !rows[0].Deleted {
		t.Errorf("%+v", rows)
	}
}

// TestViewsAudioAndTranscripts: platform-pains B14, B15.
func TestViewsAudioAndTranscripts(t *testing.T) {
	s := syncertest.New(t).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	end := syncertest.LessonStart.Add(time.Hour)
	m.Files = append([]zoomemu.File{
		{ID: "gallery", Type: "MP4", View: "gallery_view", Start: syncertest.LessonStart, End: end, Content: syncertest.Video(t)},
		{ID: "sound", Type: "M4A", View: "audio_only", Start: syncertest.LessonStart, End: end, Content: syncertest.Video(t)},
		{ID: "words", Type: "TRANSCRIPT", View: "audio_transcript", Start: syncertest.LessonStart, End: end, Content: emulator.Bytes([]byte("WEBVTT\n\n1\n00:00:00.500 --> 00:00:01.500\nAnna: Good morning\n"))},
		{Type: "TIMELINE", Start: syncertest.LessonStart, Content: emulator.Bytes(nil)},
	}, m.Files...)
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	r := s.Archived(1, "uuid-1==/file-uuid-1==")
	if r.Seconds != 2 {
		t.Errorf("%d s long: two views were joined", r.Seconds)
	}
	if q := s.Quota(1); q.Used != r.Size || q.Recordings != 1 {
		t.Errorf("quota: %+v", q)
	}
	syncertest.Eventually(t, "captions", func() (bool, string) {
		captions := s.Captions(r.ID)
		return len(captions) == 1 && strings.Contains(captions[0].Body, "Anna: Good morning"), fmt.Sprint(captions)
	})
}

// TestSegments: all segments of the best view are joined; one that comes later is
// joined in: same row, same file, new version, quota counted once.
func TestSegments(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"local": nil, "drive": {syncertest.OnDrive}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...).Start()
			m := s.Record("1", 86412345678, "/uuid//1==", syncertest.LessonStart)
			m.Files[0].ID, m.Files[0].End = "a", syncertest.LessonStart.Add(20*time.Minute)
			m.Files = append(m.Files, zoomemu.File{ID: "b", Type: "MP4", View: syncertest.SpeakerView, Start: syncertest.LessonStart.Add(30 * time.Minute), End: syncertest.LessonStart.Add(time.Hour), Content: syncertest.Video(t)})
			s.Zoom.AddMeeting(m)
			s.Deliver(s.Zoom.Event("recording.completed", "/uuid//1=="))
			first := s.Archived(1, "/uuid//1==/a", "/uuid//1==/b")
			if first.ZoomRecordingID != "bundle_/uuid//1==" || first.Seconds != 4 {
				t.Errorf("%+v", first)
			}
			s.Record("1", 86412345678, "uuid-2==", syncertest.LessonStart.Add(65*time.Minute))
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-2=="))
			second := s.Archived(1, "/uuid//1==/a", "/uuid//1==/b", "uuid-2==/file-uuid-2==")
			if second.ID != first.ID || second.ArchiveKey != first.ArchiveKey || second.Seconds != 6 || bytes.Equal(s.BytesOf(second), nil) {
				t.Errorf("%+v became %+v", first, second)
			}
			if q := s.Quota(1); q.Used != second.Size || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("quota: %+v of %d", q, second.Size)
			}
			if keys := s.Keys(); len(keys) != 1 {
				t.Errorf("archived: %v", keys)
			}
		})
	}
}

// TestALateSegmentAfterTheTrash: Zoom no longer has the first segment; the archive
// does.
func TestALateSegmentAfterTheTrash(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"local": nil, "drive": {syncertest.OnDrive}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, append(options, syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter = 0 }))...).Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			s.Archived(1)
			syncertest.Eventually(t, "trashed", func() (bool, string) { got := s.Zoom.Stats().Trashed; return len(got) == 1, fmt.Sprint(got) })
			s.Deliver(s.Zoom.Event("recording.trashed", "uuid-1=="))
			s.Record("1", 86412345678, "uuid-2==", syncertest.LessonStart.Add(65*time.Minute))
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-2=="))
			if r := s.Archived(1, "uuid-1==/file-uuid-1==", "uuid-2==/file-uuid-2=="); r.Seconds != 4 {
				t.Errorf("%d s long", r.Seconds)
			}
		})
	}
}

// TestADamagedNewVersion uploads a new version that Drive damages, when Zoom no longer has
// the first segment: the file is not deleted, and the next try sends it again.
func TestADamagedNewVersion(t *testing.T) {
	s := syncertest.New(t, syncertest.OnDrive, syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter = 0 })).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	first := s.Archived(1)
	syncertest.Eventually(t, "trashed", func() (bool, string) { got := s.Zoom.Stats().Trashed; return len(got) == 1, fmt.Sprint(got) })
	s.Deliver(s.Zoom.Event("recording.trashed", "uuid-1=="))
	s.Drive.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{Damage: 1}})
	s.Record("1", 86412345678, "uuid-2==", syncertest.LessonStart.Add(65*time.Minute))
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-2=="))
	if r := s.Archived(1, "uuid-1==/file-uuid-1==", "uuid-2==/file-uuid-2=="); r.Seconds != 4 || r.ArchiveKey != first.ArchiveKey {
		t.Errorf("%+v became %+v", first, r)
	}
}

// TestZoomsTrash: platform-pains B1, B2: one file at a time, only what is archived
// and verified, never wider, whatever Zoom answers.
func TestZoomsTrash(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter = 0 }))
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files = append(m.Files, zoomemu.File{ID: "gallery", Type: "MP4", View: "gallery_view", Start: syncertest.LessonStart, End: syncertest.LessonStart.Add(time.Hour), Content: syncertest.Video(t)},
		zoomemu.File{ID: "b", Type: "MP4", View: syncertest.SpeakerView, Start: syncertest.LessonStart.Add(61 * time.Minute), End: syncertest.LessonStart.Add(70 * time.Minute), Content: syncertest.Video(t)})
	s.Zoom.AddMeeting(m)
	s.Start()
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	syncertest.Eventually(t, "trashed", func() (bool, string) {
		got := s.Zoom.Stats().Trashed
		return slices.Equal(got, []string{"uuid-1==/file-uuid-1==", "uuid-1==/b"}), fmt.Sprint(got)
	})
	if whole := s.Zoom.Stats().WholeMeetings; len(whole) != 0 {
		t.Errorf("whole meetings were trashed: %v", whole)
	}
	s.Deliver(s.Zoom.Event("recording.trashed", "uuid-1=="))
	s.Idle()
	if rows := s.Recordings(1); rows[0].Status != media.StatusReady {
		t.Errorf("the archived recording is %s", rows[0].Status)
	}
}

// TestTrashOfALaterSegment: a segment that is archived while Zoom's copy of the earlier ones is
// being trashed, by a run that does not know it yet, is trashed by another run.
func TestTrashOfALaterSegment(t *testing.T) {
	s := syncertest.New(t).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	s.Idle()
	s.Exec(`UPDATE lectern.river_job SET state = 'running' WHERE kind = 'zoom_trash'`)
	s.Zoom.AddFile("uuid-1==", zoomemu.File{ID: "late", Type: "MP4", View: syncertest.SpeakerView, Start: syncertest.LessonStart.Add(61 * time.Minute), End: syncertest.LessonStart.Add(70 * time.Minute), Content: syncertest.Video(t)})
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1, "uuid-1==/"+m.Files[0].ID, "uuid-1==/late")
	if waiting := waitingTrash(s); waiting != 1 {
		t.Errorf("%d runs of the trash wait, want one", waiting)
	}
}

// waitingTrash is how many runs of Zoom's trash are scheduled.
func waitingTrash(s *syncertest.Server) (n int) {
	s.View(func(ctx context.Context, x store.Session) error {
		return x.One(ctx, `SELECT COUNT(*) FROM lectern.river_job WHERE kind = 'zoom_trash' AND state = 'scheduled'`, nil, &n)
	})
	return n
}

// retryTrash runs the one job of Zoom's trash now.
func retryTrash(t *testing.T, s *syncertest.Server) {
	t.Helper()
	var job int64
	s.View(func(ctx context.Context, x store.Session) error {
		return x.One(ctx, `SELECT id FROM lectern.river_job WHERE kind = 'zoom_trash'`, nil, &job)
	})
	if err := s.Syncer.Retry(t.Context(), job); err != nil {
		t.Fatal(err)
	}
}

// TestTrashAfterADoubtedLoss: the trash that does not find a file, while a run of the ingest is
// at work and may have replaced it, looks again later.
func TestTrashAfterADoubtedLoss(t *testing.T) {
	var clock offsetClock
	s := syncertest.New(t, clock.option).Start()
	s.Record("1", number, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	r := s.Archived(1)
	s.Idle()
	path := filepath.Join(s.Root, r.ArchiveKey)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	s.Exec(`UPDATE lectern.lectern_ingests SET owner = 'a run at work'`)
	clock.add(2 * time.Hour) // it is time to trash Zoom's copy
	retryTrash(t, s)
	s.Idle()
	if trashed := s.Zoom.Stats().Trashed; len(trashed) != 0 {
		t.Errorf("trashed at Zoom without an archive: %v", trashed)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	s.Exec(`UPDATE lectern.lectern_ingests SET owner = ''`)
	if waiting := waitingTrash(s); waiting != 1 {
		t.Fatalf("%d runs of the trash wait, want one", waiting)
	}
	retryTrash(t, s)
	syncertest.Eventually(t, "trashed at Zoom", func() (bool, string) {
		trashed := s.Zoom.Stats().Trashed
		return len(trashed) == 1, fmt.Sprint(trashed)
	})
}

// TestNoTrashWithoutArchive: platform-pains B2: what the archive lost in the meantime
// stays at Zoom, and is archived again from there.
func TestNoTrashWithoutArchive(t *testing.T) {
	var clock offsetClock
	s := syncertest.New(t, clock.option).Start()
	s.Record("1", number, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	r := s.Archived(1)
	if err := os.WriteFile(filepath.Join(s.Root, r.ArchiveKey), []byte("cut short"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Idle()
	clock.add(2 * time.Hour) // it is time to trash Zoom's copy
	retryTrash(t, s)
	syncertest.Eventually(t, "archived again", func() (bool, string) {
		rows := s.Recordings(1)
		return len(rows) == 1 && rows[0].Status == media.StatusReady && rows[0].ArchiveKey != r.ArchiveKey, fmt.Sprintf("%+v", rows)
	})
	if trashed := s.Zoom.Stats().Trashed; len(trashed) != 0 {
		t.Errorf("trashed at Zoom: %v", trashed)
	}
	if again := s.Archived(1); int64(len(s.BytesOf(again))) != again.Size {
		t.Errorf("archived again: %+v", again)
	}
}

// TestPassingFaults: platform-pains B16, C5, C11: a blip is no failure.
func TestPassingFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		faults zoomemu.Faults
		drive  driveemu.UploadFaults
	}{
		{"Zoom's API is ill", zoomemu.Faults{APIStatus: 503, APITimes: 2}, driveemu.UploadFaults{}},
		{"downloads break off", zoomemu.Faults{DownloadCut: 3}, driveemu.UploadFaults{}},
		{"downloads break off and know no ranges", zoomemu.Faults{DownloadCut: 2, NoRange: true}, driveemu.UploadFaults{}},
		{"a token is refused", zoomemu.Faults{Download401: 2}, driveemu.UploadFaults{}},
		{"a page instead of a video, once", zoomemu.Faults{DownloadPage: 1}, driveemu.UploadFaults{}},
		{"too many requests", zoomemu.Faults{PerSecond: 2}, driveemu.UploadFaults{}},
		{"Drive is ill", zoomemu.Faults{}, driveemu.UploadFaults{Refuse: 1, LoseFinal: 1}},
		{"Drive damages a file", zoomemu.Faults{}, driveemu.UploadFaults{Damage: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := syncertest.New(t, syncertest.OnDrive)
			s.Zoom.SetFaults(c.faults)
			s.Drive.SetDefaults(driveemu.Faults{Upload: c.drive})
			s.Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			r := s.Archived(1)
			want, _ := syncertest.Clip()
			if c.faults.DownloadCut > 0 && int64(len(want)) == 0 || r.Size == 0 {
				t.Errorf("%+v", r)
			}
			if keys := s.Keys(); len(keys) != 1 {
				t.Errorf("archived: %v", keys)
			}
			if q := s.Quota(1); q.Used != r.Size || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("quota: %+v", q)
			}
			if s.Zoom.Stats().Leaked != 0 {
				t.Error("a token went along a redirect")
			}
		})
	}
}

// TestPermanentFaults: domain F13, F18: each with its reason; the quota is free
// again, and somebody is told once.
func TestPermanentFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		faults zoomemu.Faults
		drive  driveemu.UploadFaults
		reason string
	}{
		{"a page instead of a video", zoomemu.Faults{DownloadPage: 1000}, driveemu.UploadFaults{}, "download_invalid"},
		{"a foreign host", zoomemu.Faults{ForeignHost: "localhost:1"}, driveemu.UploadFaults{}, "download_host_refused"},
		{"no room in Drive", zoomemu.Faults{}, driveemu.UploadFaults{NoStorage: true}, "archive_full"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := syncertest.New(t, syncertest.OnDrive)
			if c.drive.NoStorage {
				s.Exec(`UPDATE public.accounts_customuser SET gdrive_folder_id = 'my-drive' WHERE id = 1`)
			}
			s.Zoom.SetFaults(c.faults)
			s.Drive.SetDefaults(driveemu.Faults{Upload: c.drive})
			s.Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			s.Failed(1, c.reason)
			if rows := s.Recordings(1); len(rows) != 1 || rows[0].Status != media.StatusFailed {
				t.Errorf("%+v", rows)
			}
			if q := s.Quota(1); q.Used != 0 || q.Reserved != 0 || q.Recordings != 0 {
				t.Errorf("quota: %+v", q)
			}
			syncertest.Eventually(t, "an alert", func() (bool, string) {
				got := s.Alerts.Titles()
				return len(got) == 1 && strings.Contains(got[0], c.reason), fmt.Sprint(got)
			})
			var story bytes.Buffer
			if err := s.Syncer.Explain(t.Context(), "uuid-1==", &story); err != nil || !strings.Contains(story.String(), c.reason) {
				t.Errorf("explained as %s, %v", &story, err)
			}
			if err := s.Syncer.Jobs(t.Context(), "failed", &story); err != nil || !strings.Contains(story.String(), "ingest") {
				t.Errorf("jobs: %s, %v", &story, err)
			}
		})
	}
}

// TestTakenAwayAtZoom: platform-pains B10: facts about Zoom's copy are none about
// ours: what is archived stays; an ingest under way ends, and comes back with the
// recording.
func TestTakenAwayAtZoom(t *testing.T) {
	s := syncertest.New(t)
	s.Zoom.SetFaults(zoomemu.Faults{Rate: 20 << 10}) // slow enough to be caught under way
	s.Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	syncertest.Eventually(t, "the download has begun", func() (bool, string) { st := s.Zoom.Stats(); return st.Bytes > 0, fmt.Sprintf("%+v", st) })
	s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = true })
	s.Deliver(s.Zoom.Event("recording.trashed", "uuid-1=="))
	s.Failed(1, "gone_at_zoom")
	if keys := s.Keys(); len(keys) != 0 {
		t.Errorf("archived: %v", keys)
	}
	s.Zoom.SetFaults(zoomemu.Faults{})
	s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = false })
	s.Deliver(s.Zoom.Event("recording.recovered", "uuid-1=="))
	s.Archived(1)
	s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = true })
	s.Deliver(s.Zoom.BatchEvent("recording.batch_trashed", "acc-1", "uuid-1=="))
	s.Deliver(s.Zoom.Event("recording.deleted", "uuid-1=="))
	s.Idle()
	s.Archived(1)
}

// TestTrashedBeforeItCame: events come in any order.
func TestTrashedBeforeItCame(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = true })
	s.Deliver(s.Zoom.Event("recording.trashed", "uuid-1=="))
	s.Idle()
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Failed(1, "gone_at_zoom")
}

// TestQuota: platform-pains F2, F6: reserved up front, never for ever.
func TestQuota(t *testing.T) {
	s := syncertest.New(t).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	size := m.Files[0].Content.Size()
	s.Update(func(ctx context.Context, x store.Session) error {
		_, err := store.LoadQuota(ctx, x, 1, time.Now())
		return err
	})
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $1 WHERE teacher_id = 1`, size-1)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Failed(1, "quota_exceeded")
	if st := s.Zoom.Stats(); st.Downloads != 0 {
		t.Errorf("%d downloads without room", st.Downloads)
	}
	if rows := s.Recordings(1); len(rows) != 1 || rows[0].Status != media.StatusFailed {
		t.Errorf("%+v", rows)
	}
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $1 WHERE teacher_id = 1`, size*110/100)
	s.Archived(1)
	q := s.Quota(1)
	if !q.Warned || q.Exceeded {
		t.Errorf("quota: %+v", q)
	}
	s.Idle()
	warnings := 0
	for _, title := range s.Alerts.Titles() {
		if strings.Contains(title, "% of the storage") {
			warnings++
		}
	}
	if warnings != 1 {
		t.Errorf("%d warnings: %v", warnings, s.Alerts.Titles())
	}
}

// TestAnEventWithoutItsLesson: the lesson is made after the recording; and one that
// nobody ever makes is told of.
func TestAnEventWithoutItsLesson(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.UnmatchedAfter, c.Unmatched = time.Millisecond, syncer.UnmatchedWait })).Start()
	s.Exec(`UPDATE public.schedule_lesson SET zoom_meeting_id = '' WHERE id = 1`)
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	if got := s.Deliver(s.Zoom.Event("recording.completed", "uuid-1==")); got != "accepted" {
		t.Error(got)
	}
	s.Idle()
	report, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{})
	if err != nil || report.Synced != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	syncertest.Eventually(t, "an alert", func() (bool, string) {
		got := s.Alerts.Titles()
		return slices.ContainsFunc(got, func(t string) bool { return strings.Contains(t, "belong to no lesson") }), fmt.Sprint(got)
	})
	s.Exec(`UPDATE public.schedule_lesson SET zoom_meeting_id = '864 1234 5678' WHERE id = 1`)
	if report, err = s.Syncer.Reconcile(t.Context(), reconcile.Scope{}); err != nil || report.Synced != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	s.Archived(1)
}
