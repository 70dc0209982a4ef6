package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// defaultQuota is the platform's for a teacher without a row: 5 GiB.
const defaultQuota = 5 << 30

// Quota is a teacher's account of bytes.
type Quota struct {
	ID         int64
	TeacherID  int64
	Total      int64
	Used       int64
	Recordings int64
	Warned     bool
	Exceeded   bool
	// Reserved is the sum of the reservations of ingests under way.
	Reserved int64
}

// Share is how much is used, in percent.
func (q Quota) Share() int {
	if q.Total <= 0 {
		return 100
	}
	return int(float64(q.Used) / float64(q.Total) * 100)
}

// warnAt is the share from which a teacher is warned.
const warnAt = 80

// LoadQuota reads a teacher's account and holds it until the transaction ends: who
// reserves, commits or releases is alone with it. A teacher's first use makes it.
func LoadQuota(ctx context.Context, x Session, teacher int64, now time.Time) (Quota, error) {
	_, err := x.Exec(ctx, `INSERT INTO public.schedule_teacherstoragequota
			(teacher_id, total_quota_bytes, used_bytes, recordings_count, purchased_gb, warning_sent, quota_exceeded, created_at, updated_at)
		VALUES ($1, $2, 0, 0, 0, $3, $3, $4, $4) ON CONFLICT (teacher_id) DO NOTHING`, teacher, int64(defaultQuota), false, stamp(now))
	if err != nil {
		return Quota{}, err
	}
	q := Quota{TeacherID: teacher}
	err = x.One(ctx, `SELECT id, total_quota_bytes, used_bytes, recordings_count, warning_sent, quota_exceeded FROM public.schedule_teacherstoragequota WHERE teacher_id = $1`+x.ForUpdate(),
		[]any{teacher}, &q.ID, &q.Total, &q.Used, &q.Recordings, &q.Warned, &q.Exceeded)
	if err != nil {
		return Quota{}, err
	}
	err = x.One(ctx, `SELECT CAST(COALESCE(SUM(reserved), 0) AS bigint) FROM lectern.lectern_quota_charges WHERE teacher_id = $1`, []any{teacher}, &q.Reserved)
	return q, err
}

// ReadQuota is LoadQuota that holds nothing and makes nothing: the account of a teacher who
// has none is the default.
func ReadQuota(ctx context.Context, x Session, teacher int64) (Quota, error) {
	q := Quota{TeacherID: teacher, Total: defaultQuota}
	err := x.One(ctx, `SELECT id, total_quota_bytes, used_bytes, recordings_count, warning_sent, quota_exceeded FROM public.schedule_teacherstoragequota WHERE teacher_id = $1`,
		[]any{teacher}, &q.ID, &q.Total, &q.Used, &q.Recordings, &q.Warned, &q.Exceeded)
	if err != nil && !catalog.IsNotFound(err) {
		return Quota{}, err
	}
	err = x.One(ctx, `SELECT CAST(COALESCE(SUM(reserved), 0) AS bigint) FROM lectern.lectern_quota_charges WHERE teacher_id = $1`, []any{teacher}, &q.Reserved)
	return q, err
}

// RaiseQuota adds to a quota by its row's id. The flags follow; raising warns nobody.
// sql.ErrNoRows: there is no such quota.
func RaiseQuota(ctx context.Context, x Session, id, bytes, wholeGB int64, now time.Time) error {
	var teacher int64
	if err := x.One(ctx, `SELECT teacher_id FROM public.schedule_teacherstoragequota WHERE id = $1`, []any{id}, &teacher); err != nil {
		return err
	}
	q, err := LoadQuota(ctx, x, teacher, now)
	if err != nil {
		return err
	}
	q.Total += bytes
	q.Exceeded, q.Warned = q.Used >= q.Total, q.Warned && q.Share() >= warnAt
	_, err = x.Exec(ctx, `UPDATE public.schedule_teacherstoragequota SET total_quota_bytes = $2, purchased_gb = purchased_gb + $3, quota_exceeded = $4, warning_sent = $5, updated_at = $6 WHERE id = $1`,
		id, q.Total, wholeGB, q.Exceeded, q.Warned, stamp(now))
	return err
}

// save writes an account with its flags; warn says that the 80 % have been crossed
// just now.
func (q *Quota) save(ctx context.Context, x Session, now time.Time) (warn bool, err error) {
	if err := q.saveUsage(ctx, x, now); err != nil {
		return false, err
	}
	over := q.Share() >= warnAt
	if over == q.Warned {
		return false, nil
	}
	q.Warned = over
	_, err = x.Exec(ctx, `UPDATE public.schedule_teacherstoragequota SET warning_sent = $2, last_warning_at = CASE WHEN $2 THEN $3 ELSE last_warning_at END WHERE id = $1`,
		q.ID, over, stamp(now))
	return over, err
}

