package document

import (
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/media"
)

const sample = `
people:
  - {email: anna@school.test, role: teacher, first_name: Анна, zoom_account_id: acc, zoom_client_id: cid, zoom_client_secret: hush}
  - {email: Ben@school.test}
  - {email: cleo@school.test, active: false}
groups:
  - name: Math A
    teacher: anna@school.test
    students: [ben@school.test, cleo@school.test]
  - {name: "7", teacher: anna@school.test}
lessons:
  - {title: Weekly, group: Math A, start: 2026-11-02T07:00:00Z, end: 2026-11-02 11:30:00+03:00, zoom_meeting_id: 81234567890, record: true}
  - {title: Weekly, group: Math A, start: 2026-11-09T07:00:00Z, end: 2026-11-09T08:30:00Z, zoom_meeting_id: 81234567890, available_days: 0}
  - {title: Оптика, group: "7", start: 2026-11-09T07:00:00Z, end: 2026-11-09T08:30:00Z}
recordings:
  - {lesson: Оптика, status: ready, provider: local, key: optics.mp4, size: 50MiB, duration: 1h30m}
  - {lesson: 1, title: Part 1, status: ready, provider: gdrive, key: 1AbC, allowed_groups: [Math A, "7"], allowed_students: [3]}
  - {teacher: anna@school.test, title: Extra, visibility: custom_students, allowed_students: [ben@school.test], available_until: 2027-01-01, provider: s3, key: a/b.mp4, status: archived}
  - {lesson: 2, visibility: all_teacher_groups, key: x}
`

func apply(t *testing.T, s *catalogtest.DB, doc string) []string {
	t.Helper()
	changes, err := Apply(t.Context(), s.Store, strings.NewReader(doc), false)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range changes {
		lines = append(lines, c.String())
	}
	return lines
}

