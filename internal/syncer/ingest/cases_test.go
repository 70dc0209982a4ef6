package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// listedMeeting reads a meeting as Zoom lists it, moved to the lesson's time. A file's body
// is below testdata, or a description of seconds, as "(5 s of video)".
func listedMeeting(t *testing.T, name string) zoomemu.Meeting {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "meetings", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var in struct {
		UUID  string
		Start time.Time `json:"start_time"`
		Files []struct {
			ID, Status, Body string
			Type             string    `json:"file_type"`
			View             string    `json:"recording_type"`
			Start            time.Time `json:"recording_start"`
			End              time.Time `json:"recording_end"`
		} `json:"recording_files"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	shift := syncertest.LessonStart.Sub(in.Start)
	m := zoomemu.Meeting{Account: "acc-1", ID: 86412345678, UUID: in.UUID, Host: "host-1", Start: syncertest.LessonStart, Minutes: 60}
	for _, f := range in.Files {
		var seconds int
		var content emulator.Content
		if n, _ := fmt.Sscanf(f.Body, "(%d s of video)", &seconds); n == 1 {
			content = syncertest.Encode(t, seconds, "libx264")
		} else {
			content = body(t, f.Body)
		}
		m.Files = append(m.Files, zoomemu.File{ID: f.ID, Type: f.Type, View: f.View, Start: f.Start.Add(shift), End: f.End.Add(shift), Content: content})
	}
	return m
}

func body(t *testing.T, path string) emulator.Content {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return emulator.Bytes(data)
}

// files makes segments, two minutes apart, of contents.
func files(contents ...emulator.Content) (out []zoomemu.File) {
	for i, c := range contents {
		at := syncertest.LessonStart.Add(time.Duration(i) * 2 * time.Minute)
		out = append(out, zoomemu.File{ID: fmt.Sprintf("f-%d", i+1), Type: "MP4", View: syncertest.SpeakerView, Start: at, End: at.Add(time.Minute), Content: c})
	}
	return out
}

func cut(c emulator.Content, n int64) emulator.Content {
	b := make([]byte, c.Size()-n)
	if _, err := c.ReadAt(b, 0); err != nil {
		panic(err)
	}
	return emulator.Bytes(b)
}

// probe says what an archived recording holds.
func probe(t *testing.T, s *syncertest.Server, r store.Recording) ffmpeg.Info {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archived.mp4")
	if err := os.WriteFile(path, s.BytesOf(r), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := ffmpeg.Tool{}.Probe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func explained(t *testing.T, s *syncertest.Server, uuid string) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Syncer.Explain(t.Context(), uuid, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// trashing trashes Zoom's copy as soon as the archive is verified.
var trashing = syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter = 0 })

// TestRecordingsAsTheyAre: what Zoom really gives is archived with picture and sound of
// the right length, nothing that the archive does not hold is trashed at Zoom, and what
// is missing is told.
func TestRecordingsAsTheyAre(t *testing.T) {
	t.Parallel()
	part := func(name string) func(t *testing.T) emulator.Content {
		return func(t *testing.T) emulator.Content { return body(t, "mp4/"+name+".mp4") }
	}
	a := part("part-a")
	of := func(contents ...func(t *testing.T) emulator.Content) func(t *testing.T) zoomemu.Meeting {
		return func(t *testing.T) zoomemu.Meeting {
			m := zoomemu.Meeting{Account: "acc-1", ID: 86412345678, UUID: "uuid==", Host: "host-1", Start: syncertest.LessonStart, Minutes: 60}
			var all []emulator.Content
			for _, c := range contents {
				all = append(all, c(t))
			}
			m.Files = files(all...)
			return m
		}
	}
	listed := func(name string) func(t *testing.T) zoomemu.Meeting {
		return func(t *testing.T) zoomemu.Meeting { return listedMeeting(t, name) }
	}
	for _, c := range []struct {
		name    string
		meeting func(t *testing.T) zoomemu.Meeting
		faults  zoomemu.Faults
		seconds float64 // of picture and of sound; 0 = it is not archived
		silent  bool    // there is no sound
		parts   string  // ids of the files that the archive holds
		history []string
		reason  string // why it is not archived
	}{
		{name: "two-time-bases", meeting: listed("two-time-bases"), seconds: 4, parts: "f-1 f-2", history: []string{"encoded: "}},
		{name: "two-frame-rates", meeting: listed("two-frame-rates"), seconds: 4, parts: "f-1 f-2", history: []string{"encoded: "}},
		{name: "two-pixel-shapes", meeting: listed("two-pixel-shapes"), seconds: 4, parts: "f-1 f-2", history: []string{"encoded: "}},
		{name: "one-second-of-overlap", meeting: listed("one-second-of-overlap"), seconds: 4, parts: "f-1 f-2"},
		{name: "empty-part-between", meeting: listed("empty-part-between"), seconds: 4, parts: "f-1 f-3", history: []string{"part missing: ", "f-2", "no_playable_track"}},
		{name: "nothing-but-empty", meeting: listed("nothing-but-empty"), reason: "download_invalid", history: []string{"no_playable_track", "next try"}},
		{name: "bytes-behind", meeting: listed("bytes-behind"), seconds: 2, parts: "f-1", history: []string{"warning: ", "trailing_bytes"}},
		{name: "its index behind", meeting: of(syncertest.IndexBehind), seconds: 2, parts: "f-1"},
		{name: "text-behind", meeting: of(part("text-behind")), seconds: 2, parts: "f-1", history: []string{"warning: "}},
		{name: "listed-one-byte-too-long", meeting: listed("listed-one-byte-too-long"), faults: zoomemu.Faults{SizeOff: 1}, seconds: 2, parts: "f-1", history: []string{"warning: ", "Zoom lists"}},
		{name: "listed a hundred bytes too short", meeting: of(a), faults: zoomemu.Faults{SizeOff: -100}, seconds: 2, parts: "f-1", history: []string{"warning: ", "Zoom lists"}},
		{name: "short-share-long-speaker", meeting: listed("short-share-long-speaker"), seconds: 60, parts: "f-2"},
		{name: "fragmented", meeting: of(part("fragmented")), seconds: 4, silent: true, parts: "f-1"},
		{name: "a fragmented part among others", meeting: of(a, part("fragmented")), seconds: 6, parts: "f-1 f-2"},
		{name: "a middle part that is cut short", meeting: of(a, func(t *testing.T) emulator.Content { return cut(a(t), 3000) }, part("part-b")), seconds: 4, parts: "f-1 f-3", history: []string{"part missing: ", "f-2", "cut_short"}},
		{name: "a last part that is a page", meeting: of(a, func(*testing.T) emulator.Content { return emulator.Bytes([]byte("<html>Sign in</html>")) }), seconds: 2, parts: "f-1", history: []string{"part missing: ", "not_mp4"}},
		{name: "another codec each", meeting: of(a, func(t *testing.T) emulator.Content { return syncertest.Encode(t, 2, "mpeg4") }, func(t *testing.T) emulator.Content { return syncertest.Encode(t, 2, "libx265") }), seconds: 6, parts: "f-1 f-2 f-3", history: []string{"encoded: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := syncertest.New(t, trashing)
			m := c.meeting(t)
			s.Zoom.AddMeeting(m)
			s.Zoom.SetFaults(c.faults)
			s.Start()
			s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
			if c.seconds == 0 {
				s.Failed(1, c.reason)
				s.Idle()
			} else {
				var names, files []string
				for id := range strings.FieldsSeq(c.parts) {
					names = append(names, m.UUID+"/"+id)
				}
				r := s.Archived(1, names...)
				info := probe(t, s, r)
				for what, got := range map[string]time.Duration{"picture": info.Video.Duration, "sound": info.Audio.Duration, "row": time.Duration(r.Seconds) * time.Second} {
					if what == "sound" && c.silent {
						continue
					}
					if math.Abs(got.Seconds()-c.seconds) > max(0.3, c.seconds/200) {
						t.Errorf("%s: %s, want %v s", what, got, c.seconds)
					}
				}
				if !info.Layout.FastStart || info.Layout.Fragmented || len(info.Layout.Warnings) > 0 {
					t.Errorf("layout: %+v", info.Layout)
				}
				syncertest.Eventually(t, "trashed", func() (bool, string) {
					files = s.Zoom.Stats().Trashed
					return len(files) >= len(names), fmt.Sprint(files)
				})
				slices.Sort(files)
				if !slices.Equal(files, names) {
					t.Errorf("trashed at Zoom: %v, want %v", files, names)
				}
			}
			if rows := s.Recordings(1); len(rows) != 1 || (rows[0].Status == media.StatusReady) != (c.seconds != 0) {
				t.Errorf("rows: %+v", rows)
			}
			history := explained(t, s, m.UUID)
			for _, want := range c.history {
				if !strings.Contains(history, want) {
					t.Errorf("not explained: %q in\n%s", want, history)
				}
			}
			if c.seconds == 0 && len(s.Zoom.Stats().Trashed) != 0 {
				t.Errorf("trashed at Zoom: %v", s.Zoom.Stats().Trashed)
			}
		})
	}
}

// TestShapesStay: a part with pixels of another shape is shown in its own shape.
func TestShapesStay(t *testing.T) {
	s := syncertest.New(t).Start()
	m := listedMeeting(t, "two-pixel-shapes")
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	info := probe(t, s, s.Archived(1))
	shown := float64(info.Video.Width) / float64(info.Video.Height) * info.Video.SampleAspect.Float()
	if math.Abs(shown-16.0/9) > 0.02 && math.Abs(shown-64.0/27) > 0.02 {
		t.Errorf("%d x %d of %s: %.3f", info.Video.Width, info.Video.Height, info.Video.SampleAspect, shown)
	}
}

// TestAnOverlapOfTwoInstances: the host restarted, and both recordings have a second in
// common.
func TestAnOverlapOfTwoInstances(t *testing.T) {
	s := syncertest.New(t).Start()
	first, second := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart), s.Record("1", 86412345678, "uuid-2==", syncertest.LessonStart.Add(20*time.Minute-time.Second))
	first.Files[0].End, second.Files[0].End = syncertest.LessonStart.Add(20*time.Minute), syncertest.LessonStart.Add(40*time.Minute)
	s.Zoom.AddMeeting(first)
	s.Zoom.AddMeeting(second)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-2=="))
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	if r := s.Archived(1, "uuid-1==/file-uuid-1==", "uuid-2==/file-uuid-2=="); r.Seconds != 4 {
		t.Errorf("%d s", r.Seconds)
	}
}

// TestALateSegmentOfAnotherTimeBase: what replaces an archived recording is measured
// against it, before and after Zoom's copy of the first part was trashed.
func TestALateSegmentOfAnotherTimeBase(t *testing.T) {
	t.Parallel()
	for _, late := range []string{"part-b-90000", "part-b-30fps", "part-b-sar43"} {
		for _, trashed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, trashed %v", late, trashed), func(t *testing.T) {
				options := []syncertest.Option{syncertest.OnDrive}
				if trashed {
					options = append(options, trashing)
				}
				s := syncertest.New(t, options...).Start()
				m := listedMeeting(t, "bytes-behind")
				m.Files[0].Content = body(t, "mp4/part-a.mp4")
				s.Zoom.AddMeeting(m)
				s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
				first := s.Archived(1)
				if trashed {
					syncertest.Eventually(t, "trashed", func() (bool, string) { got := s.Zoom.Stats().Trashed; return len(got) == 1, fmt.Sprint(got) })
				}
				next := s.Record("1", 86412345678, "uuid-2==", syncertest.LessonStart.Add(10*time.Minute))
				next.Files[0].Content = body(t, "mp4/"+late+".mp4")
				s.Zoom.AddMeeting(next)
				s.Deliver(s.Zoom.Event("recording.completed", "uuid-2=="))
				r := s.Archived(1, m.UUID+"/f-1", "uuid-2==/file-uuid-2==")
				info := probe(t, s, r)
				if r.ID != first.ID || r.ArchiveKey != first.ArchiveKey || math.Abs(info.Video.Duration.Seconds()-4) > 0.3 || math.Abs(info.Audio.Duration.Seconds()-4) > 0.3 {
					t.Errorf("picture %s, sound %s: %+v", info.Video.Duration, info.Audio.Duration, r)
				}
			})
		}
	}
}

// TestABadPartComesGood: it joins: same row, same archive file, new version.
func TestABadPartComesGood(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.ReconcileEvery = 2 * time.Second })).Start()
	m := listedMeeting(t, "empty-part-between")
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	first := s.Archived(1, m.UUID+"/f-1", m.UUID+"/f-3")
	s.Zoom.Change(m.UUID, "f-2", func(f *zoomemu.File) {
		f.Content, f.End = body(t, "mp4/part-b.mp4"), f.Start.Add(2*time.Second)
	})
	r := s.Archived(1, m.UUID+"/f-1", m.UUID+"/f-2", m.UUID+"/f-3")
	if r.ID != first.ID || r.ArchiveKey != first.ArchiveKey || r.Seconds != 6 {
		t.Errorf("%+v became %+v", first, r)
	}
}

// TestNothingIsFinal: what Zoom and its file host deny at first is archived when they
// have it, by the retries, or by the next reconciliation.
func TestNothingIsFinal(t *testing.T) {
	t.Parallel()
	page := zoomemu.Answer{Status: 200, Type: "text/html; charset=utf-8", Body: "<!DOCTYPE html><html><body>Still being processed</body></html>"}
	for _, c := range []struct {
		name    string
		faults  zoomemu.Faults
		answers []zoomemu.Answer
		fails   string // it fails first, and reconciliation takes it up again
	}{
		{name: "late at Zoom", faults: zoomemu.Faults{AbsentCalls: 4}},
		{name: "late at the host", answers: slices.Repeat([]zoomemu.Answer{page}, 4)},
		{name: "very late at the host", answers: slices.Repeat([]zoomemu.Answer{page}, 7), fails: "download_invalid"},
		{name: "404 of the host", answers: slices.Repeat([]zoomemu.Answer{{Status: 404, Type: "application/json", Body: `{"code":3301}`}}, 7), fails: "download_invalid"},
		{name: "403 of the host", answers: slices.Repeat([]zoomemu.Answer{{Status: 403, Type: "text/plain", Body: "no"}}, 7), fails: "download_invalid"},
		{name: "403 of the CDN", answers: slices.Repeat([]zoomemu.Answer{{Status: 403, CDN: true}}, 2)},
		{name: "an error in JSON", answers: slices.Repeat([]zoomemu.Answer{{Status: 200, Type: "application/json", Body: `{"status":false,"errorCode":124,"errorMessage":"x"}`}}, 7), fails: "download_invalid"},
		{name: "a video type with a page in it", answers: slices.Repeat([]zoomemu.Answer{{Status: 200, Type: "video/mp4", Body: "<html>"}}, 3), fails: "download_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := syncertest.New(t)
			s.Zoom.SetFaults(c.faults)
			s.Zoom.ScriptDownloads(c.answers...)
			s.Start()
			s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
			if c.fails != "" {
				s.Failed(1, c.fails)
				s.Idle()
				s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
			}
			if r := s.Archived(1); r.Seconds != 2 {
				t.Errorf("%+v", r)
			}
			if keys := s.Keys(); len(keys) != 1 {
				t.Errorf("archived: %v", keys)
			}
		})
	}
}

// TestListedAgain: what was trashed and is listed again is taken up, without an event.
func TestListedAgain(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	trash := func(deleted bool) {
		s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Deleted = deleted })
	}
	trash(true)
	s.Deliver(s.Zoom.Event("recording.trashed", "uuid-1=="))
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Failed(1, "gone_at_zoom")
	s.Idle()
	s.Reconcile(reconcile.Summary{Processed: 2})
	trash(false)
	s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
	s.Archived(1)
}

// TestAbsentForLong: Zoom denies a recording, and no event says why: after an hour that
// is believed, until it is listed again.
func TestAbsentForLong(t *testing.T) {
	var clock offsetClock
	s := syncertest.New(t, clock.option)
	s.Zoom.SetFaults(zoomemu.Faults{AbsentUntil: time.Now().Add(time.Hour)})
	s.Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	syncertest.Eventually(t, "not listed", func() (bool, string) {
		i := s.Ingest(1)
		return i.Reason == "gone_at_zoom" && i.State() == store.Waiting && i.Attempts > 1, fmt.Sprintf("%+v", i)
	})
	clock.add(2 * time.Hour)
	s.Failed(1, "gone_at_zoom")
	s.Zoom.SetFaults(zoomemu.Faults{})
	s.Idle()
	s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
	s.Archived(1)
}

// TestOnePartTrashedMeanwhile: the others are archived.
func TestOnePartTrashedMeanwhile(t *testing.T) {
	s := syncertest.New(t)
	s.Zoom.SetFaults(zoomemu.Faults{Rate: 6 << 10})
	m := listedMeeting(t, "one-second-of-overlap")
	s.Zoom.AddMeeting(m)
	s.Start()
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	syncertest.Eventually(t, "the download has begun", func() (bool, string) { st := s.Zoom.Stats(); return st.Bytes > 0, fmt.Sprintf("%+v", st) })
	s.Zoom.Change(m.UUID, "f-1", func(f *zoomemu.File) { f.Deleted = true })
	s.Update(func(ctx context.Context, x store.Session) error {
		return store.MarkGone(ctx, x, m.UUID, []string{"f-1"}, time.Now())
	})
	s.Archived(1, m.UUID+"/f-2")
}

// TestCaptionsWithoutAnID are kept, and nothing of them is trashed at Zoom.
func TestCaptionsWithoutAnID(t *testing.T) {
	s := syncertest.New(t, trashing).Start()
	m := s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	m.Files = append(m.Files, zoomemu.File{Type: "CC", Start: syncertest.LessonStart, Content: emulator.Bytes([]byte("WEBVTT\n"))}, zoomemu.File{Type: "TIMELINE", Start: syncertest.LessonStart, Content: emulator.Bytes(nil)})
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	s.Archived(1)
	syncertest.Eventually(t, "trashed", func() (bool, string) { got := s.Zoom.Stats().Trashed; return len(got) == 1, fmt.Sprint(got) })
	if history := explained(t, s, "uuid-1=="); !strings.Contains(history, "file CC@"+syncertest.LessonStart.Format(time.RFC3339)) {
		t.Errorf("not kept:\n%s", history)
	}
}

// TestARedeliveryWithANewToken: the webhook's token has expired and the app has none; one
// that is delivered again at the same event time brings another, which is used at once.
func TestARedeliveryWithANewToken(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) {
		c.RetryDelays = []time.Duration{50 * time.Millisecond, 50 * time.Millisecond, time.Hour}
	})).Start()
	s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = '' WHERE id = 1`)
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	event := s.Zoom.Event("recording.completed", "uuid-1==")
	s.Zoom.ExpireTokens()
	s.Deliver(event)
	s.Failed(1, "no_access_at_zoom")
	s.Idle()
	var old, next map[string]any
	for body, into := range map[*map[string]any][]byte{&old: event, &next: s.Zoom.Event("recording.completed", "uuid-1==")} {
		if err := json.Unmarshal(into, body); err != nil {
			t.Fatal(err)
		}
	}
	next["event_ts"] = old["event_ts"]
	again, err := json.Marshal(next)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Deliver(again); got != "duplicate" {
		t.Errorf("answered %q", got)
	}
	s.Archived(1)
}

