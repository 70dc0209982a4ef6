package backfill_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer/backfill"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// lessonsOf adds lessons of teacher 1 in the past, a month apart, and their recordings at
// Zoom, and returns the lessons' ids, the oldest first.
func lessonsOf(s *syncertest.Server, months int) (ids []int64) {
	for i := months; i > 0; i-- {
		at := syncertest.LessonStart.AddDate(0, -i, 0)
		id, meeting := int64(100+i), int64(70000000000+i)
		s.Exec(`INSERT INTO public.schedule_lesson (id, title, group_id, teacher_id, start_time, end_time, zoom_meeting_id, record_lesson, recording_available_for_days, notes, created_at, updated_at)
			SELECT $1, 'Old', group_id, teacher_id, $2, $3, $4, record_lesson, 0, '', start_time, start_time FROM public.schedule_lesson WHERE id = 1`,
			id, syncertest.Stamp(at), syncertest.Stamp(at.Add(time.Hour)), fmt.Sprint(meeting))
		s.Record("1", meeting, fmt.Sprintf("old-%d==", i), at)
		ids = append(ids, id)
	}
	return ids
}

// options are of everything in the past three years.
func options(teacher int64) backfill.Options {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	return backfill.Options{From: today.AddDate(-3, 0, 0), To: today, Teacher: teacher}
}

func start(t *testing.T, s *syncertest.Server, o backfill.Options) {
	t.Helper()
	if err := s.Syncer.Backfiller().Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func ended(t *testing.T, s *syncertest.Server) backfill.Status {
	t.Helper()
	var last backfill.Status
	syncertest.Eventually(t, "the backfill has ended", func() (bool, string) {
		status, err := s.Syncer.Backfiller().Status(t.Context(), 0)
		last = status
		return err == nil && status.Ended(), fmt.Sprintf("%+v, %v", status, err)
	})
	return last
}

// TestBackfill: what is months old is archived once, the oldest first, also as the teacher's
// own where no lesson matches; a meeting that may still get a lesson is explained, and a second backfill finds nothing to do.
func TestBackfill(t *testing.T) {
	t.Parallel()
	for name, database := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, database...)
			lessons := lessonsOf(s, 6)
			s.Record("1", 555, "private==", syncertest.LessonStart.AddDate(0, -3, 3))
			// It has just ended: it may still get a lesson.
			s.Record("1", 556, "just-ended==", time.Now().Add(-2*time.Hour))
			s.Zoom.AddMeeting(zoomemu.Meeting{Account: "acc-1", ID: 777, UUID: "short==", Host: "host-1", Start: syncertest.LessonStart.AddDate(0, -2, 0), NoFiles: true})
			start(t, s, options(0))
			s.Start()
			got := ended(t, s)
			want := backfill.Summary{Teachers: 2, Meetings: 8, Recordings: 7, Archived: 7, Explained: 1}
			if got.Summary != want {
				t.Errorf("%+v, want %+v", got.Summary, want)
			}
			var archived []time.Time
			for _, id := range lessons {
				s.Archived(id)
				archived = append(archived, s.Ingest(id).VerifiedAt)
			}
			if !slices.IsSortedFunc(archived, time.Time.Compare) {
				t.Errorf("not the oldest first: %v", archived)
			}
			downloads := s.Zoom.Stats().Downloads
			start(t, s, options(0))
			if got := ended(t, s); got.Summary != want {
				t.Errorf("the second time: %+v, want %+v", got.Summary, want)
			}
			if keys := s.Keys(); len(keys) != len(lessons)+1 || s.Zoom.Stats().Downloads != downloads {
				t.Errorf("%d objects, %d downloads more", len(keys), s.Zoom.Stats().Downloads-downloads)
			}
		})
	}
}

