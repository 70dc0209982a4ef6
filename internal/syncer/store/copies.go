package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// Copy is a copy of an archived file in another archive.
//
//	(added) ──verified──▶ Verified ──switched──▶ Switched: From is removed after the grace
//	   │                      │                      │
//	   └──────────────────────┴───── abandoned ──────┴──▶ Abandoned: To is removed
type Copy struct {
	ID          int64
	RecordingID int64
	FileID      int64 // of a RecordingFile, 0 for the file that the recording's row names
	From, To    media.Location
	FromVersion string    // as the origin names it, "" = unknown
	Modified    time.Time // of From, as the origin says
	ToVersion   string    // as the origin names it, "" = unknown
	Size        int64
	MD5, SHA256 string // lower-case hex
	// Original is whose bytes viewers and caches know them for; zero = the copy's own.
	Original         media.Identity
	OriginalModified time.Time
	CreatedAt        time.Time // when To was given, before the first byte went up
	VerifiedAt       time.Time
	SwitchedAt       time.Time // when the recording named To
	AbandonedAt      time.Time // when To was given up
	RemovedAt        time.Time // when From, or an abandoned To, was removed or kept for good
}

// Verified reports whether the archive holds the whole copy.
func (c Copy) Verified() bool { return !c.VerifiedAt.IsZero() }

// Obsolete is the location that is to be removed once the copy is switched or abandoned.
func (c Copy) Obsolete() media.Location {
	if !c.AbandonedAt.IsZero() {
		return c.To
	}
	return c.From
}

const copyColumns = `SELECT id, recording_id, file_id, from_provider, from_key, from_version, from_modified, to_provider, to_key, to_version, size, md5, sha256,
	original_provider, original_key, original_version, original_modified, created_at, verified_at, switched_at, abandoned_at, removed_at FROM lectern.lectern_copies `

func copies(ctx context.Context, x Session, rest string, args ...any) ([]Copy, error) {
	var out []Copy
	err := x.Each(ctx, copyColumns+rest, args, func(scan func(...any) error) error {
		var (
			c                                                                   Copy
			modified, original, created, verified, switched, abandoned, removed catalog.DBTime
		)
		err := scan(&c.ID, &c.RecordingID, &c.FileID, &c.From.Provider, &c.From.Key, &c.FromVersion, &modified, &c.To.Provider, &c.To.Key, &c.ToVersion, &c.Size, &c.MD5, &c.SHA256,
			&c.Original.Provider, &c.Original.ID, &c.Original.Version, &original, &created, &verified, &switched, &abandoned, &removed)
		c.Modified, c.OriginalModified = modified.Time, original.Time
		c.CreatedAt, c.VerifiedAt, c.SwitchedAt, c.AbandonedAt, c.RemovedAt = created.Time, verified.Time, switched.Time, abandoned.Time, removed.Time
		out = append(out, c)
		return err
	})
	return out, err
}

// AddCopy notes a copy that is about to be made, and returns its id.
func AddCopy(ctx context.Context, x Session, c Copy, now time.Time) (id int64, err error) {
	err = x.One(ctx, `INSERT INTO lectern.lectern_copies (recording_id, file_id, from_provider, from_key, to_provider, to_key, created_at, abandoned_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
		[]any{c.RecordingID, c.FileID, c.From.Provider, c.From.Key, c.To.Provider, c.To.Key, stamp(now), stamp(c.AbandonedAt)}, &id)
	return id, err
}

// SaveCopy writes back what is known of a copy and of its state. false: meanwhile it was
// abandoned, or something of it removed, and it stays as it is.
func SaveCopy(ctx context.Context, x Session, c Copy) (bool, error) {
	n, err := x.Exec(ctx, `UPDATE lectern.lectern_copies SET from_version = $2, from_modified = $3, to_version = $4, size = $5, md5 = $6, sha256 = $7,
			original_provider = $8, original_key = $9, original_version = $10, original_modified = $11, verified_at = $12, switched_at = $13, abandoned_at = $14
		WHERE id = $1 AND abandoned_at IS NULL AND removed_at IS NULL`,
		c.ID, c.FromVersion, stamp(c.Modified), c.ToVersion, c.Size, c.MD5, c.SHA256,
		c.Original.Provider, c.Original.ID, c.Original.Version, stamp(c.OriginalModified), stamp(c.VerifiedAt), stamp(c.SwitchedAt), stamp(c.AbandonedAt))
	return n > 0, err
}

// CopiesUnderWay are the copies of a recording's files that are neither switched to nor
// abandoned, oldest first.
func CopiesUnderWay(ctx context.Context, x Session, recording int64) ([]Copy, error) {
	return copies(ctx, x, `WHERE recording_id = $1 AND switched_at IS NULL AND abandoned_at IS NULL ORDER BY id`, recording)
}

// CopiesOf are all copies of a recording's files, oldest first.
func CopiesOf(ctx context.Context, x Session, recording int64) ([]Copy, error) {
	return copies(ctx, x, `WHERE recording_id = $1 ORDER BY id`, recording)
}

// CopyAt finds the copy that a recording's file was switched to at a location.
func CopyAt(ctx context.Context, x Session, recording, file int64, at media.Location) (Copy, error) {
	found, err := copies(ctx, x, `WHERE recording_id = $1 AND file_id = $2 AND to_provider = $3 AND to_key = $4 AND switched_at IS NOT NULL AND abandoned_at IS NULL ORDER BY id DESC LIMIT 1`,
		recording, file, at.Provider, at.Key)
	if err == nil && len(found) == 0 {
		return Copy{}, sql.ErrNoRows
	}
	if err != nil {
		return Copy{}, err
	}
	return found[0], nil
}

// ObsoleteCopies are the copies of which something is to be removed: those switched to
// before a moment, whose grace is over, and those abandoned; without those that could not
// be removed since another.
func ObsoleteCopies(ctx context.Context, x Session, switchedBefore, failedBefore time.Time) ([]Copy, error) {
	return copies(ctx, x, `WHERE removed_at IS NULL AND (abandoned_at IS NOT NULL OR switched_at <= $1) AND (failed_at IS NULL OR failed_at <= $2) ORDER BY id`,
		stamp(switchedBefore), stamp(failedBefore))
}

// LapsedCopies are the copies under way that were begun before a moment and that no mover
// alive since another continues.
func LapsedCopies(ctx context.Context, x Session, begunBefore, aliveSince time.Time) ([]Copy, error) {
	return copies(ctx, x, `WHERE removed_at IS NULL AND switched_at IS NULL AND abandoned_at IS NULL AND created_at < $1
		AND NOT EXISTS (SELECT 1 FROM lectern.lectern_moves m WHERE m.recording_id = lectern_copies.recording_id AND m.beat_at > $2) ORDER BY id`, stamp(begunBefore), stamp(aliveSince))
}

// AbandonCopy gives up a copy that is not switched to; one that is stays as it is.
func AbandonCopy(ctx context.Context, x Session, id int64, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_copies SET abandoned_at = $2 WHERE id = $1 AND abandoned_at IS NULL AND switched_at IS NULL`, id, stamp(now))
	return err
}

