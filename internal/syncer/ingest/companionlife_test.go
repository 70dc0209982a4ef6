package ingest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/move"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// words is a transcript that Zoom lists.
func words(id string) zoomemu.File {
	return zoomemu.File{ID: id, Type: "TRANSCRIPT", View: "audio_transcript", Extension: "VTT", Start: after(0), End: after(2), Content: emulator.Bytes([]byte("WEBVTT\n\n00:00.500 --> 00:01.000\n" + id + "\n"))}
}

// recordWithAPage records a meeting whose transcript never comes: a page for people does.
func recordWithAPage(s *syncertest.Server) {
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files[0].End = after(2)
	page := words("page")
	page.PageFor = 1 << 30
	m.Files = append(m.Files, page)
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
}

func trashedSoon(c *syncer.Config) { c.ZoomTrashAfter = 0 }

// trashed waits until these files, and no others, are in Zoom's trash.
func trashed(t *testing.T, s *syncertest.Server, want ...string) {
	t.Helper()
	slices.Sort(want)
	syncertest.Eventually(t, "the trash at Zoom", func() (bool, string) {
		var got []string
		for _, name := range s.Zoom.Stats().Trashed {
			_, id, _ := strings.Cut(name, "/")
			got = append(got, id)
		}
		slices.Sort(got)
		return slices.Equal(got, want), fmt.Sprintf("%q", got)
	})
}

// TestTrashAwaitsCompanions: nothing of a meeting is trashed at Zoom before all that is wanted
// of it is verified in the archive; then all is that has a name of Zoom's.
func TestTrashAwaitsCompanions(t *testing.T) {
	s := syncertest.New(t, withCompanions("all"), syncertest.Configured(trashedSoon)).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files[0].End = after(2)
	page := words("page")
	page.PageFor = 1 << 30
	m.Files = append(m.Files, page, words("good"),
		zoomemu.File{ID: "tl", Type: "TIMELINE", Start: after(0), Content: emulator.Bytes([]byte(`{"timeline": []}`))},
		zoomemu.File{ID: "gallery", Type: "MP4", View: "gallery_view", Start: after(0), End: after(2), Content: syncertest.Video(t)})
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	syncertest.Eventually(t, "the other companions", func() (bool, string) {
		_, list := companions(s, 1)
		return len(list) == 3 && strings.Contains(s.Log(), "zoom trash: companions are not archived yet"), fmt.Sprint(list)
	})
	if got := s.Zoom.Stats().Trashed; len(got) != 0 {
		t.Fatalf("trashed before all is safe: %q", got)
	}
	s.Zoom.Change("uuid-1==", "page", func(f *zoomemu.File) { f.PageFor = 0 })
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{Now: true}); err != nil {
		t.Fatal(err)
	}
	trashed(t, s, "file-uuid-1==", "gallery", "good", "page")
	if whole := s.Zoom.Stats().WholeMeetings; len(whole) != 0 {
		t.Errorf("whole meetings were trashed: %q", whole)
	}
	// Captions are made anew of what is archived: Zoom's events of our own trash say that its
	// copies are gone.
	s.Idle()
	s.Exec(`DELETE FROM lectern.lectern_captions`)
	s.Exec(`UPDATE lectern.lectern_zoom_files SET gone_at = $1`, syncertest.Stamp(time.Now()))
	s.Zoom.AddFile("uuid-1==", zoomemu.File{ID: "more", Type: "CHAT", View: "chat_file", Start: after(0), End: after(2), Content: emulator.Bytes([]byte("00:00:01\tAnna:\tmore\n"))})
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	syncertest.Eventually(t, "captions", func() (bool, string) {
		list := s.Captions(s.Ingest(1).RecordingID)
		return len(list) == 1 && strings.Contains(list[0].Body, "good"), fmt.Sprint(list)
	})
}

