package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// Ingest is how one lesson gets its recording, or one meeting that belongs to no
// lesson: its recording is its teacher's own.
type Ingest struct {
	ID          int64
	LessonID    int64  // 0 when the lesson is gone, or there is none
	MeetingUUID string // of a recording of a teacher's own, else ""
	RecordingID int64  // 0 before there is a row, or when it is gone
	TeacherID   int64  // the lesson's, or of the teacher's own; who pays
	state       State  // set by Apply only
	Reason      string
	Detail      string
	// Requests counts the requests for it; a run that finds more of them at its end than
	// at its beginning runs once more.
	Requests     int64
	Attempts     int64
	FailingSince time.Time
	Lease        string // of the run at work: the syncer's id, '#', a number; "" = none
	Provider     string
	ArchiveKey   string // given before the first byte goes up
	// StagedKey is a key that no recording names: of a new version that is uploaded, or of
	// a file that is to be removed.
	StagedKey string
	// OriginalKey is the key that the recording had before the published version, whose file
	// gets the same bytes and is named again then.
	OriginalKey string
	// ArchivedParts are the files that the archive holds, as uuid/file, a line each.
	ArchivedParts   string
	ArchivedVersion string
	Size            int64
	MD5, SHA256     string // of the archived bytes, lower-case hex; SHA256 is "" of what was archived before it was kept
	VerifiedAt      time.Time
	Need            int64 // bytes it waits for, with Reason quota_exceeded
	// Retakes counts how often reconciliation has taken it up again after a failure, the
	// last time at RetakenAt. Before RetakeAt it does not.
	Retakes             int64
	RetakenAt, RetakeAt time.Time
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// Parts are the archived files, as uuid/file.
func (i Ingest) Parts() []string {
	if i.ArchivedParts == "" {
		return nil
	}
	return strings.Split(i.ArchivedParts, "\n")
}

// Orphaned reports whether an ingest belongs to nothing: its lesson was deleted.
func (i Ingest) Orphaned() bool { return i.LessonID == 0 && i.MeetingUUID == "" }

// Subject names what an ingest archives.
func (i Ingest) Subject() string {
	if i.MeetingUUID != "" {
		return "meeting " + i.MeetingUUID
	}
	return fmt.Sprintf("lesson %d", i.LessonID)
}

// State is the state of the ingest.
func (i Ingest) State() State { return i.state }

// Apply changes the state by an event. An error says that the pair is impossible; the
// ingest is as it was then.
func (i *Ingest) Apply(e IngestEvent) error {
	next, err := Transition(i.state, e)
	i.state = next
	return err
}

// Archived reports whether the archive holds something verified.
func (i Ingest) Archived() bool { return !i.VerifiedAt.IsZero() }

const ingestColumns = `SELECT id, lesson_id, COALESCE(meeting_uuid, ''), recording_id, teacher_id, state, reason, detail, wanted, attempts, failing_since, owner,
	provider, archive_key, archived_parts, archived_version, size, md5, sha256, verified_at, need, retakes, retaken_at, retake_at, staged_key, original_key, created_at, updated_at FROM lectern.lectern_ingests `

func ingests(ctx context.Context, x Session, rest string, args ...any) ([]Ingest, error) {
	var out []Ingest
	err := x.Each(ctx, ingestColumns+rest, args, func(scan func(...any) error) error {
		var (
			i                                                    Ingest
			lesson, recording                                    sql.NullInt64
			failing, verified, retaken, retake, created, updated catalog.DBTime
		)
		err := scan(&i.ID, &lesson, &i.MeetingUUID, &recording, &i.TeacherID, &i.state, &i.Reason, &i.Detail, &i.Requests, &i.Attempts, &failing, &i.Lease,
			&i.Provider, &i.ArchiveKey, &i.ArchivedParts, &i.ArchivedVersion, &i.Size, &i.MD5, &i.SHA256, &verified, &i.Need, &i.Retakes, &retaken, &retake, &i.StagedKey, &i.OriginalKey, &created, &updated)
		i.LessonID, i.RecordingID = lesson.Int64, recording.Int64
		i.FailingSince, i.VerifiedAt, i.CreatedAt, i.UpdatedAt = failing.Time, verified.Time, created.Time, updated.Time
		i.RetakenAt, i.RetakeAt = retaken.Time, retake.Time
		out = append(out, i)
		return err
	})
	return out, err
}

func oneIngest(ctx context.Context, x Session, rest string, args ...any) (Ingest, error) {
	found, err := ingests(ctx, x, rest, args...)
	if err == nil && len(found) == 0 {
		return Ingest{}, sql.ErrNoRows
	}
	if err != nil {
		return Ingest{}, err
	}
	return found[0], nil
}

// LoadIngest finds an ingest; with lock it stays as it is until the transaction ends.
func LoadIngest(ctx context.Context, x Session, id int64, lock bool) (Ingest, error) {
	rest := `WHERE id = $1`
	if lock {
		rest += x.ForUpdate()
	}
	return oneIngest(ctx, x, rest, id)
}

// IngestOfLesson finds a lesson's ingest.
func IngestOfLesson(ctx context.Context, x Session, lesson int64) (Ingest, error) {
	return oneIngest(ctx, x, `WHERE lesson_id = $1`, lesson)
}

// IngestOfMeeting finds the ingest of a meeting whose recording is its teacher's own.
func IngestOfMeeting(ctx context.Context, x Session, uuid string) (Ingest, error) {
	return oneIngest(ctx, x, `WHERE meeting_uuid = $1`, uuid)
}

// IngestOfRecording finds the ingest that made a recording.
func IngestOfRecording(ctx context.Context, x Session, recording int64) (Ingest, error) {
	return oneIngest(ctx, x, `WHERE recording_id = $1`, recording)
}

// IngestsInState returns the ingests in a state, oldest first.
func IngestsInState(ctx context.Context, x Session, state State) ([]Ingest, error) {
	return ingests(ctx, x, `WHERE state = $1 ORDER BY id`, string(state))
}

// ObservedIngests are the ingests that ended in saying what they would do, oldest first.
func ObservedIngests(ctx context.Context, x Session) ([]Ingest, error) {
	return ingests(ctx, x, `WHERE reason = $1 AND owner = '' ORDER BY id`, ReasonObserved)
}

// RequestIngest requests a lesson's recording: the ingest is created, or its count of
// requests grows; what it failed with is forgotten, unless that is a loss. A removed one stays as it is. The
// row is locked until the transaction ends.
func RequestIngest(ctx context.Context, x Session, l Lesson, now time.Time) (i Ingest, isNew bool, err error) {
	return requestIngest(ctx, x, "lesson_id", l.ID, l.TeacherID, now)
}

// RequestMeetingIngest is RequestIngest for a meeting whose recording is its teacher's
// own.
func RequestMeetingIngest(ctx context.Context, x Session, uuid string, teacher int64, now time.Time) (i Ingest, isNew bool, err error) {
	return requestIngest(ctx, x, "meeting_uuid", uuid, teacher, now)
}

// requestIngest requests the ingest whose column key has a value.
func requestIngest(ctx context.Context, x Session, key string, value any, teacher int64, now time.Time) (i Ingest, isNew bool, err error) {
	first, err := Transition("", Request)
	if err != nil {
		return Ingest{}, false, err
	}
	var id int64
	err = x.One(ctx, `INSERT INTO lectern.lectern_ingests (`+key+`, teacher_id, state, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
		ON CONFLICT (`+key+`) DO NOTHING RETURNING id`, []any{value, teacher, string(first), stamp(now)}, &id)
	switch {
	case err == nil:
		isNew = true
	case catalog.IsNotFound(err):
		if err := x.One(ctx, `UPDATE lectern.lectern_ingests SET wanted = wanted + 1 WHERE `+key+` = $1 RETURNING id`, []any{value}, &id); err != nil {
			return Ingest{}, false, err
		}
	default:
		return Ingest{}, false, err
	}
	if i, err = LoadIngest(ctx, x, id, true); err != nil || isNew || i.state == Removed {
		return i, isNew, err
	}
	failed := i.state == Failed
	if err := i.Apply(Request); err != nil || !failed {
		return i, false, err
	}
	if i.Reason != ReasonArchiveLost { // else until something is archived again
		i.Reason, i.Detail = "", ""
	}
	i.FailingSince, i.Attempts, i.Need = time.Time{}, 0, 0
	i.Retakes, i.RetakenAt, i.RetakeAt = 0, time.Time{}, time.Time{}
	_, err = SaveIngest(ctx, x, i, i.Lease, now)
	return i, false, err
}

// SetRequestedSince says since when an ingest is to be archived.
func SetRequestedSince(ctx context.Context, x Session, id int64, at time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_ingests SET created_at = $2 WHERE id = $1`, id, stamp(at))
	return err
}

// SaveIngest writes back what changes while an ingest is worked on, and only while
// lease is still the one in the row: false means that another run has taken it. It is
// the only statement that changes an ingest's state.
func SaveIngest(ctx context.Context, x Session, i Ingest, lease string, now time.Time) (bool, error) {
	n, err := x.Exec(ctx, `UPDATE lectern.lectern_ingests SET recording_id = $3, teacher_id = $4, state = $5, reason = $6, detail = $7, attempts = $8, failing_since = $9,
			owner = $10, provider = $11, archive_key = $12, archived_parts = $13, archived_version = $14, size = $15, md5 = $16, verified_at = $17, need = $18,
			retakes = $19, retaken_at = $20, retake_at = $21, updated_at = $22, staged_key = $23, original_key = $24, sha256 = $25
		WHERE id = $1 AND owner = $2`,
		i.ID, lease, sql.NullInt64{Int64: i.RecordingID, Valid: i.RecordingID != 0}, i.TeacherID, string(i.state), i.Reason, clip(i.Detail, 1000), i.Attempts, stamp(i.FailingSince),
		i.Lease, i.Provider, i.ArchiveKey, i.ArchivedParts, i.ArchivedVersion, i.Size, i.MD5, stamp(i.VerifiedAt), i.Need,
		i.Retakes, stamp(i.RetakenAt), stamp(i.RetakeAt), stamp(now), i.StagedKey, i.OriginalKey, i.SHA256)
	return n > 0, err
}

// DropIngest deletes an ingest of which nothing is archived: its reservation of quota is
// released and its recording's row removed, unless that plays. A run at work loses its lease.
// What it, or one that died, has put into the archive is deleted by the purge.
func DropIngest(ctx context.Context, x Session, i Ingest, why string, now time.Time) error {
	if err := giveUpKeys(ctx, x, i, now); err != nil {
		return err
	}
	if err := DeleteIngest(ctx, x, i.ID); err != nil {
		return err
	}
	if err := AppendHistory(ctx, x, HistoryEntry{At: now, IngestID: i.ID, RecordingID: i.RecordingID, What: "given up", Detail: why}); err != nil || i.RecordingID == 0 {
		return err
	}
	row, err := LoadRecording(ctx, x, i.RecordingID, true)
	if err != nil || row.Deleted || row.Playable() {
		if catalog.IsNotFound(err) {
			err = nil
		}
		return err
	}
	if err := Release(ctx, x, row.ID, now); err != nil {
		return err
	}
	return DiscardRecording(ctx, x, row.ID, why, now)
}

// giveUpKeys makes what may be in the archive of an ingest that nothing names yet files of its
// recording that were replaced. A run at work may put one there a moment later: they are left
// alone for as long as after a purge that failed.
func giveUpKeys(ctx context.Context, x Session, i Ingest, now time.Time) error {
	if i.RecordingID == 0 {
		return nil
	}
	for _, key := range []string{i.ArchiveKey, i.StagedKey} {
		if key == "" || key == i.ArchiveKey && i.Archived() {
			continue
		}
		f := RecordingFile{RecordingID: i.RecordingID, Kind: KindPart, Provider: i.Provider, ArchiveKey: key, RemovedAt: now}
		var err error
		if f.ID, err = AddRecordingFile(ctx, x, f, now); err != nil {
			return err
		}
		if err := SaveRecordingFile(ctx, x, f); err != nil {
			return err
		}
		if i.Lease == "" {
			continue
		}
		if err := MarkFilePurgeFailed(ctx, x, f.ID, now); err != nil {
			return err
		}
	}
	return nil
}

// DeleteIngest deletes an ingest whose recording, if any, is no longer its.
func DeleteIngest(ctx context.Context, x Session, id int64) error {
	_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_ingests WHERE id = $1`, id)
	return err
}

