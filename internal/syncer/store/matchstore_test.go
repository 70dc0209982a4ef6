package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// matched is a transaction in which a meeting is matched: its number is that of lesson a, which
// it begins with, and of lesson b a day later.
type matched struct {
	x    store.Session
	a, b int64
	m    store.Meeting
}

// ingestOfB requests the ingest of lesson b, and has a run archive parts; none = nothing yet.
func (c *matched) ingestOfB(ctx context.Context, events []store.IngestEvent, change func(*store.Ingest)) error {
	i, _, err := store.RequestIngest(ctx, c.x, store.Lesson{ID: c.b, TeacherID: teacher}, now)
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := i.Apply(e); err != nil {
			return err
		}
	}
	change(&i)
	_, err = store.SaveIngest(ctx, c.x, i, i.Lease, now)
	return err
}

// belongsToB says that the rule once chose lesson b.
func (c *matched) belongsToB(ctx context.Context) error {
	return store.AssignLesson(ctx, c.x, c.m.UUID, c.b, 0, "")
}

func (c *matched) exec(ctx context.Context, query string, args ...any) error {
	_, err := c.x.Exec(ctx, query, args...)
	return err
}

// TestMatch: which lesson a meeting gets, what is written of it, and what becomes of the
// lesson that it had; and that a match of which a statement fails says so.
func TestMatch(t *testing.T) {
	const (
		anew    = "lesson a, belongs to lesson a; stored a, belongs to lesson a; matched anew: it belonged to lesson b; belongs to lesson a; "
		keptB   = "lesson b, belongs to lesson b; stored b, ; "
		noneOfB = "b: none"

		lessonGone = "its lesson was deleted"
	)
	begun := []store.IngestEvent{store.Begin}
	archive := []store.IngestEvent{store.Begin, store.Archive}
	none := func(*store.Ingest) {}
	cases := map[string]struct {
		prepare func(context.Context, *matched) error
		want    string
	}{
		"the rule's lesson": {func(context.Context, *matched) error { return nil },
			"lesson a, belongs to lesson a; stored a, belongs to lesson a; matched: belongs to lesson a; " + noneOfB},
		"matched before": {func(ctx context.Context, c *matched) error {
			return store.AssignLesson(ctx, c.x, c.m.UUID, c.a, 0, "an older note")
		}, "lesson a, belongs to lesson a; stored a, an older note; " + noneOfB},
		"no lesson at this time": {func(ctx context.Context, c *matched) error {
			return c.exec(ctx, `UPDATE public.schedule_lesson SET zoom_meeting_id = '' WHERE id = $1`, c.a)
		}, "lesson 0, no lesson of its teacher has this meeting id at this time; stored 0, no lesson of its teacher has this meeting id at this time; " + noneOfB},
		"no time at all": {func(ctx context.Context, c *matched) error {
			if err := c.exec(ctx, `UPDATE lectern.lectern_zoom_meetings SET start_time = NULL`); err != nil {
				return err
			}
			return c.exec(ctx, `UPDATE lectern.lectern_zoom_files SET start_time = NULL`)
		}, "lesson 0, nobody says when it was recorded; stored 0, nobody says when it was recorded; " + noneOfB},
		"switched off": {func(ctx context.Context, c *matched) error {
			return c.exec(ctx, `UPDATE public.schedule_lesson SET record_lesson = $2 WHERE id = $1`, c.a, false)
		}, "lesson 0, recording is switched off for lesson a; stored 0, recording is switched off for lesson a, off; " + noneOfB},
		"had another lesson": {func(ctx context.Context, c *matched) error { return c.belongsToB(ctx) }, anew + noneOfB},
		"had another lesson, whose ingest has nothing": {func(ctx context.Context, c *matched) error {
			return errors.Join(c.belongsToB(ctx), c.ingestOfB(ctx, begun, none))
		}, anew + noneOfB},
		"had another lesson, which has another meeting": {func(ctx context.Context, c *matched) error {
			other := store.Meeting{UUID: "other==", MeetingID: "1", TeacherID: teacher, Start: now}
			return errors.Join(c.belongsToB(ctx), c.ingestOfB(ctx, begun, none), store.PutMeeting(ctx, c.x, other, now), store.AssignLesson(ctx, c.x, other.UUID, c.b, 0, ""))
		}, anew + "b: working"},
		"had another lesson, of which something is archived": {func(ctx context.Context, c *matched) error {
			return errors.Join(c.belongsToB(ctx), c.ingestOfB(ctx, archive, func(i *store.Ingest) { i.VerifiedAt = now }))
		}, anew + "b: done"},
		"had another lesson, of which parts are archived": {func(ctx context.Context, c *matched) error {
			return errors.Join(c.belongsToB(ctx), c.ingestOfB(ctx, archive, func(i *store.Ingest) { i.ArchivedParts = "other==/w" }))
		}, anew + "b: done"},
		"had another lesson, of which the recording was removed": {func(ctx context.Context, c *matched) error {
			return errors.Join(c.belongsToB(ctx), c.ingestOfB(ctx, []store.IngestEvent{store.Begin, store.Remove}, none))
		}, anew + "b: removed"},
		"had a lesson, and has none now": {func(ctx context.Context, c *matched) error {
			return errors.Join(c.belongsToB(ctx), c.exec(ctx, `UPDATE public.schedule_lesson SET zoom_meeting_id = '' WHERE id = $1`, c.a))
		}, "lesson 0, no lesson of its teacher has this meeting id at this time; stored 0, no lesson of its teacher has this meeting id at this time; " +
			"matched anew: it belonged to lesson b; no lesson of its teacher has this meeting id at this time; " + noneOfB},
		lessonGone: {func(context.Context, *matched) error { return nil },
			"lesson a, belongs to lesson a; stored a, belongs to lesson a; matched anew: it belonged to lesson 999999; belongs to lesson a; " + noneOfB},
		"assigned by a person": {func(ctx context.Context, c *matched) error {
			return errors.Join(c.belongsToB(ctx), store.SetAssigned(ctx, c.x, c.m.UUID))
		}, keptB + noneOfB},
		"beside its lesson's": {func(ctx context.Context, c *matched) error {
			return errors.Join(c.belongsToB(ctx), store.SetSeparate(ctx, c.x, c.m.UUID, true))
		}, keptB + noneOfB},
		"archived with its lesson": {func(ctx context.Context, c *matched) error {
			return errors.Join(c.belongsToB(ctx), c.ingestOfB(ctx, archive, func(i *store.Ingest) { i.ArchivedParts, i.VerifiedAt = "m==/v\nother==/w", now }))
		}, keptB + "b: done"},
	}
	db := catalogtest.Databases[0].Open(t)
	rule := store.MatchRule{Early: time.Hour, Late: time.Hour}
	const number = "86412345678"
	for name, c := range cases {
		run := func(ctx context.Context, among bool) (result string, failed error) {
			err := db.Update(t.Context(), "test", func(x store.Session) error {
				background := t.Context()
				at := matched{x: x}
				if err := x.One(background, `SELECT MIN(id), MAX(id) FROM public.schedule_lesson WHERE teacher_id = $1`, []any{teacher}, &at.a, &at.b); err != nil {
					return err
				}
				at.m = store.Meeting{UUID: "m==", MeetingID: number, TeacherID: teacher, Start: now, Files: []store.File{{ID: "v", Type: "MP4", Status: "completed", Start: now}}}
				lesson := `UPDATE public.schedule_lesson SET zoom_meeting_id = $2, record_lesson = $3, start_time = $4, end_time = $5 WHERE id = $1`
				err := errors.Join(store.PutMeeting(background, x, at.m, now),
					at.exec(background, `DELETE FROM lectern.lectern_ingests`),
					at.exec(background, lesson, at.a, number, true, catalog.NewDBTime(now), catalog.NewDBTime(now.Add(time.Hour))),
					at.exec(background, lesson, at.b, number, true, catalog.NewDBTime(now.Add(24*time.Hour)), catalog.NewDBTime(now.Add(25*time.Hour))),
					c.prepare(background, &at))
				if err != nil {
					return err
				}
				if at.m, err = store.LoadMeeting(background, x, at.m.UUID); err != nil {
					return err
				}
				if name == lessonGone {
					at.m.LessonID = 999999
				}
				var l store.Lesson
				var note string
				if among {
					candidates, err := store.LessonsOfTeacher(background, x, teacher)
					if err != nil {
						return err
					}
					l, note, failed = rule.MatchAmong(ctx, x, at.m, candidates, now)
				} else {
					l, note, failed = rule.Match(ctx, x, at.m, now)
				}
				if failed != nil {
					return catalog.ErrDryRun
				}
				stored, err := store.LoadMeeting(background, x, at.m.UUID)
				if err != nil {
					return err
				}
				result = fmt.Sprintf("lesson %d, %s; stored %d, %s", l.ID, note, stored.LessonID, stored.Note)
				if stored.RecordingOff() {
					result += ", off"
				}
				history, err := store.History(background, x, 0, 0, []string{at.m.UUID})
				if err != nil {
					return err
				}
				result += "; "
				for _, h := range history {
					if !h.At.Equal(now) {
						t.Errorf("%s: history at %v", name, h.At)
					}
					result += h.What + ": " + h.Detail + "; "
				}
				switch i, err := store.IngestOfLesson(background, x, at.b); {
				case catalog.IsNotFound(err):
					result += "b: none"
				case err != nil:
					return err
				default:
					result += "b: " + string(i.State())
				}
				result = strings.NewReplacer(fmt.Sprintf("lesson %d", at.b), "lesson b", fmt.Sprintf("stored %d", at.b), "stored b", fmt.Sprintf("lesson %d", at.a), "lesson a", fmt.Sprintf("stored %d", at.a), "stored a").Replace(result)
				return catalog.ErrDryRun
			})
			if err != nil && !errors.Is(err, catalog.ErrDryRun) {
				t.Fatalf("%s: %v", name, err)
			}
			return result, failed
		}
		for _, among := range []bool{false, true} {
			if got, err := run(t.Context(), among); err != nil || got != c.want {
				t.Fatalf("%s: %v\n%s, want\n%s", name, err, got, c.want)
			}
			if !slices.Contains([]string{"the rule's lesson", "assigned by a person", "archived with its lesson", "had another lesson, whose ingest has nothing", "had another lesson, which has another meeting"}, name) ||
				among && name != "assigned by a person" {
				continue // no other statements
			}
			failures := 0
			for n := 1; ; n++ {
				ctx := &failingOnce{Context: t.Context(), left: n}
				got, err := run(ctx, among)
				if !ctx.reached {
					break
				}
				if err != nil {
					failures++
				} else if got != c.want {
					t.Fatalf("%s: statement %d fails, and the match says\n%s", name, n, got)
				}
			}
			if failures == 0 {
				t.Errorf("%s: no statement was made to fail", name)
			}
		}
	}
}
