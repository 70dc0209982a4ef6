package library

import (
	"context"
	"database/sql"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Resync is a recording that is to be synced from Zoom again, with what is known of it
// there.
type Resync struct {
	RecordingID int64
	Parts       int64
	Bytes       int64
	Duration    time.Duration
}

// Resync requests that a lesson's recording is synced from Zoom again, and returns what
// is known of it there.
func (e *Editor) Resync(ctx context.Context, teacher, id int64) (Resync, error) {
	const op = "library: resync"
	var out Resync
	err := e.change(ctx, op, func(x catalog.Session) error {
		r, err := store.LoadRecording(ctx, x, id, true)
		switch {
		case err != nil:
			return err
		case r.Deleted || r.Status == media.StatusDeleted:
			return sql.ErrNoRows
		}
		if err := e.checkOwner(ctx, x, op, teacher, r); err != nil {
			return err
		}
		if out, err = e.requestResync(ctx, x, op, r, teacher); err != nil || r.Status != media.StatusFailed {
			return err
		}
		return store.SetStatus(ctx, x, id, media.StatusProcessing, e.now())
	})
	return out, err
}

// requestResync inserts the request that a syncer takes up.
func (e *Editor) requestResync(ctx context.Context, x catalog.Session, op string, r store.Recording, teacher int64) (Resync, error) {
	out := Resync{RecordingID: r.ID}
	if r.LessonID == 0 {
		return out, denied(op, media.ReasonNoMeeting)
	}
	lesson, err := store.LoadLesson(ctx, x, r.LessonID)
	if err != nil {
		return out, err
	}
	if !lesson.HasMeeting() {
		return out, denied(op, media.ReasonNoMeeting)
	}
	owner, err := store.LoadTeacher(ctx, x, lesson.TeacherID)
	if err != nil {
		return out, err
	}
	if owner.AccountID == "" || owner.ClientID == "" || owner.ClientSecret == "" {
		return out, denied(op, media.ReasonNoAccount)
	}
	meetings, err := store.MeetingsOf(ctx, x, lesson.ID)
	if err != nil {
		return out, err
	}
	if !sumParts(&out, meetings, r.View) {
		return out, denied(op, media.ReasonGoneAtZoom)
	}
	return out, store.PutResync(ctx, x, lesson.ID, r.ID, teacher, e.now())
}

// sumParts adds up the parts of one view: the recording's, else that of the first video
// there is. false: there were some, and all are gone.
func sumParts(out *Resync, meetings []store.Meeting, view string) bool {
	var all, there []store.File
	for _, m := range meetings {
		for _, f := range m.Files {
			if f.Type != "MP4" {
				continue
			}
			all = append(all, f)
			if f.GoneAt.IsZero() && f.TrashedAt.IsZero() {
				there = append(there, f)
			}
		}
	}
	has := func(v string) bool {
		for _, f := range there {
			if f.View == v {
				return true
			}
		}
		return false
	}
	if len(there) > 0 && !has(view) {
		view = there[0].View
	}
	for _, f := range there {
		if f.View == view {
			out.Parts++
			out.Bytes += f.Size
			out.Duration += max(0, f.End.Sub(f.Start))
		}
	}
	return len(there) > 0 || len(all) == 0
}
