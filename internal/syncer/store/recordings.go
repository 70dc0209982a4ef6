package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// Recording is a row of the catalog as the syncer writes it.
type Recording struct {
	ID              int64
	LessonID        int64
	TeacherID       int64  // of a standalone video
	Title           string // written by AddRecording
	ZoomRecordingID string
	View            string
	Provider        string
	ArchiveKey      string
	ArchiveURL      string
	DriveFile       string
	DriveFolder     string
	PlayURL         string
	DownloadURL     string
	Size            int64
	Seconds         int64
	Start, End      time.Time
	Status          media.Status
	Visibility      media.Visibility
	AvailableUntil  time.Time
	Deleted         bool
	DeletedAt       time.Time
	UpdatedAt       time.Time
}

// Location is where the bytes of a row are stored, with an empty Key for nowhere.
func (r Recording) Location() media.Location {
	return media.StoredAt(r.Provider, r.DriveFile, r.ArchiveKey)
}

// SetLocation says where the bytes of a row are stored: in which folder of the archive,
// and under which link people open them, each "" for none. Drive files are also named
// in the columns that the platform reads, and have a link for downloads.
func (r *Recording) SetLocation(l media.Location, folder, url string) {
	r.Provider, r.ArchiveKey, r.ArchiveURL, r.PlayURL = l.Provider, l.Key, url, url
	r.DriveFile, r.DriveFolder, r.DownloadURL = "", "", ""
	if l.Provider == media.ProviderDrive {
		r.DriveFile, r.DriveFolder, r.DownloadURL = l.Key, folder, media.DriveDownloadURL(l.Key)
	}
}

// Playable reports whether a row plays, unless it was removed.
func (r Recording) Playable() bool {
	return r.Status == media.StatusReady || r.Status == media.StatusArchived
}

// OwnerOf is the teacher whom a recording belongs to and whose quota it is charged
// to: the lesson's teacher, or its own where it has no lesson; 0 for nobody.
func OwnerOf(ctx context.Context, x Session, r Recording) (int64, error) {
	var owner sql.NullInt64
	err := x.One(ctx, `SELECT `+catalog.RecordingOwner+` FROM public.schedule_lessonrecording r LEFT JOIN public.schedule_lesson l ON l.id = r.lesson_id WHERE r.id = $1`, []any{r.ID}, &owner)
	return owner.Int64, err
}

// recordingsTable is what is announced to gateways as changed: beside the platform there
// may be no triggers that do.
const recordingsTable = "schedule_lessonrecording"

const recordingColumns = `SELECT r.id, r.lesson_id, r.teacher_id, r.zoom_recording_id, r.recording_type, r.storage_provider, r.archive_key, r.archive_url, r.gdrive_file_id, r.gdrive_folder_id,
	r.play_url, r.download_url, r.file_size, r.duration, r.recording_start, r.recording_end, r.status, r.visibility, r.available_until, r.is_deleted, r.deleted_at, r.updated_at
	FROM public.schedule_lessonrecording r `

func recordings(ctx context.Context, x Session, rest string, args ...any) ([]Recording, error) {
	var out []Recording
	err := x.Each(ctx, recordingColumns+rest, args, func(scan func(...any) error) error {
		var (
			r                                   Recording
			lesson, teacher, size, seconds      sql.NullInt64
			start, end, until, deleted, updated catalog.DBTime
		)
		err := scan(&r.ID, &lesson, &teacher, &r.ZoomRecordingID, &r.View, &r.Provider, &r.ArchiveKey, &r.ArchiveURL, &r.DriveFile, &r.DriveFolder,
			&r.PlayURL, &r.DownloadURL, &size, &seconds, &start, &end, &r.Status, &r.Visibility, &until, &r.Deleted, &deleted, &updated)
		r.LessonID, r.TeacherID, r.Size, r.Seconds = lesson.Int64, teacher.Int64, size.Int64, seconds.Int64
		r.Start, r.End, r.AvailableUntil, r.DeletedAt, r.UpdatedAt = start.Time, end.Time, until.Time, deleted.Time, updated.Time
		out = append(out, r)
		return err
	})
	return out, err
}

// LoadRecording finds a row; with lock it stays as it is until the transaction ends.
func LoadRecording(ctx context.Context, x Session, id int64, lock bool) (Recording, error) {
	rest := `WHERE r.id = $1`
	if lock {
		rest += x.ForUpdate()
	}
	found, err := recordings(ctx, x, rest, id)
	if err == nil && len(found) == 0 {
		return Recording{}, sql.ErrNoRows
	}
	if err != nil {
		return Recording{}, err
	}
	return found[0], nil
}

