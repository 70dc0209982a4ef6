package ingest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// withCompanions archives companions of these kinds.
func withCompanions(kinds ...string) syncertest.Option {
	return syncertest.Configured(func(c *syncer.Config) { c.Companions = kinds })
}

// companions are the verified companions of a lesson's recording, as "file kind" sorted.
func companions(s *syncertest.Server, lesson int64) (rows map[string]store.RecordingFile, list []string) {
	rows = map[string]store.RecordingFile{}
	i := s.Ingest(lesson)
	s.View(func(ctx context.Context, x store.Session) error {
		found, err := store.Companions(ctx, x, i.RecordingID)
		for _, f := range found {
			if f.Verified() {
				_, id, _ := strings.Cut(f.ZoomFile, "/")
				rows[id] = f
				list = append(list, id+" "+f.Kind)
			}
		}
		return err
	})
	slices.Sort(list)
	return rows, list
}

// history is that of a lesson's ingest, a line each.
func history(s *syncertest.Server, lesson int64) string {
	i := s.Ingest(lesson)
	var lines []string
	s.View(func(ctx context.Context, x store.Session) error {
		found, err := store.History(ctx, x, i.ID, i.RecordingID, nil)
		for _, l := range found {
			lines = append(lines, l.What+": "+l.Detail)
		}
		return err
	})
	return strings.Join(lines, "\n")
}

// TestEveryKind: every file that Zoom lists of a meeting is archived beside the recording as
// it is, with its kind, in SQLite and PostgreSQL; those of kinds that nobody knows too.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, append(options, withCompanions("all"))...).Start()
			m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			files := zoomemu.EveryKind(after(0), after(2), syncertest.Video(t), syncertest.Video(t))
			m.Files[0].End = after(2) // as long as the clip
			m.Files = append(m.Files, files...)
			s.Zoom.AddMeeting(m)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			s.Archived(1, "uuid-1==/file-uuid-1==")
			var rows map[string]store.RecordingFile
			var list []string
			syncertest.Eventually(t, "companions", func() (bool, string) {
				rows, list = companions(s, 1)
				return len(list) == len(files), fmt.Sprint(list)
			})
			want := []string{
				"CC@" + stampOf(0) + " captions", "TIMELINE@" + stampOf(0) + " timeline", "active_speaker view", "assistant other", "chapters chapters", "chat chat",
				"each audio", "gallery_view view", "messages chat", "poll poll", "shared_screen view", "sound audio", "steps summary", "summary summary",
				"thumbnail poster", "transcript transcript", "unheard-of other",
			}
			if !slices.Equal(list, want) {
				t.Errorf("%q\nwant %q", list, want)
			}
			for _, f := range files {
				id := f.ID
				if f.Type == "CC" || f.Type == "TIMELINE" {
					id = f.Type + "@" + stampOf(0)
				}
				row := rows[id]
				if got := bytesAt(t, s, row); string(got) != string(contentOf(t, f.Content)) || row.Size != f.Content.Size() || row.MD5 == "" || row.SHA256 == "" {
					t.Errorf("%s is archived as %q, %+v", id, got, row)
				}
			}
			for id, kind := range map[string]string{"transcript": "text/vtt; charset=utf-8", "chat": "text/plain; charset=utf-8", "sound": "audio/mp4", "gallery_view": "video/mp4", "poll": "text/csv; charset=utf-8", "summary": "application/json", "thumbnail": "image/jpeg", "unheard-of": "application/octet-stream"} {
				if rows[id].ContentType != kind {
					t.Errorf("%s is %q, want %q", id, rows[id].ContentType, kind)
				}
			}
			syncertest.Eventually(t, "chapters", func() (bool, string) {
				var list []media.Chapter
				s.View(func(ctx context.Context, x store.Session) (err error) {
					list, err = store.Chapters(ctx, x, rows["chapters"].RecordingID)
					return err
				})
				return slices.Equal(list, []media.Chapter{{Title: "Greeting"}, {Start: time.Second, Title: "Products"}}), fmt.Sprint(list)
			})
			if rows["gallery_view"].Label != "Gallery view" || rows["gallery_view"].Duration == 0 || rows["transcript"].Lang != "und" {
				t.Errorf("%+v, %+v", rows["gallery_view"], rows["transcript"])
			}
		})
	}
}

func stampOf(seconds int) string { return after(seconds).UTC().Format("2006-01-02T15:04:05Z") }

