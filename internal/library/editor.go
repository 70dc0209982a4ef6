package library

import (
	"context"
	"database/sql"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// Editor makes the changes that people ask for through the gateway, each in one
// transaction. It is safe for concurrent use.
type Editor struct {
	store *catalog.Store
	now   func() time.Time
	// changed is called after a change that decides who may watch what.
	changed func()
}

// NewEditor makes an Editor. changed must invalidate this process's cache of the catalog.
func NewEditor(db *catalog.Store, now func() time.Time, changed func()) *Editor {
	return &Editor{store: db, now: now, changed: changed}
}

func denied(op, reason string) error {
	return &media.Error{Kind: media.Denied, Op: op, Reason: reason}
}

// May reports whether a teacher may change a recording: nil, NotFound, or Denied with a
// reason.
func (e *Editor) May(ctx context.Context, teacher, id int64) error {
	const op = "library: may change"
	return e.store.View(ctx, op, func(x catalog.Session) error {
		_, err := e.editable(ctx, x, op, teacher, id, false)
		return err
	})
}

// editable is a recording that a teacher may change. sql.ErrNoRows: there is none, or it
// has been removed.
func (e *Editor) editable(ctx context.Context, x catalog.Session, op string, teacher, id int64, lock bool) (store.Recording, error) {
	active, err := hasSubscription(ctx, x, teacher, e.now())
	switch {
	case err != nil:
		return store.Recording{}, err
	case !active:
		return store.Recording{}, denied(op, media.ReasonSubscription)
	}
	r, err := store.LoadRecording(ctx, x, id, lock)
	switch {
	case err != nil:
		return r, err
	case r.Deleted || r.Status == media.StatusDeleted:
		return r, sql.ErrNoRows
	}
	return r, e.checkOwner(ctx, x, op, teacher, r)
}

func (e *Editor) checkOwner(ctx context.Context, x catalog.Session, op string, teacher int64, r store.Recording) error {
	owner, err := store.OwnerOf(ctx, x, r)
	switch {
	case err != nil:
		return err
	case owner == 0 || owner != teacher:
		return denied(op, media.ReasonNotOwner)
	}
	return nil
}

// hasSubscription reports whether a teacher's subscription is active; true where the
// platform has no subscriptions.
func hasSubscription(ctx context.Context, x catalog.Session, teacher int64, now time.Time) (bool, error) {
	there, err := x.HasTable(ctx, "public", "accounts_subscription")
	if err != nil || !there {
		return err == nil, err
	}
	var active bool
	err = x.One(ctx, `SELECT EXISTS (SELECT 1 FROM public.accounts_subscription WHERE user_id = $1
		AND (status = 'active' AND expires_at > $2 OR zoom_addon_expires_at > $2))`, []any{teacher, catalog.NewDBTime(now)}, &active)
	return active, err
}

// change runs f in a transaction, notifies the gateways and calls changed.
func (e *Editor) change(ctx context.Context, op string, f func(x catalog.Session) error) error {
	err := e.store.Update(ctx, op, func(x catalog.Session) error {
		if err := f(x); err != nil {
			return err
		}
		return x.Notify(ctx, "schedule_lessonrecording")
	})
	if err == nil {
		e.changed()
	}
	return err
}

// Rename gives a recording a title of its own.
func (e *Editor) Rename(ctx context.Context, teacher, id int64, title string) error {
	const op = "library: rename"
	return e.change(ctx, op, func(x catalog.Session) error {
		if _, err := e.editable(ctx, x, op, teacher, id, true); err != nil {
			return err
		}
		_, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET title = $2, updated_at = $3 WHERE id = $1`, id, title, catalog.NewDBTime(e.now()))
		return err
	})
}

// ShareCompanion says whether students see a companion of a recording: for its owner, as
// Rename, and for an admin. NotFound: there is no such recording or companion.
func (e *Editor) ShareCompanion(ctx context.Context, user media.User, recording, companion int64, shared bool) error {
	const op = "library: share a companion"
	return e.change(ctx, op, func(x catalog.Session) error {
		if err := e.mayEdit(ctx, x, op, user, recording, true); err != nil {
			return err
		}
		f, err := store.LoadRecordingFile(ctx, x, companion)
		if err == nil && (f.RecordingID != recording || f.Kind == store.KindPart || !f.Verified() || !f.RemovedAt.IsZero()) {
			err = sql.ErrNoRows
		}
		if err != nil {
			return err
		}
		return store.ShareFile(ctx, x, companion, shared)
	})
}

// Remove marks a recording as removed, by whom and why, and refunds its bytes to its
// teacher's quota, once. The bytes themselves are deleted after a grace period.
func (e *Editor) Remove(ctx context.Context, teacher, id int64, reason string) error {
	const op = "library: remove"
	return e.change(ctx, op, func(x catalog.Session) error {
		r, err := e.editable(ctx, x, op, teacher, id, true)
		if err != nil {
			return err
		}
		now := e.now()
		if _, err := store.RemoveRecording(ctx, x, id, reason, now); err != nil {
			return err
		}
		if _, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET deleted_by_id = $2 WHERE id = $1`, id, teacher); err != nil {
			return err
		}
		payer := teacher
		if (r.Status != media.StatusReady && r.Status != media.StatusArchived) || r.Provider == media.ProviderZoom {
			payer = 0 // nothing is stored yet, so nothing was charged
		}
		if err := store.Refund(ctx, x, id, payer, r.Size, now); err != nil {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: now, RecordingID: id, What: "removed by its teacher", Detail: reason})
	})
}

