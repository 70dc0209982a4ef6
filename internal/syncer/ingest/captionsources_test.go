package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// meetingFile makes a completed file of meeting "m" from seconds after ten o'clock.
func meetingFile(id, kind string, from, to int, change ...func(*store.File)) store.File {
	ten := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	f := store.File{MeetingUUID: "m", ID: id, Type: kind, Start: ten.Add(time.Duration(from) * time.Second), DownloadURL: "https://zoom.test/" + id}
	if to > from {
		f.End = ten.Add(time.Duration(to) * time.Second)
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func TestCaptionSources(t *testing.T) {
	plays := func(seconds int) func(*store.File) {
		return func(f *store.File) { f.Measured = time.Duration(seconds) * time.Second }
	}
	noStart := func(f *store.File) { f.Start, f.End = time.Time{}, time.Time{} }
	gone := func(f *store.File) { f.GoneAt = f.Start }
	processing := func(f *store.File) { f.Status = "processing" }
	other := func(f *store.File) { f.MeetingUUID = "n" }
	for _, c := range []struct {
		name     string
		segments []store.File
		texts    []store.File
		want     string // id@offset …
	}{
		{"one", []store.File{meetingFile("a", "MP4", 0, 60)}, []store.File{meetingFile("t", "TRANSCRIPT", 0, 60)}, "t@0s"},
		{"the recording was paused", []store.File{meetingFile("a", "MP4", 0, 1800, plays(2)), meetingFile("b", "MP4", 1860, 1920, plays(2))},
			[]store.File{meetingFile("t1", "TRANSCRIPT", 0, 1800), meetingFile("t2", "TRANSCRIPT", 1860, 1920)}, "t1@0s t2@2s"},
		{"not measured", []store.File{meetingFile("a", "MP4", 0, 60), meetingFile("b", "MP4", 100, 160)}, []store.File{meetingFile("t", "TRANSCRIPT", 100, 160)}, "t@1m0s"},
		{"segments out of order", []store.File{meetingFile("b", "MP4", 100, 160), meetingFile("a", "MP4", 0, 60)}, []store.File{meetingFile("t", "TRANSCRIPT", 101, 160)}, "t@1m0s"},
		{"live captions only", []store.File{meetingFile("a", "MP4", 0, 60)}, []store.File{meetingFile("c", "CC", 0, 60)}, "c@0s"},
		{"live captions beside a transcript", []store.File{meetingFile("a", "MP4", 0, 60)}, []store.File{meetingFile("c", "CC", 0, 60), meetingFile("t", "TRANSCRIPT", 0, 60)}, "t@0s"},
		{"live captions for one segment, a transcript for the other", []store.File{meetingFile("a", "MP4", 0, 60), meetingFile("b", "MP4", 100, 160)},
			[]store.File{meetingFile("c1", "CC", 0, 60), meetingFile("c2", "CC", 100, 160), meetingFile("t2", "TRANSCRIPT", 100, 160)}, "c1@0s t2@1m0s"},
		{"a text without a time", []store.File{meetingFile("a", "MP4", 0, 60), meetingFile("b", "MP4", 100, 160)}, []store.File{meetingFile("c", "CC", 0, 0, noStart)}, "c@0s"},
		{"a text without an end", []store.File{meetingFile("a", "MP4", 0, 60), meetingFile("b", "MP4", 100, 160)}, []store.File{meetingFile("c", "CC", 120, 0)}, "c@1m0s"},
		{"the text of a segment that is missing", []store.File{meetingFile("a", "MP4", 0, 60), meetingFile("c", "MP4", 200, 260)}, []store.File{meetingFile("t", "TRANSCRIPT", 100, 160)}, ""},
		{"another meeting's", []store.File{meetingFile("a", "MP4", 0, 60)}, []store.File{meetingFile("t", "TRANSCRIPT", 0, 60, other)}, ""},
		{"gone, or not finished", []store.File{meetingFile("a", "MP4", 0, 60)}, []store.File{meetingFile("t", "TRANSCRIPT", 0, 60, gone), meetingFile("u", "TRANSCRIPT", 0, 60, processing)}, ""},
	} {
		byMeeting := map[string]*store.Meeting{"m": {UUID: "m"}, "n": {UUID: "n"}}
		for _, f := range c.texts {
			m := byMeeting[f.MeetingUUID]
			m.Files = append(m.Files, f)
		}
		var got []string
		for _, s := range captionSources(c.segments, []store.Meeting{*byMeeting["m"], *byMeeting["n"]}) {
			got = append(got, fmt.Sprintf("%s@%s", s.file.ID, s.offset))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, strings.Join(got, " "), c.want)
		}
	}
}
