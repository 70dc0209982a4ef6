package catalog

import (
	"context"
	"database/sql"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const selectUser = `SELECT id, role, is_active FROM public.accounts_customuser WHERE id = $1`

// User is a user by id. Kind NotFound: there is none.
func (s *Store) User(ctx context.Context, id int64) (media.User, error) {
	var u media.User
	err := s.Row(ctx, "catalog: user", selectUser, []any{id}, &u.ID, &u.Role, &u.Active)
	if err != nil {
		return media.User{}, err
	}
	return u, nil
}

// RecordingOwner is the owner of a recording r left-joined with its lesson l, as an SQL
// expression: the lesson's teacher, also when a substitute gave it, and the recording's
// own teacher only where there is no lesson. NULL: nobody.
const RecordingOwner = "CASE WHEN r.lesson_id IS NULL THEN r.teacher_id ELSE l.teacher_id END"

const selectRecording = `
SELECT r.id, r.lesson_id, ` + RecordingOwner + `,
       COALESCE(NULLIF(r.title, ''), NULLIF(l.title, ''), g.name, ''),
       r.status, r.visibility, r.is_deleted, r.available_until,
       r.storage_provider, r.gdrive_file_id, r.archive_key, r.download_url, r.file_size, r.duration,
       COALESCE(i.provider, ''), COALESCE(i.archive_key, ''), COALESCE(i.archived_version, ''), COALESCE(i.size, 0), COALESCE(i.sha256, ''),
       c.to_version, c.size, c.original_provider, c.original_key, c.original_version, c.original_modified
FROM public.schedule_lessonrecording r
LEFT JOIN public.schedule_lesson l ON l.id = r.lesson_id
LEFT JOIN public.schedule_group g ON g.id = l.group_id
LEFT JOIN lectern.lectern_ingests i ON i.recording_id = r.id AND i.sha256 <> ''
LEFT JOIN lectern.lectern_copies c ON c.recording_id = r.id AND c.file_id = 0 AND c.to_provider = r.storage_provider AND c.to_key = r.archive_key
    AND c.switched_at IS NOT NULL AND c.abandoned_at IS NULL
WHERE r.id = $1`

// Recording is a recording by id. Kind NotFound: there is no row; a soft-deleted one has
// Deleted set.
func (s *Store) Recording(ctx context.Context, id int64) (media.Recording, error) {
	var (
		r                                    media.Recording
		lesson, owner, size, seconds         sql.NullInt64
		provider, driveFile, archiveID, link string
		until                                DBTime
		copied                               copyColumns
	)
	err := s.Row(ctx, "catalog: recording", selectRecording, []any{id},
		&r.ID, &lesson, &owner, &r.Title, &r.Status, &r.Visibility, &r.Deleted, &until,
		&provider, &driveFile, &archiveID, &link, &size, &seconds,
		&r.Digest.Location.Provider, &r.Digest.Location.Key, &r.Digest.Version, &r.Digest.Size, &r.Digest.SHA256,
		&copied.version, &copied.size, &copied.provider, &copied.key, &copied.original, &copied.modified)
	if err != nil {
		return media.Recording{}, err
	}
	r.LessonID, r.OwnerID = lesson.Int64, owner.Int64
	r.AvailableUntil = until.Time
	r.Location = media.StoredAt(provider, driveFile, archiveID)
	r.Copy = copied.copy()
	if provider == media.ProviderZoom {
		r.Location = media.AtZoom(r.OwnerID, link)
	}
	r.Size = max(size.Int64, 0)
	r.Duration = time.Duration(max(seconds.Int64, 0)) * time.Second
	return r, nil
}

// copyColumns are the columns of a media.Copy; NULL where the recording was never moved.
type copyColumns struct {
	version, provider, key, original sql.NullString
	size                             sql.NullInt64
	modified                         DBTime
}

func (c copyColumns) copy() media.Copy {
	if c.provider.String == "" {
		return media.Copy{}
	}
	return media.Copy{
		Version: c.version.String, Size: c.size.Int64, Modified: c.modified.Time,
		Original: media.Identity{Provider: c.provider.String, ID: c.key.String, Version: c.original.String},
	}
}

const selectZoomApp = `SELECT zoom_account_id, zoom_client_id, zoom_client_secret FROM public.accounts_customuser WHERE id = $1`

// ZoomApp are the credentials of a teacher's own Zoom app, as they are in the row. Kind
// NotFound: there is no such user.
func (s *Store) ZoomApp(ctx context.Context, teacher int64) (account, client, secret string, err error) {
	err = s.Row(ctx, "catalog: zoom app", selectZoomApp, []any{teacher}, &account, &client, &secret)
	return account, client, secret, err
}

const selectMembership = `
SELECT EXISTS (SELECT 1 FROM public.schedule_lessonrecording_allowed_students s
               WHERE s.lessonrecording_id = $1 AND s.customuser_id = $2),
       EXISTS (SELECT 1 FROM public.schedule_lessonrecording_allowed_groups a
               JOIN public.schedule_group_students m ON m.group_id = a.group_id
               WHERE a.lessonrecording_id = $1 AND m.customuser_id = $2),
       EXISTS (SELECT 1 FROM public.schedule_group g
               JOIN public.schedule_group_students m ON m.group_id = g.id
               WHERE g.teacher_id = $3 AND m.customuser_id = $2)`

// Membership is what connects a user to a recording. It uses the recording's ID and
// OwnerID only; without an owner nobody is in the owner's groups.
func (s *Store) Membership(ctx context.Context, userID int64, rec media.Recording) (media.Membership, error) {
	var m media.Membership
	err := s.Row(ctx, "catalog: membership", selectMembership, []any{rec.ID, userID, rec.OwnerID},
		&m.ListedStudent, &m.InAllowedGroup, &m.InTeachersGroup)
	if err != nil {
		return media.Membership{}, err
	}
	m.InTeachersGroup = m.InTeachersGroup && rec.OwnerID != 0
	return m, nil
}
