package store

import (
	"context"
	"time"
)

// ResyncRequest is somebody's wish that a lesson's recording is looked for at Zoom
// again. The gateway leaves it, a syncer takes it.
type ResyncRequest struct {
	LessonID    int64
	RecordingID int64
	TeacherID   int64
}

// PutResync leaves a request; one that waits already is enough.
func PutResync(ctx context.Context, x Session, lesson, recording, teacher int64, now time.Time) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_resyncs (lesson_id, recording_id, teacher_id, requested_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (lesson_id) DO UPDATE SET recording_id = excluded.recording_id, teacher_id = excluded.teacher_id, requested_at = excluded.requested_at`,
		lesson, recording, teacher, stamp(now))
	return err
}

// ResyncRequests are the requests that wait, oldest first.
func ResyncRequests(ctx context.Context, x Session) ([]ResyncRequest, error) {
	var out []ResyncRequest
	err := x.Each(ctx, `SELECT lesson_id, recording_id, teacher_id FROM lectern.lectern_resyncs ORDER BY requested_at, lesson_id`, nil, func(scan func(...any) error) error {
		var r ResyncRequest
		err := scan(&r.LessonID, &r.RecordingID, &r.TeacherID)
		out = append(out, r)
		return err
	})
	return out, err
}

// DeleteResync deletes a request: true when it was there.
func DeleteResync(ctx context.Context, x Session, lesson int64) (bool, error) {
	n, err := x.Exec(ctx, `DELETE FROM lectern.lectern_resyncs WHERE lesson_id = $1`, lesson)
	return n > 0, err
}

// BeginPurge notes that a removed row's bytes are about to go, so that nobody
// restores it any more.
func BeginPurge(ctx context.Context, x Session, r Recording) error {
	where := r.Location()
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_purges (recording_id, provider, archive_key) VALUES ($1, $2, $3) ON CONFLICT (recording_id) DO NOTHING`,
		r.ID, where.Provider, where.Key)
	return err
}

// Recharge charges a restored recording again, with what its removal refunded: false
// when the quota has no room for it.
func Recharge(ctx context.Context, x Session, recording int64, now time.Time) (bool, error) {
	c, err := loadCharge(ctx, x, recording)
	if err != nil || c.state != "released" || c.teacher == 0 {
		return true, err
	}
	q, err := LoadQuota(ctx, x, c.teacher, now)
	if err != nil {
		return false, err
	}
	if q.Used+q.Reserved+c.bytes > q.Total {
		return false, nil
	}
	q.Used, q.Recordings = q.Used+c.bytes, q.Recordings+1
	if _, err := q.save(ctx, x, now); err != nil {
		return false, err
	}
	c.state, c.reserved = "charged", 0
	return true, saveCharge(ctx, x, recording, c, now)
}
