package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// TestOwnRecording: a teacher's own recording is written, moved to a lesson and back, in
// every kind of database.
func TestOwnRecording(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		err := db.Update(t.Context(), "test", func(x store.Session) error {
			return moveThereAndBack(t.Context(), t, x)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func moveThereAndBack(ctx context.Context, t *testing.T, x store.Session) error {
	var lesson int64
	if err := x.One(ctx, `SELECT MIN(id) FROM public.schedule_lesson WHERE teacher_id = $1`, []any{teacher}, &lesson); err != nil {
		return err
	}
	if err := store.PutMeeting(ctx, x, store.Meeting{UUID: "talk==", MeetingID: "123456789", TeacherID: teacher, Topic: "A talk", Start: now}, now); err != nil {
		return err
	}
	id, err := store.AddRecording(ctx, x, store.Recording{TeacherID: teacher, Title: "A talk", Provider: media.ProviderLocal, Visibility: media.VisibleCustomStudents, Start: now}, now)
	if err != nil {
		return err
	}
	i, isNew, err := store.RequestMeetingIngest(ctx, x, "talk==", teacher, now)
	if err != nil || !isNew {
		return fmt.Errorf("new %t, %w", isNew, err)
	}
	if again, isNew, err := store.RequestMeetingIngest(ctx, x, "talk==", teacher, now); err != nil || isNew || again.ID != i.ID || again.Requests != 2 {
		t.Errorf("requested again: %+v, new %t, %v", again, isNew, err)
	}
	want := func(step string, wantLesson, wantTeacher int64, wantTitle string) {
		t.Helper()
		var title string
		r, err := store.LoadRecording(ctx, x, id, false)
		if err == nil {
			err = x.One(ctx, `SELECT title FROM public.schedule_lessonrecording WHERE id = $1`, []any{id}, &title)
		}
		if err != nil || r.LessonID != wantLesson || r.TeacherID != wantTeacher || title != wantTitle || r.Visibility != media.VisibleCustomStudents {
			t.Errorf("%s: %+v %q, %v", step, r, title, err)
		}
		if listed, err := store.HasViewers(ctx, x, id); err != nil || listed {
			t.Errorf("%s: somebody is listed, %v", step, err)
		}
	}
	want("the teacher's own", 0, teacher, "A talk")
	if err := store.AssignLesson(ctx, x, "talk==", lesson, 0, ""); err != nil {
		return err
	}
	if own, err := store.OwnIngestsOfLesson(ctx, x, lesson); err != nil || len(own) != 1 || own[0].ID != i.ID {
		t.Errorf("own ingests of the lesson: %+v, %v", own, err)
	}
	if lessons, err := store.LessonsOfOwnIngests(ctx, x); err != nil || len(lessons) != 1 || lessons[0] != lesson {
		t.Errorf("lessons of own ingests: %v, %v", lessons, err)
	}
	if err := store.AddViewers(ctx, x, id, []int64{1}, nil); err != nil {
		return err
	}
	if err := store.MoveRecording(ctx, x, id, lesson, 0, "A talk", now.AddDate(0, 0, 9), now); err != nil {
		return err
	}
	want("the lesson's", lesson, 0, "")
	if err := store.SetIngestLesson(ctx, x, i.ID, lesson, "", now); err != nil {
		return err
	}
	if of, err := store.IngestOfLesson(ctx, x, lesson); err != nil || of.ID != i.ID || of.MeetingUUID != "" {
		t.Errorf("the lesson's ingest: %+v, %v", of, err)
	}
	if err := store.MoveRecording(ctx, x, id, 0, teacher, "A talk", time.Time{}, now); err != nil {
		return err
	}
	want("the teacher's own again", 0, teacher, "A talk")
	return store.SetIngestLesson(ctx, x, i.ID, 0, "talk==", now)
}