// RecordingsOfLesson are all rows of a lesson, removed ones too, oldest first.
func RecordingsOfLesson(ctx context.Context, x Session, lesson int64) ([]Recording, error) {
	return recordings(ctx, x, `WHERE r.lesson_id = $1 ORDER BY r.id`, lesson)
}

// RecordingsOfIngest are the rows among which is that of an ingest: all of its lesson's,
// or the one of a teacher's own.
func RecordingsOfIngest(ctx context.Context, x Session, i Ingest) ([]Recording, error) {
	if i.MeetingUUID != "" {
		return recordings(ctx, x, `WHERE r.id = $1`, i.RecordingID)
	}
	return RecordingsOfLesson(ctx, x, i.LessonID)
}

// AddRecording makes the row of what is being archived, of a lesson or, with a
// TeacherID, of a teacher's own: every column that
// has no default beside the platform is named. It returns the id.
func AddRecording(ctx context.Context, x Session, r Recording, now time.Time) (int64, error) {
	var id int64
	err := x.One(ctx, `INSERT INTO public.schedule_lessonrecording
			(lesson_id, teacher_id, title, zoom_recording_id, download_url, play_url, thumbnail_url, recording_type, storage_provider, archive_url, archive_key,
			 gdrive_file_id, gdrive_folder_id, status, visibility, views_count, is_deleted, deletion_reason, recording_start, recording_end, created_at, updated_at)
		VALUES ($1, $10, $11, $2, '', '', '', $3, $4, '', '', '', '', 'processing', $5, 0, $6, '', $7, $8, $9, $9) RETURNING id`,
		[]any{orNull(r.LessonID), clip(r.ZoomRecordingID, 100), clip(r.View, 50), r.Provider, string(r.Visibility), false, stamp(r.Start), stamp(r.End), stamp(now),
			orNull(r.TeacherID), clip(r.Title, 255)}, &id)
	return id, err
}

// SetStatus changes a row's status, unless it was removed.
func SetStatus(ctx context.Context, x Session, id int64, status media.Status, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET status = $2, updated_at = $3 WHERE id = $1 AND is_deleted = $4`, id, string(status), stamp(now), false)
	if err != nil {
		return err
	}
	return x.Notify(ctx, recordingsTable)
}

// Publish makes a row playable from the archive, unless it was removed: false then.
// Where the bytes lie is written in the same statement as the status, since the
// platform takes a row without an archive for one that Zoom still holds.
func Publish(ctx context.Context, x Session, r Recording, now time.Time) (bool, error) {
	n, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET status = 'ready', zoom_recording_id = $2, recording_type = $3, storage_provider = $4,
			archive_key = $5, archive_url = $6, archived_at = $7, archive_size_bytes = $8, gdrive_file_id = $9, gdrive_folder_id = $10, play_url = $11, download_url = $12,
			file_size = $8, duration = $13, recording_start = $14, recording_end = $15, available_until = $16, updated_at = $7
		WHERE id = $1 AND is_deleted = $17`,
		r.ID, clip(r.ZoomRecordingID, 100), clip(r.View, 50), r.Provider, r.ArchiveKey, fitting(r.ArchiveURL, 200), stamp(now), r.Size,
		fitting(r.DriveFile, 100), fitting(r.DriveFolder, 100), fitting(r.PlayURL, 1024), fitting(r.DownloadURL, 1024),
		r.Seconds, stamp(r.Start), stamp(r.End), stamp(r.AvailableUntil), false)
	if err != nil {
		return false, err
	}
	return n > 0, x.Notify(ctx, recordingsTable)
}