// OwnIngestsOfLesson are the ingests of a lesson's meetings whose recordings are still
// their teacher's own. The rows are locked until the transaction ends.
func OwnIngestsOfLesson(ctx context.Context, x Session, lesson int64) ([]Ingest, error) {
	return ingests(ctx, x, `WHERE meeting_uuid IN (SELECT uuid FROM lectern.lectern_zoom_meetings WHERE lesson_id = $1 AND separate = $2) ORDER BY id`+x.ForUpdate(), lesson, false)
}

// LessonsOfOwnIngests are the lessons that have such ingests.
func LessonsOfOwnIngests(ctx context.Context, x Session) ([]int64, error) {
	var out []int64
	err := x.Each(ctx, `SELECT DISTINCT m.lesson_id FROM lectern.lectern_zoom_meetings m JOIN lectern.lectern_ingests i ON i.meeting_uuid = m.uuid
		WHERE m.lesson_id IS NOT NULL AND m.separate = $1 ORDER BY 1`, []any{false}, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}

// SetIngestLesson makes an ingest that of a lesson, or with lesson 0 that of a meeting
// whose recording is its teacher's own. The caller has locked it, and knows that the
// lesson has none.
func SetIngestLesson(ctx context.Context, x Session, id, lesson int64, meeting string, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_ingests SET lesson_id = $2, meeting_uuid = $3, wanted = wanted + 1, updated_at = $4 WHERE id = $1`,
		id, orNull(lesson), sql.NullString{String: meeting, Valid: meeting != ""}, stamp(now))
	return err
}

// OldestUnarchived is since when the longest waiting ingest waits, zero for none. Neither
// what is gone at Zoom waits nor what the platform has archived.
func OldestUnarchived(ctx context.Context, x Session) (time.Time, error) {
	var at catalog.DBTime
	err := x.One(ctx, `SELECT MIN(created_at) FROM lectern.lectern_ingests WHERE verified_at IS NULL AND state NOT IN ('done', 'removed') AND NOT (state = 'failed' AND reason = $1)`,
		[]any{ReasonGoneAtZoom}, &at)
	return at.Time, err
}

// ReleaseLeases frees the ingests that a dead or ending syncer was working on, under
// any of its leases: the syncer's id, '#', and a number. which picks leases; nil = all.
func ReleaseLeases(ctx context.Context, x Session, syncer string, which func(lease string) bool, now time.Time) error {
	held, err := ingests(ctx, x, `WHERE owner = $1 OR substr(owner, 1, length($1) + 1) = $1 || '#' ORDER BY id`+x.ForUpdate(), syncer)
	if err != nil {
		return err
	}
	for _, i := range held {
		lease := i.Lease
		if which != nil && !which(lease) {
			continue
		}
		i.Lease = ""
		if err := i.Apply(Pause); err != nil {
			return err
		}
		if _, err := SaveIngest(ctx, x, i, lease, now); err != nil {
			return err
		}
	}
	return nil
}

// HoldsLeases reports whether ingests are leased by a syncer.
func HoldsLeases(ctx context.Context, x Session, syncer string) (some bool, err error) {
	err = x.One(ctx, `SELECT EXISTS (SELECT 1 FROM lectern.lectern_ingests WHERE substr(owner, 1, length($1) + 1) = $1 || '#')`, []any{syncer}, &some)
	return some, err
}

// RestoreIngest follows the restoration of a removed recording, whose ingest may be
// requested again from then on.
func RestoreIngest(ctx context.Context, x Session, recording int64, now time.Time) error {
	found, err := ingests(ctx, x, `WHERE recording_id = $1`+x.ForUpdate(), recording)
	if err != nil {
		return err
	}
	for _, i := range found {
		if i.state != Removed {
			continue
		}
		event := RestoreFailed
		if i.Archived() {
			event = RestoreArchived
		}
		if err := i.Apply(event); err != nil {
			return err
		}
		if _, err := SaveIngest(ctx, x, i, i.Lease, now); err != nil {
			return err
		}
	}
	return nil
}