// TestCompanionFilter: kinds that are not wanted stay at Zoom.
func TestCompanionFilter(t *testing.T) {
	s := syncertest.New(t, withCompanions("chat", "timeline")).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files[0].End = after(2)
	m.Files = append(m.Files, zoomemu.EveryKind(after(0), after(2), syncertest.Video(t), syncertest.Video(t))...)
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	want := []string{"TIMELINE@" + stampOf(0) + " timeline", "chat chat", "messages chat"}
	syncertest.Eventually(t, "companions", func() (bool, string) {
		_, list := companions(s, 1)
		return slices.Equal(list, want), fmt.Sprint(list)
	})
	s.Idle()
	if _, list := companions(s, 1); !slices.Equal(list, want) {
		t.Errorf("%q", list)
	}
}

// TestFaultyCompanions: a page with status 200, a file cut short, with a size or without one, are
// tried again; what stays empty or cut is kept as it is and told, but for a video that is cut
// and does not play. None of them keeps the recording, or another companion, waiting.
func TestFaultyCompanions(t *testing.T) {
	s := syncertest.New(t, withCompanions("all")).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	file := func(id string, change func(*zoomemu.File)) zoomemu.File {
		f := zoomemu.File{ID: id, Type: "CHAT", View: "chat_file", Extension: "TXT", Start: after(0), End: after(2), Content: emulator.Bytes([]byte("00:00:01\tAnna:\t" + id + "\n"))}
		change(&f)
		return f
	}
	m.Files[0].End = after(2)
	m.Files = append(m.Files,
		file("always-a-page", func(f *zoomemu.File) { f.PageFor = 1 << 30 }),
		file("a-page-once", func(f *zoomemu.File) { f.PageFor = 1 }),
		file("cut-once", func(f *zoomemu.File) { f.CutFor = 1 }),
		file("always-cut", func(f *zoomemu.File) { f.CutFor = 1 << 30 }),
		file("no-size", func(f *zoomemu.File) { f.NoSize = true }),
		file("no-size-cut-once", func(f *zoomemu.File) { f.NoSize, f.CutFor = true, 1 }),
		file("no-size-always-cut", func(f *zoomemu.File) { f.NoSize, f.CutFor = true, 1<<30 }),
		file("empty", func(f *zoomemu.File) { f.Content = emulator.Bytes(nil) }),
		file("no-video", func(f *zoomemu.File) { f.Type, f.View, f.Extension = "MP4", "gallery_view", "MP4" }),
		file("cut-video", func(f *zoomemu.File) {
			f.Type, f.View, f.Extension, f.CutFor, f.Content = "MP4", "gallery_view", "MP4", 1<<30, syncertest.Video(t)
		}),
		file("no-chapters", func(f *zoomemu.File) {
			f.Type, f.View, f.Extension, f.ContentType = "SUMMARY", "summary_smart_chapters", "JSON", "application/json"
			f.Content = emulator.Bytes([]byte(`{"of another": "shape"}`))
		}),
		file("an-error", func(f *zoomemu.File) {
			f.Type, f.View, f.Extension, f.ContentType = "SUMMARY", "summary", "JSON", "application/json"
			f.Content = emulator.Bytes([]byte(`{"code": 3301, "message": "There is no recording"}`))
		}),
	)
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	if r := s.Archived(1, "uuid-1==/file-uuid-1=="); r.Status != media.StatusReady {
		t.Errorf("%+v", r)
	}
	want := []string{"a-page-once chat", "always-cut chat", "cut-once chat", "empty chat", "no-chapters chapters", "no-size chat", "no-size-always-cut chat", "no-size-cut-once chat", "no-video view"}
	var rows map[string]store.RecordingFile
	syncertest.Eventually(t, "companions", func() (bool, string) {
		var list []string
		rows, list = companions(s, 1)
		story := history(s, 1)
		return slices.Equal(list, want) && strings.Count(story, "companion not archived") >= 3, fmt.Sprintf("%q\n%s", list, story)
	})
	if got := string(bytesAt(t, s, rows["no-size-cut-once"])); got != "00:00:01\tAnna:\tno-size-cut-once\n" {
		t.Errorf("a file that came cut once, and has no size, is archived as %q", got)
	}
	story := history(s, 1)
	for _, line := range []string{
		"companion not archived: uuid-1==/always-a-page: ", "companion not archived: uuid-1==/cut-video: ", "companion not archived: uuid-1==/an-error: ",
		"companion kept as it is: uuid-1==/empty: ", "companion kept as it is: uuid-1==/no-video: ", "companion kept as it is: uuid-1==/no-chapters: the document has no smart_chapters",
	} {
		if !strings.Contains(story, line) {
			t.Errorf("no line %q in\n%s", line, story)
		}
	}
	syncertest.Eventually(t, "an alert", func() (bool, string) {
		titles := fmt.Sprint(s.Alerts.Titles())
		return strings.Contains(titles, "3 companion(s) of a recording could not be archived"), titles
	})
}