// Restore reverts Remove, as long as the bytes are there and the
// teacher's quota has room for them. NotFound: no such recording, or one that its
// teacher has not removed. Denied: see the reason.
func (e *Editor) Restore(ctx context.Context, teacher, id int64) error {
	const op = "library: restore"
	return e.change(ctx, op, func(x catalog.Session) error {
		now := e.now()
		active, err := hasSubscription(ctx, x, teacher, now)
		switch {
		case err != nil:
			return err
		case !active:
			return denied(op, media.ReasonSubscription)
		}
		// Locks in the order that the syncer takes them: ingest, recording, quota.
		if err := store.RestoreIngest(ctx, x, id, now); err != nil {
			return err
		}
		r, err := store.LoadRecording(ctx, x, id, true)
		if err != nil {
			return err
		}
		if err := e.checkOwner(ctx, x, op, teacher, r); err != nil {
			return err
		}
		if err := restorable(ctx, x, op, r); err != nil {
			return err
		}
		switch ok, err := store.Recharge(ctx, x, id, now); {
		case err != nil:
			return err
		case !ok:
			return denied(op, media.ReasonQuota)
		}
		status := media.StatusReady
		if r.Location().Key == "" {
			// Nothing was archived: its lesson's meeting is synced again.
			status = media.StatusFailed
			if found, err := e.requestResync(ctx, x, op, r, teacher); err == nil && found.Parts > 0 {
				status = media.StatusProcessing
			} else if err != nil && media.KindOf(err) == media.Other {
				return err
			}
		}
		if _, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET is_deleted = $2, deleted_at = NULL, deleted_by_id = NULL, deletion_reason = '', status = $3, updated_at = $4 WHERE id = $1`,
			id, false, string(status), catalog.NewDBTime(now)); err != nil {
			return err
		}
		return store.AppendHistory(ctx, x, store.HistoryEntry{At: now, RecordingID: id, What: "restored by its teacher"})
	})
}

// restorable reports whether a removed recording can be restored. What the platform or
// the end of retention removed cannot: the one deletes the bytes at once, the other would
// remove it again.
func restorable(ctx context.Context, x catalog.Session, op string, r store.Recording) error {
	var byTeacher, purging bool
	err := x.One(ctx, `SELECT is_deleted AND deleted_by_id IS NOT NULL, EXISTS (SELECT 1 FROM lectern.lectern_purges p WHERE p.recording_id = $1)
		FROM public.schedule_lessonrecording WHERE id = $1`, []any{r.ID}, &byTeacher, &purging)
	switch {
	case err != nil:
		return err
	case !byTeacher:
		return sql.ErrNoRows
	case purging:
		return denied(op, media.ReasonPurged)
	}
	return nil
}
