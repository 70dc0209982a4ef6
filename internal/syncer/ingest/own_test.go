package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
	"github.com/lectiospace/lectern/internal/zoom"
)

const number = 86412345678 // of lessons 1 and 2

// talk is when a private talk begins, an hour and a half after lesson 1.
var talk = syncertest.LessonStart.Add(2*time.Hour + 30*time.Minute)

// databases are the databases that a syncer runs on.
var databases = map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}}

// seenSince makes a meeting one that was first seen some time ago.
func seenSince(s *syncertest.Server, uuid string, ago time.Duration) {
	s.Exec(`UPDATE lectern.lectern_zoom_meetings SET first_seen_at = $2 WHERE uuid = $1`, uuid, syncertest.Stamp(time.Now().Add(-ago)))
}

func reconcileAll(t *testing.T, s *syncertest.Server) reconcile.Report {
	t.Helper()
	report, err := s.Syncer.Reconcile(t.Context(), reconcile.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// ownOf is the ingest of a meeting's own recording, the zero Ingest for none.
func ownOf(s *syncertest.Server, uuid string) (i store.Ingest) {
	s.View(func(ctx context.Context, x store.Session) (err error) {
		i, err = store.IngestOfMeeting(ctx, x, uuid)
		if catalog.IsNotFound(err) {
			return nil
		}
		return err
	})
	return i
}

// archivedOwn waits until a meeting is archived as the teacher's own, and returns its row.
func archivedOwn(t *testing.T, s *syncertest.Server, uuid string) store.Recording {
	t.Helper()
	syncertest.Eventually(t, uuid+" archived as the teacher's own", func() (bool, string) {
		i := ownOf(s, uuid)
		return i.State() == store.Done && i.Lease == "", fmt.Sprintf("%+v", i)
	})
	return rowOf(s, ownOf(s, uuid).RecordingID)
}

func rowOf(s *syncertest.Server, id int64) (r store.Recording) {
	s.View(func(ctx context.Context, x store.Session) (err error) {
		r, err = store.LoadRecording(ctx, x, id, false)
		return err
	})
	return r
}

func meetingOf(s *syncertest.Server, uuid string) (m store.Meeting) {
	s.View(func(ctx context.Context, x store.Session) (err error) {
		m, err = store.LoadMeeting(ctx, x, uuid)
		return err
	})
	return m
}

// viewers are the groups and students that are listed for a recording.
func viewers(s *syncertest.Server, recording int64) (groups, students int) {
	s.View(func(ctx context.Context, x store.Session) error {
		if err := x.One(ctx, `SELECT COUNT(*) FROM public.schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = $1`, []any{recording}, &groups); err != nil {
			return err
		}
		return x.One(ctx, `SELECT COUNT(*) FROM public.schedule_lessonrecording_allowed_students WHERE lessonrecording_id = $1`, []any{recording}, &students)
	})
	return groups, students
}

func private(t *testing.T, s *syncertest.Server, r store.Recording, teacher int64) {
	t.Helper()
	groups, students := viewers(s, r.ID)
	if r.LessonID != 0 || r.TeacherID != teacher || r.Visibility != media.VisibleCustomStudents || groups+students != 0 || r.Status != media.StatusReady || !r.AvailableUntil.IsZero() {
		t.Errorf("no recording of teacher %d's own: %+v, for %d groups and %d students", teacher, r, groups, students)
	}
}

func explain(t *testing.T, s *syncertest.Server, subject string) string {
	t.Helper()
	var out bytes.Buffer
	if err := s.Syncer.Explain(t.Context(), subject, &out); err != nil {
		t.Errorf("explain %s: %v", subject, err)
	}
	return out.String()
}

// TestATalkAfterTheLesson: what matches no lesson waits for a day, is alerted once, and
// becomes the teacher's own then, under both access rules; another instance is another
// recording. It expires, is purged and leaves Zoom like any other.
func TestATalkAfterTheLesson(t *testing.T) {
	t.Parallel()
	for name, options := range databases {
		for _, platform := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, platform rule %t", name, platform), func(t *testing.T) {
				options := append(slices.Clone(options), func(s *syncertest.Server) { s.Deps.PlatformRule = platform },
					syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter, c.TrashGrace = 0, 0 }))
				s := syncertest.New(t, options...).Start()
				m := s.Record("1", number, "talk/+==", talk)
				s.Zoom.AddMeeting(zoomemu.Meeting{Account: "acc-1", ID: number, UUID: "again==", Host: "host-1", Topic: " a\nsecond\u202E talk ", Start: talk.Add(time.Hour), Files: []zoomemu.File{
					{ID: "file-again", Type: "MP4", View: syncertest.SpeakerView, Start: talk.Add(time.Hour), End: talk.Add(2 * time.Hour), Content: syncertest.Video(t)}}})
				s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
				s.Idle()
				seenSince(s, m.UUID, 23*time.Hour)
				if report := reconcileAll(t, s); report.Synced != 0 {
					t.Errorf("after 23 hours: %+v", report)
				}
				seenSince(s, m.UUID, 24*time.Hour)
				seenSince(s, "again==", 24*time.Hour)
				if report := reconcileAll(t, s); report.Synced != 2 || !slices.Contains(report.Meetings, m.UUID) {
					t.Errorf("after 24 hours: %+v", report)
				}
				r, second := archivedOwn(t, s, m.UUID), archivedOwn(t, s, "again==")
				private(t, s, r, 1)
				private(t, s, second, 1)
				if report := reconcileAll(t, s); report.Synced != 0 {
					t.Errorf("archived already: %+v", report)
				}
				if rows := s.Recordings(1); len(rows) != 0 {
					t.Errorf("lesson 1 has %+v", rows)
				}
				s.View(func(ctx context.Context, x store.Session) error {
					var title string
					err := x.One(ctx, `SELECT title FROM public.schedule_lessonrecording WHERE id = $1`, []any{second.ID}, &title)
					if title != "a second talk" {
						t.Errorf("its title is %q", title)
					}
					return err
				})
				size := int64(len(s.BytesOf(r)))
				if q := s.Quota(1); q.Used != 2*size || q.Recordings != 2 || q.Reserved != 0 {
					t.Errorf("two recordings of %d bytes: %+v", size, q)
				}
				syncertest.Eventually(t, "an alert of both, once", func() (bool, string) {
					n := 0
					for _, title := range s.Alerts.Titles() {
						n += strings.Count(title, "2 recorded meeting(s) belong to no lesson")
					}
					return n == 1, fmt.Sprint(s.Alerts.Titles())
				})
				for _, subject := range []string{m.UUID, fmt.Sprint(r.ID)} {
					if text := explain(t, s, subject); !strings.Contains(text, "archived") || !strings.Contains(text, "no lesson") {
						t.Errorf("explain %s:\n%s", subject, text)
					}
				}
				syncertest.Eventually(t, "Zoom's copy is trashed", func() (bool, string) {
					f := meetingOf(s, m.UUID).Files
					return !f[0].TrashedAt.IsZero(), fmt.Sprintf("%+v", f)
				})
				usage, _, err := s.Syncer.RunPeriodic(t.Context(), "usage")
				if err != nil || s.Quota(1).Used != 2*size {
					t.Errorf("usage: %+v, %v, %+v", usage, err, s.Quota(1))
				}
				s.Exec(`UPDATE public.schedule_lessonrecording SET available_until = $2 WHERE id = $1`, r.ID, syncertest.Stamp(time.Now().Add(-time.Minute)))
				for _, job := range []string{"cleanup", "purge"} {
					if _, failed, err := s.Syncer.RunPeriodic(t.Context(), job); err != nil || failed > 0 {
						t.Errorf("%s: %d failed, %v", job, failed, err)
					}
				}
				if keys, q := s.Keys(), s.Quota(1); !slices.Equal(keys, []string{second.Location().Key}) || q.Used != size || q.Recordings != 1 {
					t.Errorf("after its purge: %v, %+v", keys, q)
				}
			})
		}
	}
}

