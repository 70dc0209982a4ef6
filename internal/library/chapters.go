package library

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Chapters are a recording's in the order of time: its teacher's, else Zoom's; none is no
// error.
func (l *Reader) Chapters(ctx context.Context, recording int64) (list []media.Chapter, err error) {
	err = l.store.View(ctx, "library: chapters", func(x catalog.Session) error {
		list, err = store.Chapters(ctx, x, recording)
		return err
	})
	return list, err
}

// SetChapters writes the chapters of a recording: for its owner, as Rename, and for an admin.
// None brings Zoom's back. NotFound: there is no such recording.
func (e *Editor) SetChapters(ctx context.Context, user media.User, recording int64, chapters []media.Chapter) error {
	const op = "library: set chapters"
	return e.change(ctx, op, func(x catalog.Session) error {
		if err := e.mayEdit(ctx, x, op, user, recording, true); err != nil {
			return err
		}
		changed, err := store.PutChapters(ctx, x, recording, true, chapters)
		if err != nil || !changed {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: e.now(), RecordingID: recording, What: "chapters edited", Detail: fmt.Sprintf("%d", len(chapters))})
	})
}

// mayEdit is editable for an owner, and for an admin, who may edit every recording that has
// not been removed. The row may be locked.
func (e *Editor) mayEdit(ctx context.Context, x catalog.Session, op string, user media.User, recording int64, lock bool) error {
	if user.Role != media.RoleAdmin {
		_, err := e.editable(ctx, x, op, user.ID, recording, lock)
		return err
	}
	r, err := store.LoadRecording(ctx, x, recording, lock)
	if err == nil && (r.Deleted || r.Status == media.StatusDeleted) {
		err = sql.ErrNoRows
	}
	return err
}
