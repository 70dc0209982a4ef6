package ingest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

var ten = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// file reads "id view from-to [word…]", minutes after ten; words: m4a, chat, processing, gone, archived.
func file(uuid, spec string) store.File {
	words := strings.Fields(spec)
	f := store.File{MeetingUUID: uuid, ID: words[0], Type: "MP4", View: words[1], Status: "completed", Size: 100}
	from, to, _ := strings.Cut(words[2], "-")
	minutes := func(s string) time.Time {
		d, err := time.ParseDuration(s + "m")
		if err != nil {
			return time.Time{}
		}
		return ten.Add(d)
	}
	f.Start, f.End = minutes(from), minutes(to)
	for _, w := range words[3:] {
		switch w {
		case "m4a":
			f.Type = "M4A"
		case "chat":
			f.Type = "CHAT"
		case "processing":
			f.Status, f.End = "processing", time.Time{}
		case "gone":
			f.GoneAt = ten
		case "archived":
			f.ArchivedAt, f.TrashedAt = ten, ten
		}
	}
	return f
}

// archivedOf are the names of the archived files.
func archivedOf(meetings []store.Meeting) (names []string) {
	for _, m := range meetings {
		for _, f := range m.Files {
			if !f.ArchivedAt.IsZero() {
				names = append(names, f.Name())
			}
		}
	}
	return names
}

// TestPlanOfAnotherRecording: what another recording was made of is a part only while Zoom
// has it; what the archived recording was made of and nobody knows any more is lacking.
func TestPlanOfAnotherRecording(t *testing.T) {
	const best = "shared_screen_with_speaker_view"
	again := file("u", "b "+best+" 30-60 archived")
	again.TrashedAt = time.Time{}
	for _, c := range []struct {
		name                      string
		files                     []store.File
		archived                  string
		parts, elsewhere, lacking string
	}{
		{"only in the other one", []store.File{file("u", "a "+best+" 0-20"), file("u", "b "+best+" 30-60 archived")}, "", "u/a", "u/b", ""},
		{"nothing else", []store.File{file("u", "b "+best+" 30-60 archived gone")}, "", "", "u/b", ""},
		{"still at Zoom", []store.File{file("u", "a "+best+" 0-20"), again}, "", "u/a u/b", "", ""},
		{"in this one", []store.File{file("u", "a "+best+" 0-20"), file("u", "b "+best+" 30-60 archived")}, "u/b", "u/a u/b", "", ""},
		{"in this one, gone unnoticed", []store.File{file("u", "a "+best+" 0-20 gone"), file("u", "b "+best+" 30-60")}, "u/a", "u/a u/b", "", ""},
		{"a part that nobody knows", []store.File{file("u", "a "+best+" 0-20")}, "u/a w/c", "u/a", "", "w/c"},
	} {
		p := makePlan([]store.Meeting{{UUID: "u", Start: ten, Files: c.files}}, strings.Fields(c.archived), 0, ten.Add(2*time.Hour))
		got := strings.Join(p.names(), " ") + "|" + strings.Join(plan{parts: p.elsewhere}.names(), " ") + "|" + strings.Join(p.lacking, " ")
		if want := c.parts + "|" + c.elsewhere + "|" + c.lacking; got != want || p.gone {
			t.Errorf("%s: %s, gone %t, want %s", c.name, got, p.gone, want)
		}
	}
}

// TestPartsOfRow: a row of the platform's stands for what it names, and for nothing else.
func TestPartsOfRow(t *testing.T) {
	const best = "shared_screen_with_speaker_view"
	meetings := []store.Meeting{
		{UUID: "u", MeetingID: "864", Start: ten, Files: []store.File{file("u", "a "+best+" 0-20 gone"), file("u", "g gallery_view 0-20"), file("u", "b "+best+" 30-40")}},
		{UUID: "w", MeetingID: "999", Start: ten, Files: []store.File{file("w", "c "+best+" 45-60")}},
	}
	for zoomID, want := range map[string]string{"a": "u/a", "g": "u/g", "c": "w/c", "bundle_u": "u/a u/b", "bundle_864": "u/a u/b", "bundle_w": "w/c", "x": "", "": ""} {
		if got := strings.Join(partsOfRow(zoomID, meetings, ten.Add(2*time.Hour)), " "); got != want {
			t.Errorf("%q: %q, want %q", zoomID, got, want)
		}
	}
}