// TestUnmatchedWaits: sync-unmatched=wait alerts and archives nothing.
func TestUnmatchedWaits(t *testing.T) {
	s := syncertest.New(t, syncertest.Configured(func(c *syncer.Config) { c.Unmatched = syncer.UnmatchedWait })).Start()
	s.Record("1", number, "talk==", talk)
	reconcileAll(t, s)
	seenSince(s, "talk==", 48*time.Hour)
	if report := reconcileAll(t, s); report.Synced != 0 || ownOf(s, "talk==").ID != 0 {
		t.Errorf("%+v, %+v", report, ownOf(s, "talk=="))
	}
	s.Idle()
	if got := s.Alerts.Titles(); len(got) != 1 || !strings.Contains(got[0], "belong to no lesson") {
		t.Errorf("alerts: %v", got)
	}
}

// TestUnmatchedOfNobody: a meeting whose teacher nobody knows, one whose lesson is not to
// be recorded, and one that two teachers share an account for, are nobody's own; the
// host decides among teachers who share an account.
func TestUnmatchedOfNobody(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Exec(`UPDATE public.schedule_lesson SET record_lesson = $1 WHERE id = 1`, false)
	s.Record("1", number, "off==", syncertest.LessonStart)
	s.Record("2", 555, "shared==", talk)
	reconcileAll(t, s)
	s.Exec(`UPDATE lectern.lectern_zoom_meetings SET teacher_id = 0, account_id = 'acc-9', host_id = 'host-9' WHERE uuid = 'shared=='`)
	seenSince(s, "off==", 48*time.Hour)
	s.Zoom.Remove("shared==")
	seenSince(s, "shared==", 48*time.Hour)
	if report := reconcileAll(t, s); report.Synced != 0 {
		t.Errorf("%+v", report)
	}
	s.Update(func(ctx context.Context, x store.Session) error {
		if _, err := x.Exec(ctx, `UPDATE public.accounts_customuser SET zoom_account_id = 'acc-9' WHERE role = 'teacher'`); err != nil {
			return err
		}
		m := store.Meeting{AccountID: "acc-9"}
		if t2, err := store.TeacherOfMeeting(ctx, x, m); !catalog.IsNotFound(err) {
			t.Errorf("a shared account's meeting is %d's, %v", t2.ID, err)
		}
		for _, c := range []struct {
			m    store.Meeting
			want int64
		}{
			{store.Meeting{AccountID: "acc-9", HostID: "host-2"}, 2}, {store.Meeting{AccountID: "acc-9", HostID: "host-2", TeacherID: 1}, 2},
			{store.Meeting{AccountID: "acc-9", HostID: "else", TeacherID: 1}, 1}, {store.Meeting{HostID: "host-1"}, 1},
		} {
			if got, err := store.TeacherOfMeeting(ctx, x, c.m); err != nil || got.ID != c.want {
				t.Errorf("%+v is teacher %d's, %v", c.m, got.ID, err)
			}
		}
		return nil
	})
}