// TestRemovedRecordingAwaitsNoCompanions: companions that nobody archives any more, since their
// recording has expired, do not keep the trash of Zoom's copy waiting for ever. They stay at Zoom.
func TestRemovedRecordingAwaitsNoCompanions(t *testing.T) {
	s := syncertest.New(t, withCompanions("all"), syncertest.Configured(trashedSoon), syncertest.Configured(func(c *syncer.Config) { c.TrashGrace = time.Hour })).Start()
	recordWithAPage(s)
	row := s.Archived(1)
	syncertest.Eventually(t, "the trash waits", func() (bool, string) {
		return strings.Contains(s.Log(), "zoom trash: companions are not archived yet"), ""
	})
	s.Exec(`UPDATE public.schedule_lessonrecording SET available_until = $1 WHERE id = $2`, syncertest.Stamp(time.Now().Add(-time.Minute)), row.ID)
	if _, failed, err := s.Syncer.RunPeriodic(t.Context(), "cleanup"); err != nil || failed != 0 {
		t.Fatalf("%d, %v", failed, err)
	}
	syncertest.Eventually(t, "the trash", func() (bool, string) {
		s.Exec(`UPDATE lectern.river_job SET scheduled_at = CURRENT_TIMESTAMP WHERE kind = 'zoom_trash' AND state = 'scheduled'`)
		got := s.Zoom.Stats().Trashed
		return slices.Equal(got, []string{"uuid-1==/file-uuid-1=="}), fmt.Sprintf("%q", got)
	})
}

// TestTrashOfAPurgedRecording: the trash of Zoom's copy ends, and does not wait, when the recording
// has been purged before it was due.
func TestTrashOfAPurgedRecording(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.TrashGrace, c.ZoomTrashAfter = 0, time.Hour })).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	row := s.Archived(1)
	s.Idle()
	s.Exec(`UPDATE public.schedule_lessonrecording SET available_until = $1 WHERE id = $2`, syncertest.Stamp(time.Now().Add(-time.Minute)), row.ID)
	for _, kind := range []string{"cleanup", "purge"} {
		if _, failed, err := s.Syncer.RunPeriodic(t.Context(), kind); err != nil || failed != 0 {
			t.Fatalf("%s: %d, %v", kind, failed, err)
		}
	}
	s.Exec(`UPDATE lectern.lectern_ingests SET verified_at = $1`, syncertest.Stamp(time.Now().Add(-2*time.Hour)))
	syncertest.Eventually(t, "the trash ends", func() (bool, string) {
		s.Exec(`UPDATE lectern.river_job SET scheduled_at = CURRENT_TIMESTAMP WHERE kind = 'zoom_trash' AND state = 'scheduled'`)
		var jobs strings.Builder
		if err := s.Syncer.Jobs(t.Context(), "", &jobs); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(jobs.String(), "zoom_trash\tcompleted"), jobs.String()
	})
	if got := s.Zoom.Stats().Trashed; len(got) != 0 {
		t.Errorf("trashed: %q", got)
	}
}

// TestCompanionsTrashedByOthers: companions and captions that others have trashed at Zoom before
// they could be archived, and of which no event came, are neither awaited nor tried for ever.
func TestCompanionsTrashedByOthers(t *testing.T) {
	t.Parallel()
	for _, kinds := range []string{"all", "none"} {
		t.Run("companions "+kinds, func(t *testing.T) {
			s := syncertest.New(t, withCompanions(kinds), syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter = time.Second })).Start()
			recordWithAPage(s)
			s.Archived(1)
			for _, id := range []string{"file-uuid-1==", "page"} {
				s.Zoom.Change("uuid-1==", id, func(f *zoomemu.File) { f.Deleted = true })
			}
			syncertest.Eventually(t, "the jobs end", func() (bool, string) {
				// Hours pass at each look.
				s.Exec(`UPDATE lectern.river_job SET scheduled_at = CURRENT_TIMESTAMP WHERE kind IN ('zoom_trash', 'companions', 'captions') AND state IN ('scheduled', 'retryable')`)
				s.Exec(`UPDATE lectern.lectern_zoom_files SET retry_at = NULL`)
				s.Exec(`UPDATE lectern.lectern_zoom_files SET unlisted_at = $1 WHERE unlisted_at IS NOT NULL`, syncertest.Stamp(time.Now().Add(-100*time.Hour)))
				var jobs strings.Builder
				if err := s.Syncer.Jobs(t.Context(), "", &jobs); err != nil {
					t.Fatal(err)
				}
				trash := strings.Contains(jobs.String(), "zoom_trash\tcompleted") && !strings.Contains(jobs.String(), "zoom_trash\tscheduled")
				captions := !strings.Contains(jobs.String(), "captions\tscheduled") && !strings.Contains(jobs.String(), "captions\tretryable")
				return trash && (captions || kinds == "none"), jobs.String()
			})
			if got := s.Zoom.Stats().Trashed; len(got) != 0 {
				t.Errorf("trashed: %q", got)
			}
		})
	}
}