// TestPlan: platform-pains B14, B15 (views, audio, chats), F15 of the domain (all
// segments), late segments.
func TestPlan(t *testing.T) {
	const best, gallery, speaker = "shared_screen_with_speaker_view", "gallery_view", "active_speaker"
	for _, c := range []struct {
		name   string
		files  map[string][]string // by meeting
		want   string
		settle time.Duration // after ten
		state  string        // processing, gone
	}{
		{"one file", map[string][]string{"u": {"a " + best + " 0-60"}}, "u/a", 65 * time.Minute, ""},
		{"two views are one recording", map[string][]string{"u": {"g " + gallery + " 0-60", "a " + best + " 0-60", "s " + speaker + " 0-60"}}, "u/a", 65 * time.Minute, ""},
		{"all segments, in time order", map[string][]string{"u": {"b " + best + " 30-60", "a " + best + " 0-20", "g " + gallery + " 0-20", "h " + gallery + " 30-60"}}, "u/a u/b", 65 * time.Minute, ""},
		{"the host restarted", map[string][]string{"u": {"a " + best + " 0-20"}, "w": {"b " + best + " 25-60"}}, "u/a w/b", 65 * time.Minute, ""},
		{"a segment without the best view is not lost", map[string][]string{"u": {"a " + best + " 0-20", "g " + gallery + " 0-20", "h " + gallery + " 30-60"}}, "u/a u/h", 65 * time.Minute, ""},
		{"sound only where there are no pictures", map[string][]string{"u": {"m audio_only 0-60 m4a", "a " + gallery + " 0-60"}}, "u/a", 65 * time.Minute, ""},
		{"a lesson of sound", map[string][]string{"u": {"m audio_only 0-60 m4a", "c chat_file 0-60 chat"}}, "u/m", 65 * time.Minute, ""},
		{"each participant's sound is no lesson", map[string][]string{"u": {"m audio_only_each_participant 0-60 m4a"}}, "", 0, ""},
		{"an unknown view is better than none", map[string][]string{"u": {"x production_studio 0-60"}}, "u/x", 65 * time.Minute, ""},
		{"an interpreter's picture is no lesson", map[string][]string{"u": {"x sign_interpretation 0-60"}}, "", 0, ""},
		{"still processing", map[string][]string{"u": {"a " + best + " 0-20", "b " + best + " 30- processing"}}, "u/a", 25 * time.Minute, "processing"},
		{"a better view still processing", map[string][]string{"u": {"g " + gallery + " 0-60", "a " + best + " 0- processing"}}, "u/g", 65 * time.Minute, "processing"},
		{"sound does not run ahead of pictures", map[string][]string{"u": {"m audio_only 0-60 m4a", "a " + best + " 0- processing"}}, "", 0, "processing"},
		{"trashed at Zoom before it was archived", map[string][]string{"u": {"a " + best + " 0-60 gone"}}, "", 0, "gone"},
		{"what is archived stays part of it", map[string][]string{"u": {"a " + best + " 0-20 archived gone", "b " + best + " 30-60"}}, "u/a u/b", 65 * time.Minute, ""},
		{"nothing recorded", map[string][]string{"u": nil}, "", 0, ""},
	} {
		var meetings []store.Meeting
		for _, uuid := range []string{"u", "w"} {
			m := store.Meeting{UUID: uuid, Start: ten}
			for _, spec := range c.files[uuid] {
				m.Files = append(m.Files, file(uuid, spec))
			}
			meetings = append(meetings, m)
		}
		p := makePlan(meetings, archivedOf(meetings), 5*time.Minute, ten.Add(2*time.Hour))
		if got := strings.Join(p.names(), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if c.settle != 0 && !p.settled.Equal(ten.Add(c.settle)) {
			t.Errorf("%s: settled %s after ten", c.name, p.settled.Sub(ten))
		}
		if p.processing != (c.state == "processing") || p.gone != (c.state == "gone") {
			t.Errorf("%s: processing %v, gone %v", c.name, p.processing, p.gone)
		}
	}
	stuckFor := makePlan([]store.Meeting{{UUID: "u", Files: []store.File{file("u", "a "+best+" 0-20"), file("u", "b "+best+" 30- processing")}}}, nil, 0, ten.Add(3*24*time.Hour))
	if stuckFor.processing || len(stuckFor.parts) != 1 {
		t.Errorf("a file that Zoom never finishes holds up the others: %+v", stuckFor)
	}
}

func TestPrivacyLine(t *testing.T) {
	for _, c := range []struct {
		notes            string
		visibility       media.Visibility
		groups, students []int64
	}{
		{"", media.VisibleLessonGroup, nil, nil},
		{"bring a book\nPrivacy: {\"privacy_type\": \"students\", \"allowed_students\": [4, \"5\"]}\nend", media.VisibleCustomStudents, nil, []int64{4, 5}},
		{`Privacy: {"privacy_type": "groups", "allowed_groups": [1]}`, media.VisibleCustomGroups, []int64{1}, nil},
		{`Privacy: {"privacy_type": "all"}`, media.VisibleAllGroups, nil, nil},
		{`Privacy: {"privacy_type": "everybody"}`, media.VisibleLessonGroup, nil, nil},
		{`Privacy: {broken`, media.VisibleLessonGroup, nil, nil},
		{`Privacy: {"privacy_type": "groups", "allowed_groups": [null, {}, -1, 1.5, 2]}`, media.VisibleCustomGroups, []int64{2}, nil},
	} {
		p := parsePrivacy(c.notes)
		if p.visibility != c.visibility || !slices.Equal(p.groups, c.groups) || !slices.Equal(p.students, c.students) {
			t.Errorf("%q: %+v", c.notes, p)
		}
	}
}

// TestChangedParts: another version at Zoom replaces an archived part, unless its download
// gives no recording for now, or the archive has the only copy of another part.
func TestChangedParts(t *testing.T) {
	changed := func(f store.File) store.File {
		f.TrashedAt, f.ArchivedSize = time.Time{}, f.Size-1
		return f
	}
	faulty := func(f store.File) store.File {
		f.Fault = store.Fault{Reason: store.ReasonDownloadInvalid, Count: store.DownloadTries, RetryAt: ten.Add(time.Hour)}
		return f
	}
	a, b := file("u", "a gallery_view 0-10 archived"), file("u", "b gallery_view 15-25 archived")
	for name, c := range map[string]struct {
		files         []store.File
		changed       bool
		kept, missing int
		nextTry       time.Time
	}{
		"as archived":                {files: []store.File{a, b}},
		"changed":                    {files: []store.File{changed(a), changed(b)}, changed: true},
		"the other is only archived": {files: []store.File{a, changed(b)}, kept: 1, missing: 1},
		"the new version is no file": {files: []store.File{faulty(changed(a))}, missing: 1, nextTry: ten.Add(time.Hour)},
		"one is no file, one is":     {files: []store.File{faulty(changed(a)), changed(b)}, changed: true, missing: 1, nextTry: ten.Add(time.Hour)},
		"the size was never known":   {files: []store.File{func() store.File { f := changed(a); f.ArchivedSize = 0; return f }()}},
		"changed, then trashed":      {files: []store.File{func() store.File { f := changed(a); f.GoneAt = ten; return f }()}},
	} {
		var archived []string
		for _, f := range c.files {
			archived = append(archived, f.Name())
		}
		p := makePlan([]store.Meeting{{UUID: "u", Files: c.files}}, archived, 0, ten)
		if len(p.parts) != len(c.files) || p.changed != c.changed || len(p.kept) != c.kept || len(p.missing) != c.missing || !p.nextTry().Equal(c.nextTry) {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