// TestALessonAppears: an own recording goes to the lesson that is made for it: the same
// row and file, with the lesson's privacy and retention, and the same quota.
func TestALessonAppears(t *testing.T) {
	t.Parallel()
	for name, options := range databases {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...).Start()
			s.Record("1", number, "talk==", talk)
			reconcileAll(t, s)
			seenSince(s, "talk==", 25*time.Hour)
			reconcileAll(t, s)
			own := archivedOwn(t, s, "talk==")
			before, quota := s.Keys(), s.Quota(1)
			s.Exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2, recording_available_for_days = 10 WHERE id = 2`,
				syncertest.Stamp(talk.Add(20*time.Minute)), syncertest.Stamp(talk.Add(time.Hour)))
			reconcileAll(t, s)
			r := s.Archived(2)
			if r.ID != own.ID || r.LessonID != 2 || r.TeacherID != 0 || r.Visibility != media.VisibleLessonGroup || r.AvailableUntil.Sub(time.Now()).Round(time.Hour) != 240*time.Hour {
				t.Errorf("it became %+v", r)
			}
			if groups, _ := viewers(s, r.ID); groups != 1 {
				t.Errorf("%d groups may watch it", groups)
			}
			s.Idle()
			if keys, q := s.Keys(), s.Quota(1); !slices.Equal(keys, before) || q != quota {
				t.Errorf("%v and %+v became %v and %+v", before, quota, keys, q)
			}
		})
	}
}

// TestMatchedByTheOldRule: what is archived with a lesson stays with it; what is not is
// matched anew before it is archived.
func TestMatchedByTheOldRule(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", number, "lesson==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "lesson=="))
	s.Archived(1)
	s.Record("1", number, "talk==", talk)
	reconcileAll(t, s)
	old := func() {
		s.Update(func(ctx context.Context, x store.Session) error {
			if err := store.AssignLesson(ctx, x, "talk==", 1, 0, "belongs to lesson 1"); err != nil {
				return err
			}
			_, _, err := store.RequestIngest(ctx, x, store.Lesson{ID: 1, TeacherID: 1}, time.Now())
			return err
		})
	}
	old()
	if report := reconcileAll(t, s); report.Synced != 0 || meetingOf(s, "talk==").LessonID != 0 {
		t.Errorf("the old match of what is not archived stays: %+v", report)
	}
	old()
	// Its job runs before any reconciliation does.
	s.Deliver(s.Zoom.Event("recording.completed", "lesson=="))
	s.Idle()
	if i := s.Ingest(1); !slices.Equal(i.Parts(), []string{"lesson==/file-lesson=="}) {
		t.Errorf("archived with the lesson: %v", i.Parts())
	}
	s.Exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2 WHERE id = 1`, syncertest.Stamp(syncertest.LessonStart.Add(-48*time.Hour)), syncertest.Stamp(syncertest.LessonStart.Add(-47*time.Hour)))
	reconcileAll(t, s)
	if m := meetingOf(s, "lesson=="); m.LessonID != 1 {
		t.Errorf("an archived meeting belongs to %d now: %s", m.LessonID, m.Note)
	}
}

