package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// student is one of the school's. Its groups are named for their teachers.
type student struct {
	name   string
	id     int64
	groups map[int]bool // in which it is now
	ever   map[int]bool // in which it was at some moment
	moved  bool         // it has changed its groups
	active bool
}

// lesson is a lesson as people have entered it.
type lesson struct {
	title    string
	group    int   // named for its teacher
	teachers []int // who have given it
	entered  bool
	privacy  privacy
	// slots are where in the timetable it has been, the latest last.
	slots []slot
}

// slot is a meeting's number and a time. A recording that begins in it is the lesson's.
type slot struct {
	meeting int64
	start   time.Time
}

// privacy is who a lesson's recording is for, in the platform's words.
type privacy struct {
	kind    string // lesson_group, all, students or groups
	student *student
	group   int
}

// notes are what the platform writes into a lesson.
func (p privacy) notes(groups map[int]int64) string {
	switch p.kind {
	case "students":
		return fmt.Sprintf(`Privacy: {"privacy_type": "students", "allowed_students": [%d]}`, p.student.id)
	case "groups":
		return fmt.Sprintf(`Privacy: {"privacy_type": "groups", "allowed_groups": ["%d"]}`, groups[p.group])
	default:
		return fmt.Sprintf(`Privacy: {"privacy_type": "%s"}`, p.kind)
	}
}

// mayBe reports whether a meeting may have been taken for a lesson's at some moment.
func (l *lesson) mayBe(m *meeting) bool {
	began := m.files[0].f.Start
	return l.entered && slices.ContainsFunc(l.slots, func(s slot) bool {
		return s.meeting == m.id && !began.Before(s.start.Add(-30*time.Minute)) && !began.After(s.start.Add(90*time.Minute))
	})
}

// isFor reports whether a lesson's recording is for a student now.
func (l *lesson) isFor(s *student) bool {
	switch l.privacy.kind {
	case "students": // listed once it was the teacher's
		return s == l.privacy.student && slices.ContainsFunc(l.teachers, func(n int) bool { return s.ever[n] })
	case "groups": // a group of another teacher is not listed
		return slices.Contains(l.teachers, l.privacy.group) && s.groups[l.privacy.group]
	case "all": // each teacher has one group
		return slices.ContainsFunc(l.teachers, func(n int) bool { return s.groups[n] })
	default:
		return s.groups[l.group]
	}
}

// watched is a recording with what the catalog says of it, and what it really shows.
type watched struct {
	media.Recording
	meetings []*meeting
}

// checkAccess: nobody may watch a recording that is not for them, whatever the syncer has
// made of it. The catalog and the rule of the gateway say who may; who it is for follows from
// the timetable alone.
//
// It looks at the latest recordings and at some of the others, unless all are wanted.
func (w *world) checkAccess(all bool) {
	w.t.Helper()
	for _, r := range w.watched(all) {
		for _, s := range w.students {
			if s.may(w, r) && !slices.ContainsFunc(w.lessonsOf(r), func(l *lesson) bool { return s.active && l.isFor(s) }) {
				w.fail("%s may watch recording %d of %s, which is for others", s.name, r.ID, r.names())
			}
		}
		for n := 1; n <= teachers; n++ {
			user := media.User{ID: w.teachers[n], Role: media.RoleTeacher, Active: true}
			gave := n == r.meetings[0].teacher || slices.ContainsFunc(w.lessonsOf(r), func(l *lesson) bool { return slices.Contains(l.teachers, n) })
			if !gave && auth.Decide(auth.RuleStrict, user, r.Recording, media.Membership{}, w.time()) == nil {
				w.fail("teacher %d may watch recording %d of %s, of a lesson of others", n, r.ID, r.names())
			}
		}
	}
}

// checkAudience: in the end those may watch whom a recording is for.
func (w *world) checkAudience() {
	w.t.Helper()
	for _, r := range w.watched(true) {
		lessons := w.lessonsOf(r)
		if len(lessons) != 1 || len(lessons[0].slots) != 1 || len(lessons[0].teachers) != 1 || w.time().After(r.meetings[0].expiresFrom()) {
			continue // it depends on when it was archived
		}
		for _, s := range w.students {
			if s.active && !s.moved && lessons[0].isFor(s) && !s.may(w, r) {
				w.fail("%s may not watch recording %d of %s, which is for them", s.name, r.ID, r.names())
			}
		}
	}
}

func (r watched) names() string {
	var out []string
	for _, m := range r.meetings {
		out = append(out, m.uuid)
	}
	return strings.Join(out, ", ")
}

// lessonsOf are the lessons that a recording may be of: all its meetings may be theirs.
func (w *world) lessonsOf(r watched) (out []*lesson) {
	for _, l := range w.lessons {
		if !slices.ContainsFunc(r.meetings, func(m *meeting) bool { return !l.mayBe(m) }) {
			out = append(out, l)
		}
	}
	return out
}

func (s *student) may(w *world, r watched) bool {
	w.t.Helper()
	m, err := w.admin.Membership(w.ctx, s.id, r.Recording)
	if err != nil {
		w.t.Fatal(err)
	}
	return auth.Decide(auth.RuleStrict, media.User{ID: s.id, Role: media.RoleStudent, Active: s.active}, r.Recording, m, w.time()) == nil
}

// watched are the recordings that can be watched, or the latest and some others.
func (w *world) watched(all bool) (out []watched) {
	w.t.Helper()
	var ids []int64
	w.view(func(ctx context.Context, x store.Session) error {
		ids = nil
		return x.Each(ctx, `SELECT id FROM public.schedule_lessonrecording WHERE archive_key <> '' AND NOT is_deleted ORDER BY id`, nil, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	const latest = 6
	for n, id := range ids {
		if !all && n < len(ids)-latest && w.faults.random.IntN(len(ids)) > 1 {
			continue
		}
		r, err := w.admin.Recording(w.ctx, id)
		if err != nil {
			w.t.Fatal(err)
		}
		shown := watched{Recording: r}
		for _, tag := range contentOf(w.objects.get(r.Location.Key)) {
			for _, m := range w.meetings {
				if strings.HasPrefix(tag, m.uuid+"/") && !slices.Contains(shown.meetings, m) {
					shown.meetings = append(shown.meetings, m)
				}
			}
		}
		if len(shown.meetings) > 0 { // else checkArchived says so
			out = append(out, shown)
		}
	}
	return out
}