// TestLateCompanions: a recording that was archived without companions, and trashed at Zoom,
// gets those that Zoom still has, and a transcript that comes hours later without an event.
func TestLateCompanions(t *testing.T) {
	s := syncertest.New(t, withCompanions("none"), syncertest.Configured(trashedSoon)).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files[0].End = after(2)
	m.Files = append(m.Files, zoomemu.File{ID: "chat", Type: "CHAT", View: "chat_file", Start: after(0), End: after(2), Content: emulator.Bytes([]byte("hello"))})
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	trashed(t, s, "file-uuid-1==")
	if _, list := companions(s, 1); len(list) != 0 {
		t.Errorf("%q", list)
	}
	s.Config.Companions = []string{"all"}
	s.Restart()
	for _, c := range []struct {
		file zoomemu.File
		want []string
	}{{words("later"), []string{"chat chat", "later transcript"}}, {words("last"), []string{"chat chat", "last transcript", "later transcript"}}} {
		s.Zoom.AddFile("uuid-1==", c.file)
		if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{}); err != nil {
			t.Fatal(err)
		}
		syncertest.Eventually(t, "companions", func() (bool, string) {
			_, list := companions(s, 1)
			return slices.Equal(list, c.want), fmt.Sprintf("%q", list)
		})
	}
	trashed(t, s, "chat", "file-uuid-1==", "last", "later")
	// Another version of a companion replaces it.
	s.Zoom.AddFile("uuid-1==", words("edited"))
	reconciled(t, s)
	syncertest.Eventually(t, "it is there", func() (bool, string) { rows, _ := companions(s, 1); return rows["edited"].ID != 0, "" })
	trashed(t, s, "chat", "edited", "file-uuid-1==", "last", "later") // else the version before may still be, and this one with it
	s.Idle()                                                          // what was trashed is noted, too: noted later it would hide the new version until the next listing
	first, _ := companions(s, 1)
	s.Exec(`UPDATE lectern.lectern_recording_files SET shared = $2 WHERE id = $1`, first["edited"].ID, true)
	longer := words("edited")
	longer.Content = emulator.Bytes([]byte("WEBVTT\n\n00:00.500 --> 00:01.000\nedited twice\n"))
	s.Zoom.Change("uuid-1==", "edited", func(f *zoomemu.File) { f.Content, f.Deleted = longer.Content, false })
	reconciled(t, s)
	syncertest.Eventually(t, "the new version", func() (bool, string) {
		rows, list := companions(s, 1)
		return len(list) == 4 && rows["edited"].ID != first["edited"].ID && rows["edited"].Shared, fmt.Sprintf("%+v", rows["edited"])
	})
}

func reconciled(t *testing.T, s *syncertest.Server) {
	t.Helper()
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{}); err != nil {
		t.Fatal(err)
	}
}