// saveUsage writes an account and whether its quota is exceeded. What says whether the
// teacher was warned stays.
func (q *Quota) saveUsage(ctx context.Context, x Session, now time.Time) error {
	q.Used, q.Recordings = max(q.Used, 0), max(q.Recordings, 0)
	q.Exceeded = q.Used >= q.Total
	_, err := x.Exec(ctx, `UPDATE public.schedule_teacherstoragequota SET used_bytes = $2, recordings_count = $3, quota_exceeded = $4, updated_at = $5 WHERE id = $1`,
		q.ID, q.Used, q.Recordings, q.Exceeded, stamp(now))
	return err
}

// charge is what a recording costs.
type charge struct {
	teacher, bytes, reserved int64
	state                    string
}

func loadCharge(ctx context.Context, x Session, recording int64) (charge, error) {
	var c charge
	err := x.One(ctx, `SELECT teacher_id, bytes, reserved, state FROM lectern.lectern_quota_charges WHERE recording_id = $1`+x.ForUpdate(), []any{recording}, &c.teacher, &c.bytes, &c.reserved, &c.state)
	if err != nil && !catalog.IsNotFound(err) {
		return charge{}, err
	}
	return c, nil
}

func saveCharge(ctx context.Context, x Session, recording int64, c charge, now time.Time) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_quota_charges (recording_id, teacher_id, bytes, reserved, state, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (recording_id) DO UPDATE SET teacher_id = excluded.teacher_id, bytes = excluded.bytes, reserved = excluded.reserved, state = excluded.state, updated_at = excluded.updated_at`,
		recording, c.teacher, c.bytes, c.reserved, c.state, stamp(now))
	return err
}

// Reserve reserves quota for a recording that may grow to size bytes. ok is false
// when the teacher's quota has no room for what that adds to its present charge. A
// second call replaces the reservation.
func Reserve(ctx context.Context, x Session, recording, teacher, size int64, now time.Time) (ok bool, q Quota, err error) {
	if q, err = LoadQuota(ctx, x, teacher, now); err != nil {
		return false, q, err
	}
	c, err := loadCharge(ctx, x, recording)
	if err != nil {
		return false, q, err
	}
	charged := int64(0)
	if c.state == "charged" {
		charged = c.bytes
	}
	others := q.Reserved
	if c.teacher == teacher {
		others -= c.reserved
	}
	more := max(0, size-charged)
	if more > 0 && q.Used+others+more > q.Total {
		return false, q, nil
	}
	if c.state != "charged" {
		c.state = "reserved"
		c.teacher = teacher
	}
	c.reserved = more
	return true, q, saveCharge(ctx, x, recording, c, now)
}

// Commit turns a reservation into a charge of exactly size bytes, once, however often
// it is called. warn says that the teacher has just reached 80 %.
func Commit(ctx context.Context, x Session, recording, teacher, size int64, now time.Time) (warn bool, q Quota, err error) {
	if q, err = LoadQuota(ctx, x, teacher, now); err != nil {
		return false, q, err
	}
	c, err := loadCharge(ctx, x, recording)
	if err != nil {
		return false, q, err
	}
	if c.state == "charged" {
		q.Used += size - c.bytes
	} else {
		q.Used += size
		q.Recordings++
	}
	if err := saveCharge(ctx, x, recording, charge{teacher: teacher, bytes: size, state: "charged"}, now); err != nil {
		return false, q, err
	}
	warn, err = q.save(ctx, x, now)
	return warn, q, err
}

// AdoptCharge notes what a recording costs that the platform has charged itself, unless a
// charge of it is noted already. A reservation is released. The account stays as it is.
func AdoptCharge(ctx context.Context, x Session, recording, teacher, size int64, now time.Time) error {
	c, err := loadCharge(ctx, x, recording)
	if err != nil || c.state == "charged" {
		return err
	}
	return saveCharge(ctx, x, recording, charge{teacher: teacher, bytes: size, state: "charged"}, now)
}

// Release releases a reservation; what is charged stays.
func Release(ctx context.Context, x Session, recording int64, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_quota_charges SET reserved = 0, state = CASE WHEN state = 'reserved' THEN 'released' ELSE state END, updated_at = $2 WHERE recording_id = $1`,
		recording, stamp(now))
	return err
}