// TestARescheduledLesson: a recording that is not archived yet follows the timetable, and
// leaves nothing behind.
func TestARescheduledLesson(t *testing.T) {
	s := syncertest.New(t)
	s.Record("1", number, "uuid-1==", syncertest.LessonStart)
	s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
	s.Exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2 WHERE id = 1`, syncertest.Stamp(syncertest.LessonStart.Add(-48*time.Hour)), syncertest.Stamp(syncertest.LessonStart.Add(-47*time.Hour)))
	s.Exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2 WHERE id = 2`, syncertest.Stamp(syncertest.LessonStart), syncertest.Stamp(syncertest.LessonStart.Add(time.Hour)))
	s.Reconcile(reconcile.Summary{Processed: 2, Synced: 1})
	s.Start()
	s.Archived(2)
	if i, rows := s.Ingest(1), s.Recordings(1); i.ID != 0 || len(rows) != 0 {
		t.Errorf("lesson 1 has %+v and %+v", i, rows)
	}
}

// lostAnswer is an archive that stores what it is given and says that it cannot be reached.
type lostAnswer struct{ archive.Archive }

func (a lostAnswer) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	if _, err := a.Archive.Put(ctx, item); err != nil {
		return archive.Stored{}, err
	}
	return archive.Stored{}, media.Faultf(media.Unavailable, "put", "the answer is lost")
}