// TestAnArchivedPartIsDamagedAtZoom: a later part needs the first one again, which Zoom
// gives damaged now: the run ends with a reason, and the archived recording stays.
func TestAnArchivedPartIsDamagedAtZoom(t *testing.T) {
	s := syncertest.New(t).Start()
	m := s.Record("1", number, "uuid-1==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "uuid-1=="))
	first := s.Archived(1)
	before := s.BytesOf(first)
	s.Idle()
	s.Zoom.Change("uuid-1==", "file-uuid-1==", func(f *zoomemu.File) { f.Content = emulator.Synthetic(m.Files[0].Content.Size(), 1) })
	laterPart(s)
	s.Failed(1, "download_invalid")
	r := s.Recordings(1)[0]
	if !r.Playable() || r.Location() != first.Location() || !bytes.Equal(s.BytesOf(r), before) {
		t.Errorf("%+v became %+v", first, r)
	}
}

// TestNothingStaysReserved: a run that finds out by downloading that there is nothing more
// to archive leaves no quota reserved.
func TestNothingStaysReserved(t *testing.T) {
	s := syncertest.New(t).Start()
	m := zoomemu.Meeting{Account: "acc-1", ID: 86412345678, UUID: "late==", Host: "host-1", Start: syncertest.LessonStart, Minutes: 60,
		Files: files(body(t, "mp4/part-a.mp4"), emulator.Bytes([]byte("<html>Sign in</html>"+strings.Repeat(" ", 1<<20))))}
	late := m.Files[1]
	m.Files = m.Files[:1]
	s.Zoom.AddMeeting(m)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	r := s.Archived(1)
	s.Zoom.AddFile(m.UUID, late)
	s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
	syncertest.Eventually(t, "the late part is given up", func() (bool, string) {
		i, history := s.Ingest(1), explained(t, s, m.UUID)
		return i.Lease == "" && i.FailingSince.IsZero() && strings.Contains(history, "part missing: "), history
	})
	if q := s.Quota(1); q.Used != r.Size || q.Reserved != 0 {
		t.Errorf("quota: %+v of %d", q, r.Size)
	}
}