// Relocate says that the same bytes of a row are stored elsewhere now, unless the row was
// removed: false then.
func Relocate(ctx context.Context, x Session, r Recording, now time.Time) (bool, error) {
	n, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET storage_provider = $2, archive_key = $3, archive_url = $4, gdrive_file_id = $5, gdrive_folder_id = $6,
			play_url = $7, download_url = $8, updated_at = $9
		WHERE id = $1 AND is_deleted = $10`,
		r.ID, r.Provider, r.ArchiveKey, fitting(r.ArchiveURL, 200), fitting(r.DriveFile, 100), fitting(r.DriveFolder, 100), fitting(r.PlayURL, 1024), fitting(r.DownloadURL, 1024), stamp(now), false)
	if err != nil {
		return false, err
	}
	return n > 0, x.Notify(ctx, recordingsTable)
}

// KeyNamed reports whether a recording other than except names a key, removed ones
// included, or an ingest of another recording does. 0 is no exception.
func KeyNamed(ctx context.Context, x Session, provider, key string, except int64) (bool, error) {
	var ok bool
	err := x.One(ctx, `SELECT EXISTS (SELECT 1 FROM public.schedule_lessonrecording WHERE id <> $1 AND storage_provider = $2 AND (archive_key = $3 OR gdrive_file_id = $3))
		OR EXISTS (SELECT 1 FROM lectern.lectern_ingests WHERE provider = $2 AND archive_key = $3 AND COALESCE(recording_id, 0) <> $1)`, []any{except, provider, key}, &ok)
	return ok, err
}

// fitting is a link that fits its column, or none: half a link leads nowhere.
func fitting(s string, limit int) string {
	if len([]rune(s)) > limit {
		return ""
	}
	return s
}

// AddViewers lists groups and students of a recording, beside those who are listed.
func AddViewers(ctx context.Context, x Session, recording int64, groups, students []int64) error {
	for _, g := range groups {
		if _, err := x.Exec(ctx, `INSERT INTO public.schedule_lessonrecording_allowed_groups (lessonrecording_id, group_id) VALUES ($1, $2)
			ON CONFLICT (lessonrecording_id, group_id) DO NOTHING`, recording, g); err != nil {
			return err
		}
	}
	for _, s := range students {
		if _, err := x.Exec(ctx, `INSERT INTO public.schedule_lessonrecording_allowed_students (lessonrecording_id, customuser_id) VALUES ($1, $2)
			ON CONFLICT (lessonrecording_id, customuser_id) DO NOTHING`, recording, s); err != nil {
			return err
		}
	}
	return nil
}

// HasViewers reports whether anybody is listed for a recording.
func HasViewers(ctx context.Context, x Session, recording int64) (bool, error) {
	var ok bool
	err := x.One(ctx, `SELECT EXISTS (SELECT 1 FROM public.schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = $1)
		OR EXISTS (SELECT 1 FROM public.schedule_lessonrecording_allowed_students WHERE lessonrecording_id = $1)`, []any{recording}, &ok)
	return ok, err
}

// SetVisibility writes who a recording is meant for.
func SetVisibility(ctx context.Context, x Session, id int64, v media.Visibility, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET visibility = $2, updated_at = $3 WHERE id = $1`, id, string(v), stamp(now))
	return err
}

// OwnGroups keeps those groups that are the teacher's.
func OwnGroups(ctx context.Context, x Session, teacher int64, ids []int64) ([]int64, error) {
	return keep(ctx, x, `SELECT id FROM public.schedule_group WHERE teacher_id = $1 AND id IN (`, teacher, ids, `)`)
}

// OwnStudents keeps those who are students in a group of the teacher's.
func OwnStudents(ctx context.Context, x Session, teacher int64, ids []int64) ([]int64, error) {
	return keep(ctx, x, `SELECT DISTINCT u.id FROM public.accounts_customuser u JOIN public.schedule_group_students m ON m.customuser_id = u.id
		JOIN public.schedule_group g ON g.id = m.group_id WHERE g.teacher_id = $1 AND u.role = 'student' AND u.id IN (`, teacher, ids, `)`)
}

func keep(ctx context.Context, x Session, head string, teacher int64, ids []int64, tail string) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := []any{teacher}
	for _, id := range ids {
		args = append(args, id)
	}
	var out []int64
	err := x.Each(ctx, head+placeholders(2, len(ids))+tail, args, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}

// Expiring are rows whose retention has an end and that still play.
func Expiring(ctx context.Context, x Session) ([]Recording, error) {
	return recordings(ctx, x, `WHERE r.status IN ('ready', 'archived') AND r.is_deleted = $1 AND r.available_until IS NOT NULL ORDER BY r.id`, false)
}

// RemoveRecording marks a row as removed, once: false when it was already.
func RemoveRecording(ctx context.Context, x Session, id int64, reason string, now time.Time) (bool, error) {
	n, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET is_deleted = $2, status = 'deleted', deleted_at = $3, deletion_reason = $4, updated_at = $3
		WHERE id = $1 AND is_deleted = $5`, id, true, stamp(now), clip(reason, 255), false)
	if err != nil {
		return false, err
	}
	return n > 0, x.Notify(ctx, recordingsTable)
}

// DiscardRecording marks a row as removed that never had bytes. It no longer names the
// file at Zoom: that is no removal of the recording, which may be archived elsewhere.
func DiscardRecording(ctx context.Context, x Session, id int64, reason string, now time.Time) error {
	if _, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET zoom_recording_id = '' WHERE id = $1 AND is_deleted = $2`, id, false); err != nil {
		return err
	}
	_, err := RemoveRecording(ctx, x, id, reason, now)
	return err
}