// TestCutSoundWithoutASize: a sound that comes cut, with no size to tell it by, is not kept because
// it has failed otherwise before.
func TestCutSoundWithoutASize(t *testing.T) {
	s := syncertest.New(t, withCompanions("all"), syncertest.Configured(trashedSoon)).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files[0].End = after(2)
	sound := zoomemu.File{ID: "sound", Type: "M4A", View: "audio_only", Start: after(0), End: after(2), Content: syncertest.Video(t), NoSize: true, PageFor: 4, CutFor: 1} // two pages a try: there is no other link
	m.Files = append(m.Files, sound)
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	syncertest.Eventually(t, "three tries", func() (bool, string) {
		story := history(s, 1)
		return strings.Contains(story, "two downloads differ"), story
	})
	if got := s.Zoom.Stats().Trashed; len(got) != 0 {
		t.Errorf("trashed: %q", got)
	}
	syncertest.Eventually(t, "the whole sound", func() (bool, string) {
		s.Exec(`UPDATE lectern.lectern_zoom_files SET retry_at = NULL`)
		s.Exec(`UPDATE lectern.river_job SET scheduled_at = CURRENT_TIMESTAMP WHERE kind = 'companions' AND state = 'scheduled'`)
		rows, _ := companions(s, 1)
		return rows["sound"].Size == sound.Content.Size(), fmt.Sprintf("%+v\n%s", rows, history(s, 1))
	})
}

// archivedTwice is an archive in which another syncer is faster: what it does before the first
// transcript goes up.
type archivedTwice struct {
	archive.Archive
	before func(archive.Archive, archive.Item)
}

func (a archivedTwice) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	if strings.HasSuffix(item.Key, ".vtt") {
		a.before(a.Archive, item)
	}
	return a.Archive.Put(ctx, item)
}

// TestCompanionArchivedMeanwhile: a companion that another syncer has archived, since it took this
// one for dead, is not there twice, and neither are its bytes.
func TestCompanionArchivedMeanwhile(t *testing.T) {
	var s *syncertest.Server
	var once sync.Once
	faster := func(a archive.Archive, item archive.Item) {
		once.Do(func() {
			theirs := item
			theirs.Key += ".theirs.vtt"
			stored, err := a.Put(t.Context(), theirs)
			if err != nil {
				t.Error(err)
			}
			s.Update(func(ctx context.Context, x store.Session) error {
				recording := s.Recordings(1)[0].ID
				all, err := store.Companions(ctx, x, recording)
				if err != nil || len(all) != 1 {
					return fmt.Errorf("%+v, %w", all, err)
				}
				row := all[0]
				row.ArchiveKey = stored.Key
				if row.ID, err = store.AddRecordingFile(ctx, x, row, time.Now()); err != nil {
					return err
				}
				row.Size, row.MD5, row.ArchivedVersion, row.VerifiedAt = stored.Size, stored.MD5, stored.Version, time.Now()
				return store.SaveRecordingFile(ctx, x, row)
			})
		})
	}
	s = syncertest.New(t, withCompanions("all"), syncertest.WithArchive(func(a archive.Archive) archive.Archive { return archivedTwice{a, faster} })).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files[0].End = after(2)
	m.Files = append(m.Files, words("transcript"))
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	s.Idle()
	rows, list := companions(s, 1)
	if len(list) != 1 || !strings.HasSuffix(rows["transcript"].ArchiveKey, ".theirs.vtt") {
		t.Errorf("the companions are %q, %+v", list, rows)
	}
	keys := slices.DeleteFunc(s.Keys(), func(key string) bool { return !strings.HasSuffix(key, ".vtt") })
	if len(keys) != 1 || keys[0] != rows["transcript"].ArchiveKey {
		t.Errorf("the archive has %q", keys)
	}
}