// export is the whole catalog as a document.
func export(t *testing.T, s *catalogtest.DB) string {
	t.Helper()
	var b strings.Builder
	if err := Export(t.Context(), s.Store, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestApply(t *testing.T) {
	t.Parallel()
	catalogtest.EachStandalone(t, func(t *testing.T, open func(testing.TB) *catalogtest.DB) {
		s, ctx := open(t), t.Context()
		dry := open(t) // a catalog of its own: PostgreSQL's ids do not roll back
		if changes, err := Apply(ctx, dry.Store, strings.NewReader(sample), true); err != nil || len(changes) != 12 {
			t.Fatalf("dry run: %v, %v", changes, err)
		}
		if has, err := schema.HasData(ctx, dry.Store); has || err != nil {
			t.Fatalf("the dry run left something: %v, %v", has, err)
		}
		if lines := apply(t, s, sample); len(lines) != 12 || lines[0] != `add person 1 "anna@school.test"` || lines[8] != `add recording 1 ""` {
			t.Errorf("%q", lines)
		}
		for range 2 {
			if lines := apply(t, s, sample); len(lines) != 0 {
				t.Errorf("applied again: %q", lines)
			}
		}

		rec, err := s.Recording(ctx, 1)
		want := media.Recording{ID: 1, LessonID: 3, OwnerID: 1, Title: "Оптика", Status: "ready", Visibility: "lesson_group",
			Location: media.Location{Provider: "local", Key: "optics.mp4"}, Size: 50 << 20, Duration: 5400e9}
		if rec != want || err != nil {
			t.Errorf("%+v, %v; want %+v", rec, err, want)
		}
		groups := func(id int) int64 {
			return s.Count(t, `SELECT COALESCE(sum(group_id), 0) FROM public.schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = $1`, id)
		}
		if groups(1) != 2 || groups(2) != 3 || groups(3) != 0 || groups(4) != 0 {
			t.Errorf("allowed groups: %d %d %d %d", groups(1), groups(2), groups(3), groups(4))
		}
		if rec, err := s.Recording(ctx, 2); err != nil || rec.Location != (media.Location{Provider: media.ProviderDrive, Key: "1AbC"}) {
			t.Errorf("%+v, %v", rec, err)
		}
		if m, err := s.Membership(ctx, 2, media.Recording{ID: 3, OwnerID: 1}); err != nil || !m.ListedStudent || !m.InTeachersGroup || m.InAllowedGroup {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

func TestApplyChanges(t *testing.T) {
	cases := []struct{ doc, want string }{
		{"people: [{email: ANNA@school.test, role: teacher}]", `change person 1 "ANNA@school.test": email "anna@school.test" → "ANNA@school.test"`},
		{"people: [{email: ben@school.test, active: false}]", `change person 2 "ben@school.test": email "Ben@school.test" → "ben@school.test", active true → false`},
		{"people: [{id: 1, zoom_client_secret: other}]", `change person 1 "": zoom_client_secret … → …`},
		{"groups: [{name: Math A, students: [ben@school.test, 1]}]", `change group 1 "Math A": students + 1, students − 3`},
		{"groups: [{name: Math A}]", ``},
		{"lessons: [{id: 1, title: Weekly, start: 2026-11-02 08:00}]", `change lesson 1 "Weekly": start 2026-11-02T07:00:00Z → 2026-11-02T08:00:00Z`},
		{"lessons: [{id: 1, zoom_meeting_id: ''}]", `change lesson 1 "": zoom_meeting_id "81234567890" → ""`},
		{"recordings: [{id: 1, provider: gdrive, key: 9X}]", `change recording 1 "": provider "local" → "gdrive", key "optics.mp4" → "9X", gdrive_file_id "" → "9X"`},
		{"recordings: [{id: 2, provider: local, key: f.mp4}]", `change recording 2 "": provider "gdrive" → "local", key "1AbC" → "f.mp4", gdrive_file_id "1AbC" → ""`},
		{"recordings: [{id: 3, available_until: never, size: 1}]", `change recording 3 "": size none → 1, available_until 2027-01-01T00:00:00Z → none`},
		{"recordings: [{id: 2, allowed_groups: []}]", `change recording 2 "": allowed_groups − 1, allowed_groups − 2`},
		{"recordings: [{id: 40, lesson: 1, title: New}]", `add recording 40 "New"`},
		{"recordings: [{lesson: 1, title: Newer}]", `add recording 41 "Newer"`},
		{"people: [{email: d@school.test}]", `add person 4 "d@school.test"`},
		{"", ""},
		{"people: []", ""},
	}
	catalogtest.EachStandalone(t, func(t *testing.T, open func(testing.TB) *catalogtest.DB) {
		s := open(t)
		apply(t, s, sample)
		for _, c := range cases {
			if got := strings.Join(apply(t, s, c.doc), "\n"); got != c.want {
				t.Errorf("%s:\n got %s\nwant %s", c.doc, got, c.want)
			}
			if again := apply(t, s, c.doc); len(again) != 0 {
				t.Errorf("%s again: %q", c.doc, again)
			}
		}
	})
}

func TestApplyRefuses(t *testing.T) {
	cases := []struct{ doc, want string }{
		{"people:\n  - email: x@y.test\n    rolle: admin", `line 3: a person has no key "rolle"`},
		{"people:\n  - rolle: admin\n    mail: x@y.test", `line 2: a person has no key "rolle"; line 3: a person has no key "mail"`},
		{"peoples: []", `line 1: unknown key "peoples"`},
		{"people: [{email: x@y.test, role: owner}]", `people[0].role: "owner" is not one of student, teacher, admin`},
		{"people: [{role: admin}]", `people[0]: give an email or an id`},
		{"people: [{email: x@y.test}, {email: X@y.test}]", `people[1]: the same person as people[0]`},
		{"people: [{email: x@y.test, active: perhaps}]", `line 1: cannot unmarshal`},
		{"people: [", `did not find expected`},
		{"people: []\n---\ngroups: []", `second document`},
		{"groups: [{name: New}]", `groups[0]: a new group needs a name and a teacher`},
		{"groups: [{name: New, teacher: nobody@x.test}]", `groups[0].teacher: no person "nobody@x.test"`},
		{"groups: [{name: Math A, students: [2, 77]}]", `groups[0].students[1]: no person 77`},
		{"lessons: [{title: X, group: Nowhere, start: 2026-11-02}]", `lessons[0].group: no group "Nowhere"`},
		{"lessons: [{title: X, group: Math A, start: 2026-11-02T10:00:00Z}]", `lessons[0]: a new lesson needs`},
		{"lessons: [{title: X, group: Math A, start: 2026-11-02T10:00:00Z, end: 2026-11-02T09:00:00Z}]", `lessons[0].end`},
		{"lessons:\n  - start: soon", `line 2: "soon" is not a time`},
		{"people: [{email: new@x.test}]\nrecordings: [{id: 1}, {id: 2}, {lesson: X}]", `recordings[2].lesson: no lesson "X"`},
		{"recordings: [{lesson: Weekly}]", `recordings[0].lesson: 2 lessons are called "Weekly": give the id (1, …)`},
		{"recordings: [{lesson: Оптика, status: done}]", `recordings[0].status: "done" is not one of processing, ready, archived, failed, deleted`},
		{"recordings: [{lesson: Оптика, size: big}]", `"big" is not a size`},
		{"recordings: [{lesson: Оптика, duration: -1}]", `"-1" is not a length`},
		{"recordings: [{title: X}]", `recordings[0]: give a lesson, a teacher or an id`},
		{"recordings: [{id: -4, lesson: 1}]", `recordings[0].id: -4 is not an id`},
		{"recordings: [{lesson: 1, title: " + strings.Repeat("x", 300) + "}]", `recordings[0]: `},
		{"recordings: [{lesson: 1, zoom_recording_id: z}, {id: 50, lesson: 1, zoom_recording_id: z}]", `recordings[1]: `},
	}
	catalogtest.EachStandalone(t, func(t *testing.T, open func(testing.TB) *catalogtest.DB) {
		s := open(t)
		apply(t, s, sample)
		before := export(t, s)
		for _, c := range cases {
			changes, err := Apply(t.Context(), s.Store, strings.NewReader(c.doc), false)
			if media.KindOf(err) != media.Invalid || changes != nil {
				t.Errorf("%.80s: %v, %v", c.doc, changes, err)
			}
			catalogtest.WantText(t, err, c.want)
		}
		if after := export(t, s); after != before {
			t.Errorf("something was applied:\n%s", after)
		}
	})
}

// TestExportApplyExport: an export applied to an empty catalog exports the same,
// in and between all kinds of database.
func TestExportApplyExport(t *testing.T) {
	t.Parallel()
	catalogtest.EachStandalone(t, func(t *testing.T, open func(testing.TB) *catalogtest.DB) {
		for _, d := range catalogtest.Databases {
			to := open(t)
			if to.Dialect() == catalog.Postgres && d.Name != "sqlite" {
				continue // the document does not know where it will be applied
			}
			from := d.Open(t)
			if d.Name == "sqlite" || d.Name == "postgres" {
				apply(t, from, `groups: [{name: Math A, teacher: 4}, {name: "12", teacher: 3}, {name: "yes", teacher: 3}]`)
			}
			exported := export(t, from)
			apply(t, to, exported)
			if again := export(t, to); again != exported {
				t.Errorf("%s: exported\n%s\nthen\n%s", d.Name, exported, again)
			}
			if lines := apply(t, to, exported); len(lines) != 0 {
				t.Errorf("%s: the export applied again: %q", d.Name, lines)
			}
			// What came with ids of its own is not in the way of what comes without.
			apply(t, to, `people: [{email: later@x.test}]`)
		}
	})
}

func TestExportIsReadable(t *testing.T) {
	s := catalogtest.SQLite(t)
	if got := export(t, s); got != exportHeader+"{}\n" {
		t.Errorf("an empty catalog: %q", got)
	}
	apply(t, s, `
people: [{email: anna@school.test, role: teacher}]
groups: [{name: Math A, teacher: anna@school.test, students: []}]
lessons: [{title: Оптика, group: Math A, start: 2026-11-02T07:00:00Z, end: 2026-11-02T08:30:00Z, zoom_meeting_id: 812}]
recordings: [{lesson: Оптика, provider: local, key: "001", duration: 90, created: 2026-11-02 09:00}]`)
	want := exportHeader + `people:
  - id: 1
    email: anna@school.test
    role: teacher
    active: true
groups:
  - id: 1
    name: Math A
    teacher: anna@school.test
    students: []
lessons:
  - id: 1
    title: Оптика
    group: Math A
    teacher: anna@school.test
    start: 2026-11-02T07:00:00Z
    end: 2026-11-02T08:30:00Z
    zoom_meeting_id: "812"
    record: false
    available_days: 90
recordings:
  - id: 1
    lesson: 1
    title: ""
    status: processing
    visibility: lesson_group
    provider: local
    key: "001"
    duration: 1m30s
    allowed_groups:
      - Math A
    allowed_students: []
    type: shared_screen_with_speaker_view
    created: 2026-11-02T09:00:00Z
`
	if got := export(t, s); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestReadDocumentAliases reads documents of a few kilobytes whose aliases stand for
// millions of entries.
func TestReadDocumentAliases(t *testing.T) {
	wide := strings.Repeat("s@school.test, ", 1000)
	for name, in := range map[string]string{
		"a list of a thousand, ten thousand times": "groups:\n  - {name: G, teacher: t@school.test, students: &all [" + wide + "]}\n" + strings.Repeat("  - {name: G, teacher: t@school.test, students: *all}\n", 10_000),
		"a merge of a merge":                       "people:\n  - &a {email: a@school.test}\n  - &b {<<: [" + strings.Repeat("*a, ", 1000) + "]}\n" + strings.Repeat("  - {<<: ["+strings.Repeat("*b, ", 1000)+"]}\n", 10),
		"an alias of itself":                       "groups:\n  - {name: G, students: &all [*all]}\n",
	} {
		if _, err := readDocument(strings.NewReader(in)); media.KindOf(err) != media.Invalid {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Logf("%s: %.200s", name, err)
		}
	}
}

func FuzzReadDocument(f *testing.F) {
	for _, seed := range []string{sample, "people: [{id: 1}]", "recordings:\n- {duration: 1h, size: 1MiB, lesson: 3}", "a: &a [*a]", "people: {}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if _, err := readDocument(strings.NewReader(in)); err != nil && media.KindOf(err) != media.Invalid {
			t.Errorf("%q: %v", in, err)
		}
	})
}