// TestBehindWhatIsNew: an ingest that a webhook requests does not wait for those of a
// backfill, whose worker is busy with a slow download.
func TestBehindWhatIsNew(t *testing.T) {
	s := syncertest.New(t)
	lessons := lessonsOf(s, 3)
	o := options(1)
	o.Rate = 1 << 10 // the clip takes minutes
	start(t, s, o)
	s.Start()
	syncertest.Eventually(t, "a download of the backfill", func() (bool, string) {
		i := s.Ingest(lessons[0])
		return i.State() == store.Working, fmt.Sprintf("%+v", i)
	})
	// Lesson 102 waits in the backfill's queue: a webhook takes it out.
	syncertest.Eventually(t, "the others are requested", func() (bool, string) {
		return s.Ingest(lessons[1]).ID != 0 && s.Ingest(lessons[2]).ID != 0, ""
	})
	s.Record("2", 90012345678, "new==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "new=="))
	s.Deliver(s.Zoom.Event("recording.completed", "old-2=="))
	s.Archived(3)
	s.Archived(lessons[1])
	if i := s.Ingest(lessons[0]); i.State() != store.Working {
		t.Errorf("the slow one: %+v", i)
	}
	if i := s.Ingest(lessons[2]); i.State() != store.Waiting {
		t.Errorf("the one behind it: %+v", i)
	}
}

// TestHoursOfTheDay: outside of the hours nothing is listed and fetched.
func TestHoursOfTheDay(t *testing.T) {
	s := syncertest.New(t)
	lessons := lessonsOf(s, 1)
	now := time.Now().Local()
	o := options(1)
	o.Hours = fmt.Sprintf("%02d-%02d", (now.Hour()+2)%24, (now.Hour()+3)%24)
	start(t, s, o)
	s.Start()
	s.Idle()
	if i := s.Ingest(lessons[0]); i.ID != 0 {
		t.Errorf("requested outside of the hours: %+v", i)
	}
	o.Hours = ""
	start(t, s, o)
	s.Archived(lessons[0])
}

// TestAFailingTeacher: the others are archived; the one that failed goes on where it was
// when the backfill is started again.
func TestAFailingTeacher(t *testing.T) {
	s := syncertest.New(t)
	lessons := lessonsOf(s, 2)
	s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = 'bad' WHERE id = 2`)
	s.Record("2", 90012345678, "two==", syncertest.LessonStart)
	start(t, s, options(0))
	s.Start()
	got := ended(t, s)
	if got.TeachersFailed != 1 || len(got.Failures) != 1 || got.Failures[0].TeacherID != 2 || got.Failures[0].Reason != "invalid_credentials" || got.Archived != len(lessons) {
		t.Errorf("%+v", got)
	}
	s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = 'secret-2' WHERE id = 2`)
	start(t, s, options(0))
	if got := ended(t, s); got.TeachersFailed != 0 || got.Archived != len(lessons)+1 {
		t.Errorf("started again: %+v", got)
	}
}

// TestListsThatFailInPassing: an answer that is no list is asked for again, from the same
// date on.
func TestListsThatFailInPassing(t *testing.T) {
	s := syncertest.New(t)
	lessons := lessonsOf(s, 4)
	s.Zoom.SetFaults(zoomemu.Faults{ListBody: `{"code":300,"message":"Invalid field: x"}`, ListTimes: 3, ListAfter: 36, ListStatus: http.StatusOK})
	start(t, s, options(1))
	s.Start()
	// Code 300 does not pass by itself: the teacher has failed, and goes on from there.
	if got := ended(t, s); got.TeachersFailed != 1 {
		t.Errorf("%+v", got)
	}
	s.Zoom.SetFaults(zoomemu.Faults{ListBody: `<html></html>`, ListTimes: 3})
	before := s.Zoom.Stats().Lists
	start(t, s, options(1))
	if got := ended(t, s); got.TeachersFailed != 0 || got.Archived != len(lessons) {
		t.Errorf("%+v", got)
	}
	if n := s.Zoom.Stats().Lists - before; n > 10 {
		t.Errorf("%d lists: it did not go on from where it was", n)
	}
}

// TestPlan: what would be archived, and nothing is changed.
func TestPlan(t *testing.T) {
	s := syncertest.New(t)
	lessonsOf(s, 3)
	s.Record("1", 555, "private==", syncertest.LessonStart.AddDate(0, -1, 3))
	clip := syncertest.Video(t).Size()
	// A second view of the same minutes is not fetched.
	at := syncertest.LessonStart.AddDate(0, -2, 0)
	s.Zoom.AddFile("old-2==", zoomemu.File{ID: "gallery", Type: "MP4", View: "gallery_view", Start: at, End: at.Add(time.Hour), Content: syncertest.Video(t)})
	s.Quota(1)
	s.Exec(`UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $1 WHERE teacher_id = 1`, clip)
	o := options(0)
	o.Rate, o.Hours = clip, "00:00-00:01" // four clips at one a second, sixty seconds a day
	var teachers []int64
	got, failed, err := s.Syncer.Backfiller().Plan(t.Context(), o, func(p backfill.TeacherPlan) { teachers = append(teachers, p.Teacher.ID) })
	if err != nil || failed != 0 || !slices.Equal(teachers, []int64{1, 2}) {
		t.Fatalf("%v, %d failed, teachers %v", err, failed, teachers)
	}
	want := backfill.Plan{Meetings: 4, Recordings: 4, Bytes: 4 * clip, Hours: 4, Days: 0.07, WithoutLesson: 1, QuotaShort: []backfill.Short{{Teacher: 1, Bytes: 3 * clip}}}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	s.View(func(ctx context.Context, x store.Session) error {
		for _, table := range []string{"zoom_meetings", "ingests", "history", "backfills", "backfill_meetings", "zoom_cursors"} {
			var n int
			if err := x.One(ctx, `SELECT COUNT(*) FROM lectern.lectern_`+table, nil, &n); err != nil || n != 0 {
				t.Errorf("%s has %d rows, %v", table, n, err)
			}
		}
		return nil
	})
	s.Exec(`UPDATE public.accounts_customuser SET zoom_client_secret = 'bad' WHERE id = 2`)
	var problem error
	if _, failed, err := s.Syncer.Backfiller().Plan(t.Context(), o, func(p backfill.TeacherPlan) {
		if p.Err != nil {
			problem = p.Err
		}
	}); err != nil || failed != 1 || problem == nil || strings.Contains(problem.Error(), "bad") {
		t.Errorf("%d failed, %v, %v", failed, problem, err)
	}
}
