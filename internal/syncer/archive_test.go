package syncer

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

func depsWithOwnMetrics(d Deps) Deps {
	d.Metrics = prometheus.NewRegistry()
	return d
}

// failed waits until a lesson's ingest has failed for a reason.
func (s *school) failed(lesson int64, reason string) store.Ingest {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("lesson %d failed with %s", lesson, reason), func() (bool, string) {
		i := s.ingest(lesson)
		return i.State == store.Failed && i.Reason == reason, fmt.Sprintf("%+v", i)
	})
	return s.ingest(lesson)
}

// TestARecurringMeeting: platform-pains B4, B5: one meeting id, two weeks: each
// lesson gets its own recording, in whatever order they come.
func TestARecurringMeeting(t *testing.T) {
	s := newSchool(t).start()
	week := 7 * 24 * time.Hour
	s.exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2 WHERE id = 2`, ledgerStamp(lessonAt.Add(-week)), ledgerStamp(lessonAt.Add(-week+time.Hour)))
	s.record("1", 86412345678, "uuid-new==", lessonAt)
	s.record("1", 86412345678, "uuid-old==", lessonAt.Add(-week))
	s.deliver(s.zoom.Event("recording.completed", "uuid-new=="))
	s.deliver(s.zoom.Event("recording.completed", "uuid-old=="))
	if r := s.archived(1); r.ZoomRecordingID != "file-uuid-new==" {
		t.Errorf("lesson 1 has %s", r.ZoomRecordingID)
	}
	if r := s.archived(2); r.ZoomRecordingID != "file-uuid-old==" {
		t.Errorf("lesson 2 has %s", r.ZoomRecordingID)
	}
}

// TestARedelivery: platform-pains B3: a repeated event changes neither a ready
// recording nor who may see it.
func TestARedelivery(t *testing.T) {
	s := newSchool(t).start()
	s.record("1", 86412345678, "uuid-1==", lessonAt)
	s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
	before := s.archived(1)
	s.exec(`UPDATE public.schedule_lessonrecording SET visibility = 'custom_students' WHERE id = $1`, before.ID)
	s.exec(`DELETE FROM public.schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = $1`, before.ID)
	s.exec(`INSERT INTO public.schedule_lessonrecording_allowed_students (lessonrecording_id, customuser_id) VALUES ($1, $2)`, before.ID, int64(3))
	// Another event of the same recording, with one file more.
	s.zoom.AddFile("uuid-1==", zoomemu.File{ID: "chat", Type: "CHAT", View: "chat_file", Start: lessonAt, Content: emulator.Bytes([]byte("hello"))})
	if got := s.deliver(s.zoom.Event("recording.completed", "uuid-1==")); got != "accepted" {
		t.Fatal(got)
	}
	s.settled()
	after := s.recordings(1)
	if len(after) != 1 || after[0].Status != media.StatusReady || after[0].Visibility != media.VisibleCustomStudents || after[0].ArchiveKey != before.ArchiveKey {
		t.Errorf("%+v became %+v", before, after)
	}
	var groups int64
	s.view(func(ctx context.Context, x store.Session) error {
		return x.One(ctx, `SELECT COUNT(*) FROM public.schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = $1`, []any{before.ID}, &groups)
	})
	if groups != 0 {
		t.Error("the lesson's group was let in again")
	}
}

// settled waits until no job waits or runs that is due.
func (s *school) settled() {
	s.t.Helper()
	eventually(s.t, "the queue is empty", func() (bool, string) {
		var n int64
		s.view(func(ctx context.Context, x store.Session) error {
			return x.One(ctx, `SELECT COUNT(*) FROM lectern.river_job WHERE state IN ('available', 'pending', 'retryable', 'running') AND kind <> 'reconcile'`, nil, &n)
		})
		return n == 0, fmt.Sprint(n, " jobs")
	})
}

// TestARemovedRecordingStaysRemoved: platform-pains B13.
func TestARemovedRecordingStaysRemoved(t *testing.T) {
	s := newSchool(t).start()
	s.record("1", 86412345678, "uuid-1==", lessonAt)
	s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
	r := s.archived(1)
	s.exec(`UPDATE public.schedule_lessonrecording SET is_deleted = $2, status = 'deleted', deleted_at = $3 WHERE id = $1`, r.ID, true, ledgerStamp(time.Now()))
	s.zoom.AddFile("uuid-1==", zoomemu.File{ID: "late", Type: "MP4", View: speaker, Start: lessonAt.Add(61 * time.Minute), End: lessonAt.Add(70 * time.Minute), Content: video(t)})
	s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
	eventually(t, "it is noticed", func() (bool, string) { i := s.ingest(1); return i.State == store.Removed, fmt.Sprintf("%+v", i) })
	if rows := s.recordings(1); len(rows) != 1 || !rows[0].Deleted {
		t.Errorf("%+v", rows)
	}
}

// TestViewsAudioAndTranscripts: platform-pains B14, B15.
func TestViewsAudioAndTranscripts(t *testing.T) {
	s := newSchool(t).start()
	m := s.record("1", 86412345678, "uuid-1==", lessonAt)
	end := lessonAt.Add(time.Hour)
	m.Files = append([]zoomemu.File{
		{ID: "gallery", Type: "MP4", View: "gallery_view", Start: lessonAt, End: end, Content: video(t)},
		{ID: "sound", Type: "M4A", View: "audio_only", Start: lessonAt, End: end, Content: video(t)},
		{ID: "words", Type: "TRANSCRIPT", View: "audio_transcript", Start: lessonAt, End: end, Content: emulator.Bytes([]byte("WEBVTT\n\n1\n00:00:00.500 --> 00:00:01.500\nAnna: Good morning\n"))},
		{Type: "TIMELINE", Start: lessonAt, Content: emulator.Bytes(nil)},
	}, m.Files...)
	s.zoom.AddMeeting(m)
	s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
	r := s.archived(1, "uuid-1==/file-uuid-1==")
	if r.Seconds != 2 {
		t.Errorf("%d s long: two views were joined", r.Seconds)
	}
	if q := s.quota(1); q.Used != r.Size || q.Recordings != 1 {
		t.Errorf("quota: %+v", q)
	}
	eventually(t, "captions", func() (bool, string) {
		var captions []store.Caption
		s.view(func(ctx context.Context, x store.Session) (err error) {
			captions, err = store.Captions(ctx, x, r.ID)
			return err
		})
		return len(captions) == 1 && strings.Contains(captions[0].Body, "Anna: Good morning"), fmt.Sprint(captions)
	})
}

// TestSegments: all segments of the best view are joined; one that comes later is
// joined in: same row, same file, new version, quota counted once.
func TestSegments(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{"local": nil, "drive": {onDrive}} {
		t.Run(name, func(t *testing.T) {
			s := newSchool(t, options...).start()
			m := s.record("1", 86412345678, "/uuid//1==", lessonAt)
			m.Files[0].ID, m.Files[0].End = "a", lessonAt.Add(20*time.Minute)
			m.Files = append(m.Files, zoomemu.File{ID: "b", Type: "MP4", View: speaker, Start: lessonAt.Add(30 * time.Minute), End: lessonAt.Add(time.Hour), Content: video(t)})
			s.zoom.AddMeeting(m)
			s.deliver(s.zoom.Event("recording.completed", "/uuid//1=="))
			first := s.archived(1, "/uuid//1==/a", "/uuid//1==/b")
			if first.ZoomRecordingID != "bundle_/uuid//1==" || first.Seconds != 4 {
				t.Errorf("%+v", first)
			}
			s.record("1", 86412345678, "uuid-2==", lessonAt.Add(65*time.Minute))
			s.deliver(s.zoom.Event("recording.completed", "uuid-2=="))
			second := s.archived(1, "/uuid//1==/a", "/uuid//1==/b", "uuid-2==/file-uuid-2==")
			if second.ID != first.ID || second.ArchiveKey != first.ArchiveKey || second.Seconds != 6 || bytes.Equal(s.bytesOf(second), nil) {
				t.Errorf("%+v became %+v", first, second)
			}
			if q := s.quota(1); q.Used != second.Size || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("quota: %+v of %d", q, second.Size)
			}
			if keys := s.keys(); len(keys) != 1 {
				t.Errorf("archived: %v", keys)
			}
		})
	}
}

// TestALateSegmentAfterTheTrash: Zoom no longer has the first segment; the archive
// does.
func TestALateSegmentAfterTheTrash(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{"local": nil, "drive": {onDrive}} {
		t.Run(name, func(t *testing.T) {
			s := newSchool(t, append(options, configured(func(c *Config) { c.ZoomTrashAfter = 0 }))...).start()
			s.record("1", 86412345678, "uuid-1==", lessonAt)
			s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
			s.archived(1)
			eventually(t, "trashed", func() (bool, string) { got := s.zoom.Stats().Trashed; return len(got) == 1, fmt.Sprint(got) })
			s.deliver(s.zoom.Event("recording.trashed", "uuid-1=="))
			s.record("1", 86412345678, "uuid-2==", lessonAt.Add(65*time.Minute))
			s.deliver(s.zoom.Event("recording.completed", "uuid-2=="))
			if r := s.archived(1, "uuid-1==/file-uuid-1==", "uuid-2==/file-uuid-2=="); r.Seconds != 4 {
				t.Errorf("%d s long", r.Seconds)
			}
		})
	}
}

// TestZoomsTrash: platform-pains B1, B2: one file at a time, only what is archived
// and verified, never wider, whatever Zoom answers.
func TestZoomsTrash(t *testing.T) {
	s := newSchool(t, configured(func(c *Config) { c.ZoomTrashAfter = 0 }))
	m := s.record("1", 86412345678, "uuid-1==", lessonAt)
	m.Files = append(m.Files, zoomemu.File{ID: "gallery", Type: "MP4", View: "gallery_view", Start: lessonAt, End: lessonAt.Add(time.Hour), Content: video(t)},
		zoomemu.File{ID: "b", Type: "MP4", View: speaker, Start: lessonAt.Add(61 * time.Minute), End: lessonAt.Add(70 * time.Minute), Content: video(t)})
	s.zoom.AddMeeting(m)
	s.start()
	s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
	s.archived(1)
	eventually(t, "trashed", func() (bool, string) {
		got := s.zoom.Stats().Trashed
		return slices.Equal(got, []string{"uuid-1==/file-uuid-1==", "uuid-1==/b"}), fmt.Sprint(got)
	})
	if whole := s.zoom.Stats().WholeMeetings; len(whole) != 0 {
		t.Errorf("whole meetings were trashed: %v", whole)
	}
	s.deliver(s.zoom.Event("recording.trashed", "uuid-1=="))
	s.settled()
	if rows := s.recordings(1); rows[0].Status != media.StatusReady {
		t.Errorf("the archived recording is %s", rows[0].Status)
	}
}

// TestNoTrashWithoutArchive: platform-pains B2: what the archive lost in the meantime
// stays at Zoom, and is archived again from there.
func TestNoTrashWithoutArchive(t *testing.T) {
	var ahead atomic.Int64 // of the syncer's clock
	s := newSchool(t, func(s *school) { s.deps.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) } }).start()
	s.record("1", 86412345678, "uuid-1==", lessonAt)
	s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
	r := s.archived(1)
	if err := os.WriteFile(filepath.Join(s.root, r.ArchiveKey), []byte("cut short"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.settled()
	ahead.Store(int64(2 * time.Hour)) // it is time to trash Zoom's copy
	var job int64
	s.view(func(ctx context.Context, x store.Session) error {
		return x.One(ctx, `SELECT id FROM lectern.river_job WHERE kind = 'zoom_trash'`, nil, &job)
	})
	if err := s.syncer.Retry(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	eventually(t, "archived again", func() (bool, string) {
		rows := s.recordings(1)
		return len(rows) == 1 && rows[0].Status == media.StatusReady && rows[0].ArchiveKey != r.ArchiveKey, fmt.Sprintf("%+v", rows)
	})
	if trashed := s.zoom.Stats().Trashed; len(trashed) != 0 {
		t.Errorf("trashed at Zoom: %v", trashed)
	}
	if again := s.archived(1); int64(len(s.bytesOf(again))) != again.Size {
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
			s := newSchool(t, onDrive)
			s.zoom.SetFaults(c.faults)
			s.drive.SetDefaults(driveemu.Faults{Upload: c.drive})
			s.start()
			s.record("1", 86412345678, "uuid-1==", lessonAt)
			s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
			r := s.archived(1)
			want, _ := clip()
			if c.faults.DownloadCut > 0 && int64(len(want)) == 0 || r.Size == 0 {
				t.Errorf("%+v", r)
			}
			if keys := s.keys(); len(keys) != 1 {
				t.Errorf("archived: %v", keys)
			}
			if q := s.quota(1); q.Used != r.Size || q.Recordings != 1 || q.Reserved != 0 {
				t.Errorf("quota: %+v", q)
			}
			if s.zoom.Stats().Leaked != 0 {
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
		{"another size than listed", zoomemu.Faults{WrongSize: true}, driveemu.UploadFaults{}, "download_invalid"},
		{"a foreign host", zoomemu.Faults{ForeignHost: "localhost:1"}, driveemu.UploadFaults{}, "download_host_refused"},
		{"no room in Drive", zoomemu.Faults{}, driveemu.UploadFaults{NoStorage: true}, "archive_full"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSchool(t, onDrive)
			if c.drive.NoStorage {
				s.exec(`UPDATE public.accounts_customuser SET gdrive_folder_id = 'my-drive' WHERE id = 1`)
			}
			s.zoom.SetFaults(c.faults)
			s.drive.SetDefaults(driveemu.Faults{Upload: c.drive})
			s.start()
			s.record("1", 86412345678, "uuid-1==", lessonAt)
			s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
			s.failed(1, c.reason)
			if rows := s.recordings(1); len(rows) != 1 || rows[0].Status != media.StatusFailed {
				t.Errorf("%+v", rows)
			}
			if q := s.quota(1); q.Used != 0 || q.Reserved != 0 || q.Recordings != 0 {
				t.Errorf("quota: %+v", q)
			}
			eventually(t, "an alert", func() (bool, string) {
				got := s.alerts.titles()
				return len(got) == 1 && strings.Contains(got[0], c.reason), fmt.Sprint(got)
			})
			var story bytes.Buffer
			if err := s.syncer.Explain(t.Context(), "uuid-1==", &story); err != nil || !strings.Contains(story.String(), c.reason) {
				t.Errorf("explained as %s, %v", &story, err)
			}
			if err := s.syncer.Jobs(t.Context(), "failed", &story); err != nil || !strings.Contains(story.String(), "ingest") {
				t.Errorf("jobs: %s, %v", &story, err)
			}
		})
	}
}

// TestTakenAwayAtZoom: platform-pains B10: facts about Zoom's copy are none about
// ours: what is archived stays; an ingest under way ends, and comes back with the
// recording.
func TestTakenAwayAtZoom(t *testing.T) {
	s := newSchool(t)
	s.zoom.SetFaults(zoomemu.Faults{Rate: 20 << 10}) // slow enough to be caught under way
	s.start()
	s.record("1", 86412345678, "uuid-1==", lessonAt)
	s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
	eventually(t, "the download has begun", func() (bool, string) { st := s.zoom.Stats(); return st.Bytes > 0, fmt.Sprintf("%+v", st) })
	s.zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = true })
	s.deliver(s.zoom.Event("recording.trashed", "uuid-1=="))
	s.failed(1, "gone_at_zoom")
	if keys := s.keys(); len(keys) != 0 {
		t.Errorf("archived: %v", keys)
	}
	s.zoom.SetFaults(zoomemu.Faults{})
	s.zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = false })
	s.deliver(s.zoom.Event("recording.recovered", "uuid-1=="))
	s.archived(1)
	s.zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = true })
	s.deliver(s.zoom.BatchEvent("recording.batch_trashed", "acc-1", "uuid-1=="))
	s.deliver(s.zoom.Event("recording.deleted", "uuid-1=="))
	s.settled()
	s.archived(1)
}

// TestTrashedBeforeItCame: events come in any order.
func TestTrashedBeforeItCame(t *testing.T) {
	s := newSchool(t).start()
	s.record("1", 86412345678, "uuid-1==", lessonAt)
	s.zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = true })
	s.deliver(s.zoom.Event("recording.trashed", "uuid-1=="))
	s.settled()
	s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
	s.failed(1, "gone_at_zoom")
}

// TestQuota: platform-pains F2, F6: reserved up front, never for ever.
func TestQuota(t *testing.T) {
	s := newSchool(t).start()
	m := s.record("1", 86412345678, "uuid-1==", lessonAt)
	size := m.Files[0].Content.Size()
	s.update(func(ctx context.Context, x store.Session) error {
		_, err := store.LoadQuota(ctx, x, 1, time.Now())
		return err
	})
	s.exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $1 WHERE teacher_id = 1`, size-1)
	s.deliver(s.zoom.Event("recording.completed", "uuid-1=="))
	s.failed(1, "quota_exceeded")
	if st := s.zoom.Stats(); st.Downloads != 0 {
		t.Errorf("%d downloads without room", st.Downloads)
	}
	if rows := s.recordings(1); len(rows) != 1 || rows[0].Status != media.StatusFailed {
		t.Errorf("%+v", rows)
	}
	s.exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $1 WHERE teacher_id = 1`, size*110/100)
	s.archived(1)
	q := s.quota(1)
	if !q.Warned || q.Exceeded {
		t.Errorf("quota: %+v", q)
	}
	s.settled()
	warnings := 0
	for _, title := range s.alerts.titles() {
		if strings.Contains(title, "% of the storage") {
			warnings++
		}
	}
	if warnings != 1 {
		t.Errorf("%d warnings: %v", warnings, s.alerts.titles())
	}
}

// TestAnEventWithoutItsLesson: the lesson is made after the recording; and one that
// nobody ever makes is told of.
func TestAnEventWithoutItsLesson(t *testing.T) {
	s := newSchool(t, configured(func(c *Config) { c.UnmatchedAfter = time.Millisecond })).start()
	s.exec(`UPDATE public.schedule_lesson SET zoom_meeting_id = '' WHERE id = 1`)
	s.record("1", 86412345678, "uuid-1==", lessonAt)
	if got := s.deliver(s.zoom.Event("recording.completed", "uuid-1==")); got != "accepted" {
		t.Error(got)
	}
	s.settled()
	report, err := s.syncer.Reconcile(t.Context(), Scope{})
	if err != nil || report.Synced != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	eventually(t, "an alert", func() (bool, string) {
		got := s.alerts.titles()
		return slices.ContainsFunc(got, func(t string) bool { return strings.Contains(t, "belong to no lesson") }), fmt.Sprint(got)
	})
	s.exec(`UPDATE public.schedule_lesson SET zoom_meeting_id = '864 1234 5678' WHERE id = 1`)
	if report, err = s.syncer.Reconcile(t.Context(), Scope{}); err != nil || report.Synced != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	s.archived(1)
}
