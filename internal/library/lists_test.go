package library

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
)

func demoLibrary(db *catalogtest.DB, strict bool) *Reader {
	return NewReader(db.Store, strict, func() time.Time { return catalogtest.DemoNow })
}

func entryIDs(l Listing) (out []int64) {
	for _, e := range l.Entries {
		out = append(out, e.ID)
	}
	return out
}

var wholeList = Window{Limit: 1000}

func studentIDs(t *testing.T, db *catalogtest.DB, strict bool, user int64, f Filter) []int64 {
	t.Helper()
	f.Window = wholeList
	list, err := demoLibrary(db, strict).StudentPage(t.Context(), user, f)
	if err != nil || list.Total != int64(len(list.Entries)) {
		t.Fatalf("student %d: %d of %d, %v", user, len(list.Entries), list.Total, err)
	}
	return entryIDs(list)
}

func teacherIDs(t *testing.T, db *catalogtest.DB, user int64, f Filter) []int64 {
	t.Helper()
	f.Window = wholeList
	list, err := demoLibrary(db, true).TeacherPage(t.Context(), user, f)
	if err != nil || list.Total != int64(len(list.Entries)) {
		t.Fatalf("teacher %d: %d of %d, %v", user, len(list.Entries), list.Total, err)
	}
	return entryIDs(list)
}

// TestStudentPageIsTheRule holds the list against the access rule, recording by
// recording: SQL and the pure function must not part.
func TestStudentPageIsTheRule(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		// Rows of every visibility with every way to be listed, beyond the demo's.
		db.Exec(t, `INSERT INTO public.schedule_lessonrecording_allowed_students (lessonrecording_id, customuser_id) VALUES (7, 9), (8, 5), (6, 9), (18, 12)`)
		db.Exec(t, `INSERT INTO public.schedule_lessonrecording_allowed_groups (lessonrecording_id, group_id) VALUES (9, 1), (17, 3), (19, 3)`)
		seen := 0
		for _, strict := range []bool{true, false} {
			rule := auth.RulePlatform
			if strict {
				rule = auth.RuleStrict
			}
			for user := int64(5); user <= 13; user++ {
				var want []int64
				for id := int64(1); id <= 36; id++ {
					e, m, err := demoLibrary(db, strict).Entry(t.Context(), id, user)
					if err != nil {
						t.Fatal(err)
					}
					// A row without bytes may be watched as far as the rule is concerned.
					rec := e.Recording
					rec.Location.Key = "anything"
					student := media.User{ID: user, Role: media.RoleStudent, Active: true}
					if e.Status == media.StatusReady && auth.Decide(rule, student, rec, m, catalogtest.DemoNow) == nil {
						want = append(want, id)
					}
				}
				got := slices.Sorted(slices.Values(studentIDs(t, db, strict, user, Filter{})))
				if !slices.Equal(got, want) {
					t.Errorf("%s, student %d: listed %v, may watch %v", rule, user, got, want)
				}
				seen += len(got)
			}
		}
		if seen < 100 {
			t.Errorf("only %d rows were listed", seen)
		}
	})
}

func TestStudentPageOrderAndFilters(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		for _, c := range []struct {
			user   int64
			filter Filter
			want   string
		}{
			// Standalone ones first, then by the lesson's start; of one lesson the higher id.
			{5, Filter{}, "[17 36 35 32 31 30 29 28 24 23 34 8 7 6 2]"},
			{11, Filter{}, "[19 32 31 30 29 28]"},
			{14, Filter{Search: "no such thing"}, "[]"},
			{5, Filter{Group: 3}, "[32 31 30 29 28]"},
			{5, Filter{Group: 2}, "[8]"}, // allowed, though the lesson is another group's
			{5, Filter{Group: 99}, "[]"},
			{5, Filter{Search: "ALGEBRA"}, "[36 35 24 23 8 7 6 2]"},
			{5, Filter{Search: "ЛИНЗЫ"}, "[32]"}, // its own title, in Cyrillic
			{5, Filter{Search: "for all my"}, "[17]"},
			{5, Filter{Search: "Линзы", Group: 1}, "[]"},
			{5, Filter{Search: "%"}, "[]"},
			{5, Filter{Search: ".*"}, "[]"},
			{5, Filter{Search: "_"}, "[]"},
			{5, Filter{Search: "["}, "[]"},
			{3, Filter{}, "[]"},
		} {
			if got := fmt.Sprint(studentIDs(t, db, true, c.user, c.filter)); got != c.want {
				t.Errorf("student %d, %+v: %s, want %s", c.user, c.filter, got, c.want)
			}
		}
	})
}

func TestTeacherPage(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		for _, c := range []struct {
			user   int64
			filter Filter
			want   string
		}{
			{3, Filter{}, "[1 2 3 4 6 7 8 9 10 11 12 13 14 15 16 17 18 19 22 23 24 33 35 36]"},
			{4, Filter{}, "[21 28 29 30 31 32 34]"}, // the substitute's lesson counts, the group does not
			{3, Filter{Status: "failed"}, "[4]"},
			{3, Filter{Status: "deleted"}, "[5]"}, // soft-deleted ones stay hidden
			{3, Filter{Status: "nonsense"}, "[]"},
			{3, Filter{Group: 2}, "[8 11 12 13 14 15 18 33]"},
			{3, Filter{Search: "standalone"}, "[16 17 18 19]"},
			{4, Filter{Search: "линзы"}, "[32]"},
			{5, Filter{}, "[]"},
		} {
			if got := fmt.Sprint(teacherIDs(t, db, c.user, c.filter)); got != c.want {
				t.Errorf("teacher %d, %+v: %s, want %s", c.user, c.filter, got, c.want)
			}
		}
		// Of one moment the higher id comes first.
		db.Exec(t, `UPDATE public.schedule_lessonrecording SET created_at = $1`, catalog.NewDBTime(catalogtest.DemoNow))
		if got := fmt.Sprint(teacherIDs(t, db, 4, Filter{})); got != "[34 32 31 30 29 28 21]" {
			t.Errorf("tied: %s", got)
		}
		list, err := demoLibrary(db, true).TeacherPage(t.Context(), 4, Filter{Window: Window{Offset: 4, Limit: 2}})
		if err != nil || fmt.Sprint(entryIDs(list)) != "[29 28]" || list.Total != 7 {
			t.Errorf("a window: %v of %d, %v", entryIDs(list), list.Total, err)
		}
	})
}