// TestLifeOfCompanions: from 1 MiB on companions need quota and cost it; they move with the
// recording, are archived again when the archive has lost them, and go with it.
func TestLifeOfCompanions(t *testing.T) {
	s := syncertest.New(t, syncertest.OnDriveAndLocal, withCompanions("all"), syncertest.Configured(func(c *syncer.Config) { c.TrashGrace, c.DeleteFromZoom = 0, false })).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files[0].End = after(2)
	const large = 2 << 20
	m.Files = append(m.Files, words("words"), zoomemu.File{ID: "large", Type: "WHITEBOARD", View: "whiteboard", Extension: "wbd", Start: after(0), End: after(2), Content: emulator.Synthetic(large, 1)})
	s.Zoom.AddMeeting(m)
	s.Quota(1)
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $1 WHERE teacher_id = 1`, int64(1<<20))
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	row := s.Archived(1)
	syncertest.Eventually(t, "no room", func() (bool, string) {
		_, list := companions(s, 1)
		return slices.Equal(list, []string{"words transcript"}) && strings.Contains(history(s, 1), "companion not archived: uuid-1==/large: "), fmt.Sprint(list, history(s, 1))
	})
	if q := s.Quota(1); q.Used != row.Size || q.Reserved != 0 {
		t.Errorf("without the large one: %+v", q)
	}
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $1 WHERE teacher_id = 1`, int64(1<<30))
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{Now: true}); err != nil {
		t.Fatal(err)
	}
	both := func(what string, holds func(rows map[string]store.RecordingFile) bool) map[string]store.RecordingFile {
		t.Helper()
		var rows map[string]store.RecordingFile
		syncertest.Eventually(t, what, func() (bool, string) {
			rows, _ = companions(s, 1)
			return len(rows) == 2 && holds(rows), fmt.Sprintf("%+v\n%s", rows, history(s, 1))
		})
		if q := s.Quota(1); q.Used != row.Size+large || q.Recordings != 1 {
			t.Errorf("%s: %+v", what, q)
		}
		return rows
	}
	both("both are archived", func(rows map[string]store.RecordingFile) bool {
		return rows["words"].Provider == media.ProviderDrive && rows["large"].Provider == media.ProviderDrive
	})
	s.Idle()
	if out, err := s.Another().Move(t.Context(), move.Options{To: media.ProviderLocal}); err != nil || out.Moved != 1 || out.Failed != 0 {
		t.Fatalf("moved: %+v, %v", out, err)
	}
	rows := both("both are moved", func(rows map[string]store.RecordingFile) bool {
		return strings.HasSuffix(rows["words"].ArchiveKey, ".vtt") && rows["words"].Provider == media.ProviderLocal && rows["large"].Provider == media.ProviderLocal && rows["large"].ArchivedVersion != ""
	})
	// Lost from the archive: the former copies are gone with the grace.
	s.Exec(`UPDATE lectern.lectern_copies SET removed_at = $1`, syncertest.Stamp(time.Now()))
	lost := rows["large"]
	if err := os.Remove(filepath.Join(s.Root, filepath.FromSlash(lost.ArchiveKey))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{Now: true}); err != nil {
		t.Fatal(err)
	}
	rows = both("it is archived again", func(rows map[string]store.RecordingFile) bool { return rows["large"].ID != lost.ID })
	if got := bytesAt(t, s, rows["large"]); len(got) != large {
		t.Errorf("%d bytes", len(got))
	}
	s.Exec(`UPDATE public.schedule_lessonrecording SET available_until = $1 WHERE id = $2`, syncertest.Stamp(time.Now().Add(-time.Minute)), row.ID)
	for _, kind := range []string{"cleanup", "purge"} {
		if _, failed, err := s.Syncer.RunPeriodic(t.Context(), kind); err != nil || failed != 0 {
			t.Errorf("%s: %d, %v", kind, failed, err)
		}
	}
	if q := s.Quota(1); q.Used != 0 || q.Recordings != 0 {
		t.Errorf("after the removal: %+v", q)
	}
	for id, f := range rows {
		if _, err := s.Deps.Archives[f.Provider].Stat(t.Context(), f.ArchiveKey); media.KindOf(err) != media.NotFound {
			t.Errorf("%s is left: %v", id, err)
		}
	}
}