// TestRescheduledWhileItIsArchived: what a run, at work or dead, has put into the archive of a
// lesson that the meeting does not belong to any more is deleted by the purge.
func TestRescheduledWhileItIsArchived(t *testing.T) {
	t.Parallel()
	for _, atWork := range []bool{true, false} {
		t.Run(fmt.Sprintf("its run is at work: %t", atWork), func(t *testing.T) {
			entered, release := make(chan struct{}, 10), make(chan struct{})
			s := syncertest.New(t, syncertest.WithArchive(func(a archive.Archive) archive.Archive {
				if atWork {
					return slowArchive{a, entered, release}
				}
				return lostAnswer{a}
			})).Start()
			s.Record("1", number, "uuid-1==", syncertest.LessonStart)
			reconcileAll(t, s)
			syncertest.Eventually(t, "it goes into the archive", func() (bool, string) {
				return len(entered) > 0 || len(s.Keys()) > 0 && s.Ingest(1).Lease == "", fmt.Sprint(s.Keys())
			})
			s.Exec(`UPDATE public.schedule_lesson SET start_time = $1, end_time = $2 WHERE id = 1`, syncertest.Stamp(syncertest.LessonStart.Add(-48*time.Hour)), syncertest.Stamp(syncertest.LessonStart.Add(-47*time.Hour)))
			reconcileAll(t, s)
			close(release)
			syncertest.Eventually(t, "the ingest is given up", func() (bool, string) {
				return s.Ingest(1).ID == 0 && s.Running() == 0, fmt.Sprintf("%+v, %v", s.Ingest(1), s.Keys())
			})
			s.Exec(`UPDATE lectern.lectern_recording_files SET failed_at = $1 WHERE failed_at IS NOT NULL`, syncertest.Stamp(time.Now().Add(-time.Hour)))
			if _, failed, err := s.Syncer.RunPeriodic(t.Context(), "purge"); err != nil || failed != 0 || len(s.Keys()) != 0 {
				t.Errorf("purged: %v, %d failed, %v", s.Keys(), failed, err)
			}
		})
	}
}

func assign(t *testing.T, s *syncertest.Server, meeting string, lesson int64) {
	t.Helper()
	if a, err := s.Syncer.Assign(t.Context(), meeting, lesson); err != nil || a.Lesson.ID != lesson {
		t.Errorf("assign %s to %d: %+v, %v", meeting, lesson, a, err)
	}
}

// TestAssignErrors: what cannot be assigned says why.
func TestAssignErrors(t *testing.T) {
	t.Parallel()
	for name, options := range databases {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t, options...)
			s.Record("1", number, "talk==", talk)
			s.Record("1", number, "more==", talk.Add(time.Hour))
			s.Record("1", number, "lesson==", syncertest.LessonStart)
			s.Record("2", 777, "alone==", talk)
			s.Record("2", 90012345678, "history==", syncertest.LessonStart)
			reconcileAll(t, s)
			for _, c := range []struct {
				meeting string
				lesson  int64
				kind    media.Kind
				want    string
			}{
				{"unknown==", 1, media.NotFound, "no meeting with the uuid or number unknown=="},
				{"123", 1, media.NotFound, "no meeting"},
				{"talk==", 99, media.NotFound, "no lesson 99"},
				{"talk==", 3, media.Invalid, "it is teacher 1's"},
				{"lesson==", 1, media.Invalid, "belongs to lesson 1 already"},
				{"864 1234 5678", 2, media.Invalid, "2 meetings"},
				{"90012345678", 3, media.Invalid, "give the uuid of one: history=="},
			} {
				if _, err := s.Syncer.Assign(t.Context(), c.meeting, c.lesson); media.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.want) {
					t.Errorf("%s to %d: %v", c.meeting, c.lesson, err)
				}
			}
			assign(t, s, "777", 3)
			if m := meetingOf(s, "alone=="); m.LessonID != 3 || !m.Assigned {
				t.Errorf("%+v", m)
			}
			if _, err := s.Syncer.Assign(t.Context(), "alone==", 3); !strings.Contains(fmt.Sprint(err), "already") {
				t.Error(err)
			}
			assign(t, s, "talk==", 2)
			assign(t, s, "864-1234-5678", 2) // a single one is left
			reconcileAll(t, s)
			if m := meetingOf(s, "more=="); m.LessonID != 2 {
				t.Errorf("matching undid an assignment: %+v", m)
			}
		})
	}
}