// MarkCopyRemoved notes that what was to be removed of a copy is gone, or why it is kept.
func MarkCopyRemoved(ctx context.Context, x Session, id int64, detail string, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_copies SET removed_at = $2, failed_at = NULL, detail = $3 WHERE id = $1`, id, stamp(now), clip(detail, 500))
	return err
}

// MarkCopyRemoveFailed notes that it could not be removed.
func MarkCopyRemoveFailed(ctx context.Context, x Session, id int64, detail string, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_copies SET failed_at = $2, detail = $3 WHERE id = $1`, id, stamp(now), clip(detail, 500))
	return err
}

// LocationNamed reports whether anything refers to a location: a recording, removed ones
// included, an ingest, a file beside a recording, or a copy.
func LocationNamed(ctx context.Context, x Session, at media.Location, exceptCopy int64) (bool, error) {
	named, err := KeyNamed(ctx, x, at.Provider, at.Key, 0)
	if err != nil || named {
		return named, err
	}
	err = x.One(ctx, `SELECT EXISTS (SELECT 1 FROM lectern.lectern_recording_files WHERE provider = $1 AND archive_key = $2 AND purged_at IS NULL)
		OR EXISTS (SELECT 1 FROM lectern.lectern_copies WHERE id <> $3 AND switched_at IS NULL AND abandoned_at IS NULL AND (from_provider = $1 AND from_key = $2 OR to_provider = $1 AND to_key = $2))`,
		[]any{at.Provider, at.Key, exceptCopy}, &named)
	return named, err
}

// RelocateFile says that the same bytes of a file beside a recording are stored elsewhere, in
// a version that the archive names so.
func RelocateFile(ctx context.Context, x Session, id int64, at media.Location, version string) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_recording_files SET provider = $2, archive_key = $3, archived_version = $4 WHERE id = $1`, id, at.Provider, at.Key, version)
	return err
}

// MovableRecordings are the playable recordings with something in another archive than to:
// in from, where that is not "". Teacher 0 means all.
func MovableRecordings(ctx context.Context, x Session, from, to string, teacher int64) ([]int64, error) {
	var out []int64
	elsewhere := func(column string) string {
		return `(` + column + ` NOT IN ('zoom', $1) AND ($2 = '' OR ` + column + ` = $2))`
	}
	err := x.Each(ctx, `SELECT r.id FROM public.schedule_lessonrecording r LEFT JOIN public.schedule_lesson l ON l.id = r.lesson_id
		WHERE r.is_deleted = $3 AND r.status IN ('ready', 'archived') AND r.storage_provider <> 'zoom' AND (r.archive_key <> '' OR r.gdrive_file_id <> '')
			AND (CAST($4 AS bigint) = 0 OR `+catalog.RecordingOwner+` = CAST($4 AS bigint))
			AND (`+elsewhere("r.storage_provider")+` OR EXISTS (SELECT 1 FROM lectern.lectern_recording_files f WHERE f.recording_id = r.id AND f.verified_at IS NOT NULL AND f.removed_at IS NULL AND `+elsewhere("f.provider")+`))
		ORDER BY r.id`, []any{to, from, false, teacher}, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}

// Title is what people call a recording: its own title, the lesson's, or the group's.
func Title(ctx context.Context, x Session, recording int64) (title string, err error) {
	err = x.One(ctx, `SELECT COALESCE(NULLIF(r.title, ''), NULLIF(l.title, ''), g.name, '') FROM public.schedule_lessonrecording r
		LEFT JOIN public.schedule_lesson l ON l.id = r.lesson_id LEFT JOIN public.schedule_group g ON g.id = l.group_id WHERE r.id = $1`, []any{recording}, &title)
	return title, err
}