// TestCompanionsOfAnOwnRecording: what was archived with a teacher's own recording goes to the
// lesson's when that is joined into it.
func TestCompanionsOfAnOwnRecording(t *testing.T) {
	s := syncertest.New(t, withCompanions("all"), syncertest.Configured(func(c *syncer.Config) { c.UnmatchedAfter = time.Nanosecond })).Start()
	lesson := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	lesson.Files[0].End = after(2)
	s.Zoom.AddMeeting(lesson)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	own := s.Record("1", 86412345678, "uuid-2==", syncertest.LessonStart.Add(3*time.Hour))
	own.Files[0].End = own.Start.Add(2 * time.Second)
	own.Files = append(own.Files, words("own words"))
	own.Files[1].ID = "own-words"
	s.Zoom.AddMeeting(own)
	reconciled(t, s)
	reconciled(t, s)
	var ownRow int64
	syncertest.Eventually(t, "the teacher's own", func() (bool, string) {
		var list []store.RecordingFile
		s.View(func(ctx context.Context, x store.Session) error {
			i, err := store.IngestOfMeeting(ctx, x, "uuid-2==")
			if err != nil {
				return nil
			}
			ownRow = i.RecordingID
			list, err = store.Companions(ctx, x, i.RecordingID)
			return err
		})
		return len(list) == 1 && list[0].Verified(), fmt.Sprintf("%+v", list)
	})
	// Zoom has its copy no more: what is archived is all there is.
	s.Zoom.Change("uuid-2==", "own-words", func(f *zoomemu.File) { f.Deleted = true })
	if _, err := s.Syncer.Assign(t.Context(), "uuid-2==", 1); err != nil {
		t.Fatal(err)
	}
	syncertest.Eventually(t, "it is the lesson's", func() (bool, string) {
		rows, list := companions(s, 1)
		return rows["own-words"].RecordingID != ownRow && len(list) == 1, fmt.Sprint(list, history(s, 1))
	})
}

// TestReplacedSoundBecomesCompanion: a sound that was the recording, while no video could be
// had, is archived beside the video that replaces it. The ingest, which waits an hour for the
// video by itself, runs as soon as it is requested; the sound stays at Zoom until then.
func TestReplacedSoundBecomesCompanion(t *testing.T) {
	s := syncertest.New(t, withCompanions("all"), syncertest.Configured(trashedSoon)).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files[0].End, m.Files[0].PageFor = after(2), 1<<30
	m.Files = append(m.Files, zoomemu.File{ID: "sound", Type: "M4A", View: "audio_only", Start: after(0), End: after(2), Content: syncertest.Video(t)})
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1, "uuid-1==/sound")
	s.Idle()
	s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.PageFor = 0 })
	if _, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{Now: true}); err != nil {
		t.Fatal(err)
	}
	s.Archived(1, "uuid-1==/file-uuid-1==")
	syncertest.Eventually(t, "the sound beside it", func() (bool, string) {
		_, list := companions(s, 1)
		return slices.Equal(list, []string{"sound audio"}), fmt.Sprintf("%q\n%s", list, history(s, 1))
	})
	trashed(t, s, "file-uuid-1==", "sound")
}

// TestSoundThatLeftZoomBecomesCompanion: a sound that was archived alone and trashed at Zoom stays
// in the archive, as it is, when its video comes after all.
func TestSoundThatLeftZoomBecomesCompanion(t *testing.T) {
	s := syncertest.New(t, withCompanions("all"), syncertest.Configured(trashedSoon)).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	video := m.Files[0]
	video.End = after(2)
	m.Files = []zoomemu.File{{ID: "sound", Type: "M4A", View: "audio_only", Start: after(0), End: after(2), Content: syncertest.Video(t)}}
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	sound := s.Archived(1, "uuid-1==/sound")
	trashed(t, s, "sound")
	s.Idle()
	s.Zoom.AddFile("uuid-1==", video)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	row := s.Archived(1, "uuid-1==/file-uuid-1==")
	trashed(t, s, "sound", "file-uuid-1==")
	s.Idle()
	rows, list := companions(s, 1)
	kept := rows["sound"]
	if !slices.Equal(list, []string{"sound audio"}) || kept.ArchiveKey != sound.ArchiveKey || kept.Size != sound.Size || int64(len(bytesAt(t, s, kept))) != sound.Size || row.ArchiveKey == sound.ArchiveKey {
		t.Errorf("%q, %+v\nthe sound was %+v\nthe video is %+v", list, kept, sound, row)
	}
	if _, failed, err := s.Syncer.RunPeriodic(t.Context(), "purge"); err != nil || failed != 0 || len(s.Keys()) != 2 {
		t.Errorf("purged: %v, %d failed, %v", s.Keys(), failed, err)
	}
	if story := history(s, 1); !strings.Contains(story, "sound kept beside the video: uuid-1==/sound: ") {
		t.Error(story)
	}
}