// TestAssignBeforeItIsArchived: the lesson's ingest takes the meeting up as a segment,
// whatever its time.
func TestAssignBeforeItIsArchived(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", number, "lesson==", syncertest.LessonStart)
	s.Record("1", number, "talk==", talk)
	s.Deliver(s.Zoom.Event("recording.completed", "lesson=="))
	s.Deliver(s.Zoom.Event("recording.completed", "talk=="))
	first := s.Archived(1)
	s.Idle()
	assign(t, s, "talk==", 1)
	r := s.Archived(1, "lesson==/file-lesson==", "talk==/file-talk==")
	if r.ID != first.ID || r.Location() != first.Location() {
		t.Errorf("%+v became %+v", first, r)
	}
	if text := explain(t, s, "talk=="); !strings.Contains(text, "assigned to lesson 1") {
		t.Error(text)
	}
}

// own archives a talk as the teacher's own.
func own(t *testing.T, s *syncertest.Server, uuid string) store.Recording {
	t.Helper()
	s.Record("1", number, uuid, talk)
	reconcileAll(t, s)
	seenSince(s, uuid, 25*time.Hour)
	reconcileAll(t, s)
	return archivedOwn(t, s, uuid)
}

// TestAssignToALessonWithoutARecording: the row moves, whether or not a failed or waiting
// ingest is in its place.
func TestAssignToALessonWithoutARecording(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*syncertest.Server){
		"nothing": func(*syncertest.Server) {},
		"a placeholder": func(s *syncertest.Server) {
			s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status) VALUES (2, 'processing')`)
		},
		"a failed ingest": func(s *syncertest.Server) {
			s.Exec(`INSERT INTO public.schedule_lessonrecording (id, lesson_id, zoom_recording_id, status) VALUES (900, 2, 'lost', 'failed')`)
			s.Exec(`INSERT INTO lectern.lectern_ingests (lesson_id, recording_id, teacher_id, state, reason, created_at, updated_at) VALUES (2, 900, 1, 'failed', 'gone_at_zoom', $1, $1)`, syncertest.Stamp(time.Now()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := syncertest.New(t).Start()
			r := own(t, s, "talk==")
			quota, keys := s.Quota(1), s.Keys()
			prepare(s)
			s.Exec(`UPDATE public.schedule_lesson SET notes = $1 WHERE id = 2`, `Privacy: {"privacy_type": "students", "allowed_students": [3]}`)
			a, err := s.Syncer.Assign(t.Context(), "talk==", 2)
			if err != nil || a.Moved != r.ID {
				t.Fatalf("%+v, %v", a, err)
			}
			moved := rowOf(s, r.ID)
			if groups, students := viewers(s, r.ID); moved.LessonID != 2 || moved.TeacherID != 0 || moved.Visibility != media.VisibleCustomStudents || groups != 0 || students != 1 || !moved.Playable() {
				t.Errorf("%+v for %d groups and %d students", moved, groups, students)
			}
			living := slices.DeleteFunc(s.Recordings(2), func(r store.Recording) bool { return r.Deleted })
			if q := s.Quota(1); len(living) != 1 || q != quota || !slices.Equal(s.Keys(), keys) {
				t.Errorf("%+v, %+v, %v", living, q, s.Keys())
			}
			s.Idle()
			reconcileAll(t, s)
			s.Idle()
			if i := s.Ingest(2); i.RecordingID != r.ID || i.State() != store.Done {
				t.Errorf("%+v", i)
			}
		})
	}
}

// TestAssignToALessonWithARecording: joined while Zoom has the parts, and the own
// recording is removed then; else a second recording.
func TestAssignToALessonWithARecording(t *testing.T) {
	t.Parallel()
	for name, options := range databases {
		t.Run(name+", joined", func(t *testing.T) {
			s := syncertest.New(t, append(slices.Clone(options), syncertest.Configured(func(c *syncer.Config) { c.TrashGrace = 0 }))...).Start()
			s.Record("1", number, "lesson==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "lesson=="))
			first := s.Archived(1)
			r := own(t, s, "talk==")
			assign(t, s, "talk==", 1)
			syncertest.Eventually(t, "the teacher's own is removed", func() (bool, string) {
				row := rowOf(s, r.ID)
				return row.Deleted, fmt.Sprintf("%+v", row)
			})
			joined := s.Archived(1, "lesson==/file-lesson==", "talk==/file-talk==")
			if joined.ID != first.ID || joined.Seconds < 3 {
				t.Errorf("%+v", joined)
			}
			if _, failed, err := s.Syncer.RunPeriodic(t.Context(), "purge"); err != nil || failed > 0 {
				t.Error(failed, err)
			}
			if q, keys := s.Quota(1), s.Keys(); q.Used != joined.Size || q.Recordings != 1 || q.Reserved != 0 || !slices.Equal(keys, []string{joined.Location().Key}) {
				t.Errorf("%+v, %v", q, keys)
			}
			s.Reconcile(reconcile.Summary{Processed: 2})
		})
		t.Run(name+", beside", func(t *testing.T) {
			s := syncertest.New(t, append(slices.Clone(options), syncertest.Configured(func(c *syncer.Config) { c.ZoomTrashAfter = 0 }))...).Start()
			s.Record("1", number, "lesson==", syncertest.LessonStart)
			s.Deliver(s.Zoom.Event("recording.completed", "lesson=="))
			first := s.Archived(1)
			r := own(t, s, "talk==")
			syncertest.Eventually(t, "Zoom's copy is trashed", func() (bool, string) {
				f := meetingOf(s, "talk==").Files
				return !f[0].TrashedAt.IsZero(), fmt.Sprintf("%+v", f)
			})
			quota, keys := s.Quota(1), s.Keys()
			a, err := s.Syncer.Assign(t.Context(), "talk==", 1)
			if err != nil || a.Moved != r.ID {
				t.Fatalf("%+v, %v", a, err)
			}
			s.Idle()
			reconcileAll(t, s)
			s.Idle()
			rows := s.Recordings(1)
			if groups, _ := viewers(s, r.ID); len(rows) != 2 || rows[0].ID != first.ID || rows[1].ID != r.ID || rows[1].Visibility != media.VisibleLessonGroup || groups != 1 {
				t.Errorf("%+v for %d groups", rows, groups)
			}
			if !slices.Equal(s.Keys(), keys) || s.Quota(1) != quota || !slices.Equal(s.Ingest(1).Parts(), []string{"lesson==/file-lesson=="}) {
				t.Errorf("%v, %+v, %v", s.Keys(), s.Quota(1), s.Ingest(1).Parts())
			}
			assign(t, s, "talk==", 2) // and to another lesson after all
			if moved := rowOf(s, r.ID); moved.LessonID != 2 || s.Ingest(2).RecordingID != r.ID {
				t.Errorf("%+v, %+v", moved, s.Ingest(2))
			}
		})
	}
}

// TestAssignWhileItIsArchived: an assignment during the run of the own recording's ingest
// ends in one recording of the lesson and one file.
func TestAssignWhileItIsArchived(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	s := syncertest.New(t, syncertest.WithArchive(func(a archive.Archive) archive.Archive { return slowArchive{a, entered, release} })).Start()
	s.Record("1", number, "talk==", talk)
	reconcileAll(t, s)
	seenSince(s, "talk==", 25*time.Hour)
	reconcileAll(t, s)
	<-entered
	assign(t, s, "talk==", 2)
	close(release)
	r := s.Archived(2)
	if r.LessonID != 2 || len(s.Keys()) != 1 || ownOf(s, "talk==").ID != 0 {
		t.Errorf("%+v, %v, %+v", r, s.Keys(), ownOf(s, "talk=="))
	}
}

// slowArchive stores nothing before release is closed.
type slowArchive struct {
	archive.Archive
	entered, release chan struct{}
}

func (a slowArchive) Put(ctx context.Context, item archive.Item) (archive.Stored, error) {
	a.entered <- struct{}{}
	<-a.release
	return a.Archive.Put(ctx, item)
}

// TestAssignElsewhere: a meeting that was matched with the wrong lesson goes to the right
// one with its recording; one that is joined with another does not come apart; one that
// people removed does not come back.
func TestAssignElsewhere(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", number, "lesson==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "lesson=="))
	r := s.Archived(1)
	s.Idle()
	quota := s.Quota(1)
	assign(t, s, "lesson==", 2)
	if moved := rowOf(s, r.ID); moved.LessonID != 2 || s.Ingest(1).ID != 0 || s.Ingest(2).RecordingID != r.ID || s.Quota(1) != quota {
		t.Errorf("%+v, %+v, %+v", moved, s.Ingest(2), s.Quota(1))
	}
	s.Record("1", number, "talk==", talk)
	reconcileAll(t, s)
	s.Idle()
	assign(t, s, "talk==", 2)
	s.Archived(2, "lesson==/file-lesson==", "talk==/file-talk==")
	s.Idle()
	if _, err := s.Syncer.Assign(t.Context(), "talk==", 1); !strings.Contains(fmt.Sprint(err), "together with other meetings") {
		t.Error(err)
	}
	s.Zoom.Remove("talk==")
	removed := own(t, s, "removed==")
	s.Update(func(ctx context.Context, x store.Session) error {
		_, err := store.RemoveRecording(ctx, x, removed.ID, "by its teacher", time.Now())
		return err
	})
	if _, err := s.Syncer.Assign(t.Context(), "removed==", 1); !strings.Contains(fmt.Sprint(err), "restore it first") {
		t.Error(err)
	}
	if report := reconcileAll(t, s); report.Synced != 0 || !rowOf(s, removed.ID).Deleted {
		t.Errorf("it came back: %+v", report)
	}
}

// TestADeletedLesson: a recording that was removed with its lesson does not come back as
// the teacher's own; one that was not archived before does.
func TestADeletedLesson(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", number, "lesson==", syncertest.LessonStart)
	s.Deliver(s.Zoom.Event("recording.completed", "lesson=="))
	s.Archived(1)
	s.Idle()
	s.Record("1", number, "late==", syncertest.LessonStart.Add(7*24*time.Hour-time.Minute))
	s.Update(func(ctx context.Context, x store.Session) error {
		m := store.MeetingFromZoom(zoom.Meeting{UUID: "late==", ID: fmt.Sprint(number), AccountID: "acc-1", HostID: "host-1"}, 1, "")
		m.Start, m.LessonID = syncertest.LessonStart, 2
		m.Files = []store.File{{MeetingUUID: m.UUID, ID: "file-late==", Type: "MP4", View: syncertest.SpeakerView, Status: store.StatusCompleted, Start: m.Start, End: m.Start}}
		return store.PutMeeting(ctx, x, m, time.Now())
	})
	s.Exec(`DELETE FROM public.schedule_lessonrecording WHERE lesson_id = 1`)
	s.Exec(`DELETE FROM public.schedule_lesson WHERE id IN (1, 2)`)
	for _, uuid := range []string{"lesson==", "late=="} {
		seenSince(s, uuid, 48*time.Hour)
	}
	if report := reconcileAll(t, s); !slices.Equal(report.Meetings, []string{"late=="}) || ownOf(s, "lesson==").ID != 0 {
		t.Errorf("%+v, %+v", report, ownOf(s, "lesson=="))
	}
}

// TestAPlatformRecordingReplacesNoOwn: what only the platform's row stands for is not in a
// verified archive: a teacher's own recording of the same file is kept beside it.
func TestAPlatformRecordingReplacesNoOwn(t *testing.T) {
	s := syncertest.New(t).Start()
	r := own(t, s, "talk==")
	s.Exec(`INSERT INTO public.schedule_lessonrecording (lesson_id, status, storage_provider, archive_key, file_size, zoom_recording_id) VALUES (1, 'ready', 'local', 'platform.mp4', 5, 'bundle_talk==')`)
	s.Exec(`INSERT INTO lectern.lectern_ingests (lesson_id, recording_id, teacher_id, state, archived_parts, created_at, updated_at) VALUES (1, $1, 1, 'done', 'talk==/file-talk==', $2, $2)`, r.ID+1, syncertest.Stamp(time.Now()))
	assign(t, s, "talk==", 1)
	s.Idle()
	if moved := rowOf(s, r.ID); moved.Deleted || moved.LessonID != 1 || !moved.Playable() || !meetingOf(s, "talk==").Separate {
		t.Errorf("%+v", moved)
	}
}