func TestEntryShowsEverything(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		e, m, err := demoLibrary(db, true).Entry(t.Context(), 10, 10)
		if err != nil || m != (media.Membership{ListedStudent: true, InTeachersGroup: true}) {
			t.Fatalf("%+v, %v", m, err)
		}
		if e.Title != "Weekly algebra" || e.OwnTitle != "" || e.OwnerID != 3 || e.Lesson.Group.Name != "Math A" || e.Lesson.Teacher.Middle != "T" ||
			fmt.Sprint(e.Groups) != "[{1 Math A}]" || fmt.Sprint(e.Students) != "[{10 Stu6 Dent6  student6@ref.test}]" || *e.FileSize != 52428810 {
			t.Errorf("%+v %+v", e, e.Lesson)
		}
		db.Exec(t, `INSERT INTO public.schedule_lessonrecording_allowed_students (lessonrecording_id, customuser_id) VALUES (10, 5), (10, 13)`)
		db.Exec(t, `INSERT INTO public.schedule_lessonrecording_allowed_groups (lessonrecording_id, group_id) VALUES (10, 3), (10, 2)`)
		if e, _, err = demoLibrary(db, true).Entry(t.Context(), 10, 10); err != nil || len(e.Students) != 3 || e.Students[0].ID != 13 || e.Students[2].ID != 5 {
			t.Errorf("students newest first: %+v, %v", e.Students, err)
		}
		if fmt.Sprint(e.Groups) != "[{1 Math A} {3 Physics <1>} {2 Математика Б}]" {
			t.Errorf("groups by name: %v", e.Groups)
		}
		e, _, err = demoLibrary(db, true).Entry(t.Context(), 21, 4)
		if err != nil || e.Lesson != nil || e.FileSize != nil || e.OwnerID != 4 || len(e.Groups) != 0 {
			t.Errorf("%+v, %v", e, err)
		}
		if e, _, err = demoLibrary(db, true).Entry(t.Context(), 25, 4); err != nil || !e.Deleted {
			t.Errorf("removed: %+v, %v", e, err)
		}
		if _, _, err = demoLibrary(db, true).Entry(t.Context(), 999, 4); media.KindOf(err) != media.NotFound {
			t.Errorf("no such row: %v", err)
		}
	})
}

func TestLessonEntriesAndProgress(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		l := demoLibrary(db, true)
		list, member, err := l.LessonEntries(t.Context(), 4, 5)
		if err != nil || !member || len(list) != 2 || list[0].Entry.ID != 35 || !list[0].Membership.InAllowedGroup {
			t.Errorf("%+v %v %v", list, member, err)
		}
		for user, want := range map[int64]bool{3: true, 4: false, 9: false, 1: false} {
			if _, member, err := l.LessonEntries(t.Context(), 4, user); err != nil || member != want {
				t.Errorf("user %d: %v, %v", user, member, err)
			}
		}
		if _, _, err := l.LessonEntries(t.Context(), 999, 5); media.KindOf(err) != media.NotFound {
			t.Errorf("no such lesson: %v", err)
		}
		db.Exec(t, `INSERT INTO lectern.lectern_ingests (lesson_id, recording_id, teacher_id, state, reason, created_at, updated_at) VALUES (1, 4, 3, 'failed', 'gone_at_zoom', $1, $1)`, catalog.NewDBTime(catalogtest.DemoNow))
		p, err := l.Progress(t.Context(), 3)
		if err != nil || len(p) != 2 || p[0].ID != 1 || p[0].Reason != "" || p[1].ID != 4 || p[1].Reason != "gone_at_zoom" || p[1].Title != "Weekly algebra" || p[1].LessonID != 1 {
			t.Errorf("%+v, %v", p, err)
		}
		if p, err := l.Progress(t.Context(), 4); err != nil || len(p) != 1 || p[0].ID != 21 || p[0].LessonID != 0 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// FuzzContaining holds the patterns of both databases against each other's meaning:
// a title contains what it was cut from, in any case.
func FuzzContaining(f *testing.F) {
	f.Add("Weekly *algebra* [1]? ^x$ \\d", "ALGEBRA* [")
	f.Add("Линзы и ПРИЗМЫ", "призмы")
	f.Add("İstanbul ſtraße K", "k")
	db := catalogtest.EmptySQLite(f)
	f.Fuzz(func(t *testing.T, title, text string) {
		for _, bad := range []string{title, text} {
			if strings.ToValidUTF8(bad, "") != bad || strings.ContainsRune(bad, 0) || len(bad) > 300 {
				return
			}
		}
		_, pattern := containing(catalog.SQLite, text)
		var got bool
		db.One(t, `SELECT $1 GLOB $2`, []any{title, pattern}, &got)
		if want := strings.Contains(folded(title), folded(text)); got != want {
			t.Errorf("%q in %q: %v, want %v (%q)", text, title, got, want, pattern)
		}
	})
}

// folded writes each letter as the least of its forms.
func folded(s string) string {
	return strings.Map(func(r rune) rune { return slices.Min(foldedForms(r)) }, s)
}