// MoveRecording makes a row that of a lesson, or of a teacher's own when lesson is 0:
// its viewers' lists are emptied, and its title too where it is the one given. The
// caller says who may watch, in the same transaction.
func MoveRecording(ctx context.Context, x Session, id, lesson, teacher int64, ownTitle string, until, now time.Time) error {
	for _, table := range []string{"public.schedule_lessonrecording_allowed_groups", "public.schedule_lessonrecording_allowed_students"} {
		if _, err := x.Exec(ctx, `DELETE FROM `+table+` WHERE lessonrecording_id = $1`, id); err != nil {
			return err
		}
	}
	_, err := x.Exec(ctx, `UPDATE public.schedule_lessonrecording SET lesson_id = $2, teacher_id = $3, title = CASE WHEN CAST($2 AS bigint) IS NULL AND title = '' THEN CAST($4 AS varchar)
			WHEN CAST($2 AS bigint) IS NOT NULL AND title = CAST($4 AS varchar) THEN '' ELSE title END, available_until = $5, visibility = $6, updated_at = $7 WHERE id = $1`,
		id, orNull(lesson), orNull(teacher), clip(ownTitle, 255), stamp(until), string(media.VisibleCustomStudents), stamp(now))
	if err != nil {
		return err
	}
	return x.Notify(ctx, recordingsTable)
}

// Purgeable are removed rows whose bytes are still there, without those that could
// not be purged since a moment. A file beside a recording may be uploaded after its purge.
func Purgeable(ctx context.Context, x Session, failedBefore time.Time) ([]Recording, error) {
	return recordings(ctx, x, `WHERE r.is_deleted = $1 AND ((r.archive_key <> '' OR r.gdrive_file_id <> '') AND NOT EXISTS (SELECT 1 FROM lectern.lectern_purges p WHERE p.recording_id = r.id AND p.purged_at IS NOT NULL)
			OR EXISTS (SELECT 1 FROM lectern.lectern_recording_files f WHERE f.recording_id = r.id AND f.purged_at IS NULL))
		AND NOT EXISTS (SELECT 1 FROM lectern.lectern_purges p WHERE p.recording_id = r.id AND p.failed_at > $2) ORDER BY r.id`, true, stamp(failedBefore))
}

// SharesBytes reports whether a living row plays the same bytes as a removed one.
func SharesBytes(ctx context.Context, x Session, r Recording) (bool, error) {
	var ok bool
	at := r.Location()
	err := x.One(ctx, `SELECT EXISTS (SELECT 1 FROM public.schedule_lessonrecording WHERE id <> $1 AND is_deleted = $2 AND storage_provider = $3
		AND (archive_key = $4 OR gdrive_file_id = $4))`, []any{r.ID, false, at.Provider, at.Key}, &ok)
	return ok, err
}

// MarkPurged remembers that a removed row's bytes are gone, or why they are not.
func MarkPurged(ctx context.Context, x Session, r Recording, at time.Time, failure string) error {
	where := r.Location()
	purged, failed := stamp(at), catalog.DBTime{}
	if failure != "" {
		purged, failed = failed, purged
	}
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_purges (recording_id, provider, archive_key, purged_at, failed_at, detail) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (recording_id) DO UPDATE SET purged_at = excluded.purged_at, failed_at = excluded.failed_at, detail = excluded.detail`,
		r.ID, where.Provider, where.Key, purged, failed, clip(failure, 500))
	return err
}

// ReferencedKeys are the keys in an archive that a recording or an ingest refers to.
func ReferencedKeys(ctx context.Context, x Session, provider string) (map[string]bool, error) {
	out := map[string]bool{}
	add := func(scan func(...any) error) error {
		var a, b string
		err := scan(&a, &b)
		out[a], out[b] = true, true
		return err
	}
	if err := x.Each(ctx, `SELECT archive_key, gdrive_file_id FROM public.schedule_lessonrecording WHERE storage_provider = $1`, []any{provider}, add); err != nil {
		return nil, err
	}
	// An ingest whose recording the platform deleted for good no longer vouches for its key.
	err := x.Each(ctx, `SELECT archive_key, '' FROM lectern.lectern_ingests WHERE provider = $1 AND (recording_id IS NOT NULL OR verified_at IS NULL)
		UNION SELECT staged_key, original_key FROM lectern.lectern_ingests WHERE provider = $1 AND recording_id IS NOT NULL AND state <> 'removed'
		UNION SELECT archive_key, '' FROM lectern.lectern_recording_files WHERE provider = $1 AND purged_at IS NULL
		UNION SELECT from_key, '' FROM lectern.lectern_copies WHERE from_provider = $1 AND removed_at IS NULL
		UNION SELECT to_key, '' FROM lectern.lectern_copies WHERE to_provider = $1 AND removed_at IS NULL`, []any{provider}, add)
	delete(out, "")
	return out, err
}
