package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// Reasons why a change that somebody asked for is not made, as media.Error.Reason.
const (
	ReasonSubscription = "subscription"   // the teacher's is not active
	ReasonNotOwner     = "not_owner"      // somebody else's recording
	ReasonPurged       = "purged"         // its bytes are gone, or going
	ReasonQuota        = "quota_exceeded" // there is no room for it any more
	ReasonNoMeeting    = "no_meeting"     // it does not come from Zoom
	ReasonNoAccount    = "no_account"     // its teacher has not told of a Zoom app
	ReasonGoneAtZoom   = "gone_at_zoom"
)

// Keeper makes the changes that people ask for through the gateway, each in one
// transaction. It is safe for concurrent use.
type Keeper struct {
	store *catalog.Store
	now   func() time.Time
	// changed is called after a change that decides who may watch what.
	changed func()
}

// NewKeeper makes a Keeper; changed tells whoever remembers facts of the catalog in
// this process.
func NewKeeper(store *catalog.Store, now func() time.Time, changed func()) *Keeper {
	return &Keeper{store: store, now: now, changed: changed}
}

func denied(op, reason string) error {
	return &media.Error{Kind: media.Denied, Op: op, Reason: reason}
}

// May tells whether a teacher may change a recording: nil, NotFound, or Denied with
// a reason.
func (k *Keeper) May(ctx context.Context, teacher, id int64) error {
	const op = "store: may change"
	return k.store.View(ctx, op, func(x Session) error {
		_, err := k.own(ctx, x, op, teacher, id, false)
		return err
	})
}

// own finds a recording that a teacher may change.
func (k *Keeper) own(ctx context.Context, x Session, op string, teacher, id int64, lock bool) (Recording, error) {
	active, err := subscribed(ctx, x, teacher, k.now())
	switch {
	case err != nil:
		return Recording{}, err
	case !active:
		return Recording{}, denied(op, ReasonSubscription)
	}
	r, err := LoadRecording(ctx, x, id, lock)
	switch {
	case err != nil:
		return r, err
	case r.Deleted || r.Status == media.StatusDeleted:
		return r, sql.ErrNoRows
	}
	return r, k.owned(ctx, x, op, teacher, r)
}

func (k *Keeper) owned(ctx context.Context, x Session, op string, teacher int64, r Recording) error {
	owner, err := OwnerOf(ctx, x, r)
	switch {
	case err != nil:
		return err
	case owner == 0 || owner != teacher:
		return denied(op, ReasonNotOwner)
	}
	return nil
}

// subscribed tells whether a teacher's subscription is active, where there are any.
func subscribed(ctx context.Context, x Session, teacher int64, now time.Time) (bool, error) {
	there, err := x.HasTable(ctx, "accounts_subscription")
	if err != nil || !there {
		return err == nil, err
	}
	var active bool
	err = x.One(ctx, `SELECT EXISTS (SELECT 1 FROM public.accounts_subscription WHERE user_id = $1
		AND (status = 'active' AND expires_at > $2 OR zoom_addon_expires_at > $2))`, []any{teacher, stamp(now)}, &active)
	return active, err
}

// change runs f in a transaction, announces the change and tells this process.
func (k *Keeper) change(ctx context.Context, op string, f func(x Session) error) error {
	err := k.store.Update(ctx, op, func(x Session) error {
		if err := f(x); err != nil {
			return err
		}
		return x.Announce(ctx, recordingsTable)
	})
	if err == nil {
		k.changed()
	}
	return err
}