// Refund refunds a removed recording's charge to its teacher, once. Of a recording
// that was never charged here (the platform archived it) size is refunded.
func Refund(ctx context.Context, x Session, recording, teacher, size int64, now time.Time) error {
	c, err := loadCharge(ctx, x, recording)
	if err != nil {
		return err
	}
	switch c.state {
	case "released":
		return nil
	case "charged":
		teacher, size = c.teacher, c.bytes
	case "reserved":
		teacher, size = 0, 0
	}
	if teacher != 0 {
		q, err := LoadQuota(ctx, x, teacher, now)
		if err != nil {
			return err
		}
		q.Used, q.Recordings = q.Used-size, q.Recordings-1
		if _, err := q.save(ctx, x, now); err != nil {
			return err
		}
	}
	return saveCharge(ctx, x, recording, charge{teacher: teacher, bytes: size, state: "released"}, now)
}

// MarkRefunded notes that the platform has refunded a recording's charge itself.
func MarkRefunded(ctx context.Context, x Session, recording int64, now time.Time) error {
	c, err := loadCharge(ctx, x, recording)
	if err != nil {
		return err
	}
	c.state, c.reserved = "released", 0
	return saveCharge(ctx, x, recording, c, now)
}

// takeCharges notes that a teacher's account bears the charges of the teacher's recordings,
// as it does once their bytes are counted in it: a lesson that is given to another teacher
// costs that one from the next count on, and a later refund has to reach the same account.
func takeCharges(ctx context.Context, x Session, teacher int64, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_quota_charges SET teacher_id = $1, updated_at = $3 WHERE state = 'charged' AND teacher_id <> $1 AND recording_id IN (
		SELECT r.id FROM public.schedule_lessonrecording r LEFT JOIN public.schedule_lesson l ON l.id = r.lesson_id WHERE r.is_deleted = $2 AND `+catalog.RecordingOwner+` = $1)`,
		teacher, false, stamp(now))
	return err
}

// RecomputeUsage recomputes a teacher's account from the recordings that are stored and not
// removed. warn says that the 80 % have been crossed just now.
func RecomputeUsage(ctx context.Context, x Session, teacher int64, now time.Time) (before, after Quota, warn bool, err error) {
	if before, err = LoadQuota(ctx, x, teacher, now); err != nil {
		return before, after, false, err
	}
	if after, err = StoredUsage(ctx, x, before); err != nil {
		return before, after, false, err
	}
	if err = takeCharges(ctx, x, teacher, now); err != nil {
		return before, after, false, err
	}
	warn, err = after.save(ctx, x, now)
	return before, after, warn, err
}

// FillUsage corrects the accounts of all teachers to what is stored, as after recordings
// came by another way than the syncer's. It warns nobody and leaves that to the next
// RecomputeUsage, which can. Accounts that are right are not written.
func FillUsage(ctx context.Context, x Session, now time.Time) error {
	teachers, err := QuotaTeachers(ctx, x)
	if err != nil {
		return err
	}
	for _, teacher := range teachers {
		before, err := LoadQuota(ctx, x, teacher, now)
		if err != nil {
			return err
		}
		after, err := StoredUsage(ctx, x, before)
		if err != nil {
			return err
		}
		if err := takeCharges(ctx, x, teacher, now); err != nil {
			return err
		}
		if after == before {
			continue
		}
		if err := after.saveUsage(ctx, x, now); err != nil {
			return err
		}
	}
	return nil
}

// StoredUsage is an account with the usage of what is stored and not removed.
func StoredUsage(ctx context.Context, x Session, q Quota) (Quota, error) {
	// A substitute's lesson costs the substitute: the lesson's teacher, not the group's.
	err := x.One(ctx, `SELECT CAST(COALESCE(SUM(COALESCE(r.file_size, r.archive_size_bytes, 0)
			+ COALESCE((SELECT SUM(f.size) FROM lectern.lectern_recording_files f WHERE f.recording_id = r.id AND `+countedFile+`), 0)), 0) AS bigint), COUNT(*) FROM public.schedule_lessonrecording r
		LEFT JOIN public.schedule_lesson l ON l.id = r.lesson_id
		WHERE r.is_deleted = $2 AND r.status IN ('ready', 'archived') AND r.storage_provider <> 'zoom' AND `+catalog.RecordingOwner+` = $1`,
		[]any{q.TeacherID, false}, &q.Used, &q.Recordings)
	return q, err
}

// QuotaTeachers are all who have an account or something stored.
func QuotaTeachers(ctx context.Context, x Session) ([]int64, error) {
	var out []int64
	err := x.Each(ctx, `SELECT teacher_id FROM public.schedule_teacherstoragequota
		UNION SELECT `+catalog.RecordingOwner+` FROM public.schedule_lessonrecording r LEFT JOIN public.schedule_lesson l ON l.id = r.lesson_id
		WHERE r.is_deleted = $1 ORDER BY 1`, []any{false}, func(scan func(...any) error) error {
		var id sql.NullInt64
		err := scan(&id)
		if id.Valid {
			out = append(out, id.Int64)
		}
		return err
	})
	return out, err
}