// Rename gives a recording a title of its own.
func (k *Keeper) Rename(ctx context.Context, teacher, id int64, title string) error {
	const op = "store: rename"
	return k.change(ctx, op, func(x Session) error {
		if _, err := k.own(ctx, x, op, teacher, id, true); err != nil {
			return err
		}
		_, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET title = $2, updated_at = $3 WHERE id = $1`, id, title, stamp(k.now()))
		return err
	})
}

// Remove marks a recording as removed, by whom and why, and gives its bytes back to
// its teacher's quota, once. The bytes themselves go when their grace is over.
func (k *Keeper) Remove(ctx context.Context, teacher, id int64, reason string) error {
	const op = "store: remove"
	return k.change(ctx, op, func(x Session) error {
		r, err := k.own(ctx, x, op, teacher, id, true)
		if err != nil {
			return err
		}
		now := k.now()
		if _, err := RemoveRecording(ctx, x, id, reason, now); err != nil {
			return err
		}
		if _, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET deleted_by_id = $2 WHERE id = $1`, id, teacher); err != nil {
			return err
		}
		payer := teacher
		if (r.Status != media.StatusReady && r.Status != media.StatusArchived) || r.Provider == media.ProviderZoom {
			payer = 0 // nothing is stored yet: nobody pays
		}
		if err := Refund(ctx, x, id, payer, r.Size, now); err != nil {
			return err
		}
		return AppendHistory(ctx, x, HistoryEntry{At: now, RecordingID: id, What: "removed by its teacher", Detail: reason})
	})
}

// Restore takes back what Remove did, as long as the bytes are there and the
// teacher's quota has room for them. NotFound: no such recording, or one that its
// teacher has not removed. Denied: see the reason.
func (k *Keeper) Restore(ctx context.Context, teacher, id int64) error {
	const op = "store: restore"
	return k.change(ctx, op, func(x Session) error {
		now := k.now()
		active, err := subscribed(ctx, x, teacher, now)
		switch {
		case err != nil:
			return err
		case !active:
			return denied(op, ReasonSubscription)
		}
		// The ingest first, then the row, then the quota.
		if _, err := x.Exec(ctx, `UPDATE lectern.lectern_ingests SET state = CASE WHEN verified_at IS NULL THEN 'failed' ELSE 'done' END, updated_at = $2
			WHERE recording_id = $1 AND state = 'removed'`, id, stamp(now)); err != nil {
			return err
		}
		r, err := LoadRecording(ctx, x, id, true)
		if err != nil {
			return err
		}
		if err := k.owned(ctx, x, op, teacher, r); err != nil {
			return err
		}
		if err := restorable(ctx, x, op, r); err != nil {
			return err
		}
		switch ok, err := Recharge(ctx, x, id, now); {
		case err != nil:
			return err
		case !ok:
			return denied(op, ReasonQuota)
		}
		status := media.StatusReady
		if r.Location().Key == "" {
			// It had not been archived. Its lesson's meeting is looked for again.
			status = media.StatusFailed
			if asked, err := k.ask(ctx, x, op, r, teacher); err == nil && asked.Parts > 0 {
				status = media.StatusProcessing
			} else if err != nil && media.KindOf(err) == media.Other {
				return err
			}
		}
		if _, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET is_deleted = $2, deleted_at = NULL, deleted_by_id = NULL, deletion_reason = '', status = $3, updated_at = $4 WHERE id = $1`,
			id, false, string(status), stamp(now)); err != nil {
			return err
		}
		return AppendHistory(ctx, x, HistoryEntry{At: now, RecordingID: id, What: "restored by its teacher"})
	})
}

// restorable tells whether a removed recording can come back. What the platform or
// the end of retention removed does not: the one deletes the bytes at once, the
// other would remove it again.
func restorable(ctx context.Context, x Session, op string, r Recording) error {
	var byTeacher, purging bool
	err := x.One(ctx, `SELECT is_deleted AND deleted_by_id IS NOT NULL, EXISTS (SELECT 1 FROM lectern.lectern_purges p WHERE p.recording_id = $1)
		FROM public.schedule_lessonrecording WHERE id = $1`, []any{r.ID}, &byTeacher, &purging)
	switch {
	case err != nil:
		return err
	case !byTeacher:
		return sql.ErrNoRows
	case purging:
		return denied(op, ReasonPurged)
	}
	return nil
}

// Resync asks the syncers to look for a lesson's recording at Zoom again. It comes
// back with what is known of it there.
func (k *Keeper) Resync(ctx context.Context, teacher, id int64) (media.Resync, error) {
	const op = "store: resync"
	var out media.Resync
	err := k.change(ctx, op, func(x Session) error {
		r, err := LoadRecording(ctx, x, id, true)
		switch {
		case err != nil:
			return err
		case r.Deleted || r.Status == media.StatusDeleted:
			return sql.ErrNoRows
		}
		if err := k.owned(ctx, x, op, teacher, r); err != nil {
			return err
		}
		if out, err = k.ask(ctx, x, op, r, teacher); err != nil || r.Status != media.StatusFailed {
			return err
		}
		return SetStatus(ctx, x, id, media.StatusProcessing, k.now())
	})
	return out, err
}

// ask leaves a request for the syncers.
func (k *Keeper) ask(ctx context.Context, x Session, op string, r Recording, teacher int64) (media.Resync, error) {
	out := media.Resync{RecordingID: r.ID}
	if r.LessonID == 0 {
		return out, denied(op, ReasonNoMeeting)
	}
	lesson, err := LoadLesson(ctx, x, r.LessonID)
	if err != nil {
		return out, err
	}
	if digits(lesson.MeetingID) == "" {
		return out, denied(op, ReasonNoMeeting)
	}
	owner, err := LoadTeacher(ctx, x, lesson.TeacherID)
	if err != nil {
		return out, err
	}
	if owner.AccountID == "" || owner.ClientID == "" || owner.ClientSecret == "" {
		return out, denied(op, ReasonNoAccount)
	}
	meetings, err := MeetingsOf(ctx, x, lesson.ID)
	if err != nil {
		return out, err
	}
	if !summarise(&out, meetings, r.View) {
		return out, denied(op, ReasonGoneAtZoom)
	}
	return out, PutResync(ctx, x, lesson.ID, r.ID, teacher, k.now())
}

// summarise adds up the parts of one view: the recording's, else that of the first
// video there is. false: there were some, and all are gone.
func summarise(out *media.Resync, meetings []Meeting, view string) bool {
	var all, there []File
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

// RaiseQuota gives a teacher more room. NotFound: there is no such quota.
func (k *Keeper) RaiseQuota(ctx context.Context, id, bytes, wholeGB int64) error {
	return k.store.Update(ctx, "store: raise a quota", func(x Session) error {
		var teacher int64
		if err := x.One(ctx, `SELECT teacher_id FROM public.schedule_teacherstoragequota WHERE id = $1`, []any{id}, &teacher); err != nil {
			return err
		}
		q, err := LoadQuota(ctx, x, teacher, k.now())
		if err != nil {
			return err
		}
		if _, err := x.Exec(ctx, `UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = total_quota_bytes + $2, purchased_gb = purchased_gb + $3 WHERE id = $1`, id, bytes, wholeGB); err != nil {
			return err
		}
		// The flags follow; raising warns nobody.
		q.Total += bytes
		q.Exceeded, q.Warned = q.Used >= q.Total, q.Warned && q.Share() >= warnAt
		_, err = x.Exec(ctx, `UPDATE public.schedule_teacherstoragequota SET quota_exceeded = $2, warning_sent = $3, updated_at = $4 WHERE id = $1`, id, q.Exceeded, q.Warned, stamp(k.now()))
		return err
	})
}

// OwnQuota makes sure that a teacher has a quota, and gives its id.
func (k *Keeper) OwnQuota(ctx context.Context, teacher int64) (id int64, err error) {
	err = k.store.Update(ctx, "store: a teacher's quota", func(x Session) error {
		q, err := LoadQuota(ctx, x, teacher, k.now())
		id = q.ID
		return err
	})
	return id, err
}
