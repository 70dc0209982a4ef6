package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
)

// KindPart is the kind of a part of a recording that could not be joined with the others.
const KindPart = "part"

// RecordingFile is a file of a recording beside the one that its row names. It is counted,
// purged and restored with the recording.
type RecordingFile struct {
	ID          int64
	RecordingID int64
	Kind        string
	Position    int64 // among those of its kind, the order of time: a part's number, a companion's seconds since 1970
	Label       string
	Lang        string // BCP 47; "" = none
	ContentType string
	Shared      bool // the teacher shows a companion to students; see ShareFile
	Provider    string
	ArchiveKey  string // given before the first byte goes up
	// ArchivedVersion is what Size, MD5 and SHA256 are of, as the archive names it; "" = unknown.
	ArchivedVersion string
	Size            int64
	MD5, SHA256     string // lower-case hex
	Duration        time.Duration
	ZoomFile        string // which of Zoom's files it was made of, as File.Name; "" = none
	// Derivation is the kind of derivation that a file is of which the syncer has made, and
	// Name what it is served as; "" for all others.
	Derivation, Name string
	// Tried names the last join that did not pass: of which files, by which ffmpeg.
	Tried      string
	VerifiedAt time.Time // zero while it is uploaded
	RemovedAt  time.Time // zero while it belongs to the recording
}

// Verified reports whether the archive holds the file.
func (f RecordingFile) Verified() bool { return !f.VerifiedAt.IsZero() }

// MadeOf reports whether the archive holds what was made of a file at Zoom, in any version.
func (f RecordingFile) MadeOf(file File) bool { return f.Verified() && f.ZoomFile == file.Name() }

// Derived reports whether the syncer has made the file of the recording.
func (f RecordingFile) Derived() bool { return f.Derivation != "" }

// Location is where the bytes of a file are stored.
func (f RecordingFile) Location() media.Location {
	return media.Location{Provider: f.Provider, Key: f.ArchiveKey}
}

// CompanionCountedFrom is the size in bytes from which a companion counts.
const CompanionCountedFrom = 1 << 20

// countedFile is true of a row f that a teacher's quota is charged with: a part, or a
// companion of Zoom's of at least CompanionCountedFrom.
const countedFile = `f.verified_at IS NOT NULL AND f.removed_at IS NULL AND (f.kind = 'part' OR f.zoom_file <> '' AND f.size >= 1048576)`

func recordingFiles(ctx context.Context, x Session, where string, args ...any) ([]RecordingFile, error) {
	var out []RecordingFile
	err := x.Each(ctx, `SELECT id, recording_id, kind, position, label, lang, content_type, shared, provider, archive_key, archived_version, size, md5, sha256, duration_ms, zoom_file, derivation, name, tried, verified_at, removed_at
		FROM lectern.lectern_recording_files `+where, args, func(scan func(...any) error) error {
		var (
			f                 RecordingFile
			ms                int64
			verified, removed catalog.DBTime
		)
		err := scan(&f.ID, &f.RecordingID, &f.Kind, &f.Position, &f.Label, &f.Lang, &f.ContentType, &f.Shared, &f.Provider, &f.ArchiveKey, &f.ArchivedVersion, &f.Size, &f.MD5, &f.SHA256, &ms, &f.ZoomFile, &f.Derivation, &f.Name, &f.Tried, &verified, &removed)
		f.Duration, f.VerifiedAt, f.RemovedAt = time.Duration(ms)*time.Millisecond, verified.Time, removed.Time
		out = append(out, f)
		return err
	})
	return out, err
}

// RecordingParts are the parts of a recording that are archived beside it or being
// uploaded, in the order of time.
func RecordingParts(ctx context.Context, x Session, recording int64) ([]RecordingFile, error) {
	return recordingFiles(ctx, x, `WHERE recording_id = $1 AND kind = $2 AND removed_at IS NULL ORDER BY position, id`, recording, KindPart)
}

// Companions are the companions of Zoom's of a recording that are archived or being uploaded,
// in the order of their ids.
func Companions(ctx context.Context, x Session, recording int64) ([]RecordingFile, error) {
	return recordingFiles(ctx, x, `WHERE recording_id = $1 AND kind <> $2 AND derivation = '' AND removed_at IS NULL ORDER BY id`, recording, KindPart)
}

// DerivedFiles are the files that the syncer has made of a recording, or is uploading, in the
// order of their ids.
func DerivedFiles(ctx context.Context, x Session, recording int64) ([]RecordingFile, error) {
	return recordingFiles(ctx, x, `WHERE recording_id = $1 AND derivation <> '' AND removed_at IS NULL ORDER BY id`, recording)
}

// RemoveTimedFiles removes what was made of a recording whose times are its own: all files but
// posters, and the captions that a program wrote. Files that are being uploaded stay.
func RemoveTimedFiles(ctx context.Context, x Session, recording int64, now time.Time) error {
	if err := removeAutomaticCaption(ctx, x, recording); err != nil {
		return err
	}
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_recording_files SET removed_at = $2
		WHERE recording_id = $1 AND derivation <> '' AND kind <> $3 AND verified_at IS NOT NULL AND removed_at IS NULL`, recording, stamp(now), string(media.CompanionPoster))
	return err
}

// LoadRecordingFile finds a file. media.NotFound: there is none.
func LoadRecordingFile(ctx context.Context, x Session, id int64) (RecordingFile, error) {
	found, err := recordingFiles(ctx, x, `WHERE id = $1`, id)
	if err == nil && len(found) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return RecordingFile{}, err
	}
	return found[0], nil
}

// VerifiedFiles are the files beside recordings that an archive must have, of recordings that
// are not removed.
func VerifiedFiles(ctx context.Context, x Session, provider string) ([]RecordingFile, error) {
	return recordingFiles(ctx, x, `WHERE provider = $1 AND verified_at IS NOT NULL AND removed_at IS NULL
		AND recording_id IN (SELECT id FROM public.schedule_lessonrecording WHERE is_deleted = $2) ORDER BY id`, provider, false)
}

// UnpurgedFiles are the files of a recording whose bytes may be in an archive, whatever
// their kind, removed ones included.
func UnpurgedFiles(ctx context.Context, x Session, recording int64) ([]RecordingFile, error) {
	return recordingFiles(ctx, x, `WHERE recording_id = $1 AND purged_at IS NULL ORDER BY id`, recording)
}

// GiveUpDerivedFiles removes the derived files of all recordings that were begun before a moment and
// that no run has finished. A run that is at work all the same finds that out and begins anew.
func GiveUpDerivedFiles(ctx context.Context, x Session, begunBefore, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_recording_files SET removed_at = $2
		WHERE derivation <> '' AND verified_at IS NULL AND removed_at IS NULL AND created_at < $1`, stamp(begunBefore), stamp(now))
	return err
}

// ReplacedFiles are the removed files whose bytes are not deleted yet, of all recordings,
// without those that could not be deleted since a moment.
func ReplacedFiles(ctx context.Context, x Session, failedBefore time.Time) ([]RecordingFile, error) {
	return recordingFiles(ctx, x, `WHERE removed_at IS NOT NULL AND purged_at IS NULL AND (failed_at IS NULL OR failed_at <= $1) ORDER BY id`, stamp(failedBefore))
}

// ArchivedNames are the files at Zoom that an ingest has in the archive, as File.Name:
// those that the recording is made of, and the parts beside it.
func ArchivedNames(ctx context.Context, x Session, i Ingest) ([]string, error) {
	names := i.Parts()
	if i.RecordingID == 0 {
		return names, nil
	}
	files, err := RecordingParts(ctx, x, i.RecordingID)
	for _, f := range files {
		if f.Verified() {
			names = append(names, f.ZoomFile)
		}
	}
	return names, err
}

// FileBytes is what a teacher's quota is charged for the files beside a recording.
func FileBytes(ctx context.Context, x Session, recording int64) (n int64, err error) {
	err = x.One(ctx, `SELECT CAST(COALESCE(SUM(f.size), 0) AS bigint) FROM lectern.lectern_recording_files f WHERE f.recording_id = $1 AND `+countedFile, []any{recording}, &n)
	return n, err
}

// AddRecordingFile adds a file that is about to be uploaded and returns its id.
func AddRecordingFile(ctx context.Context, x Session, f RecordingFile, now time.Time) (id int64, err error) {
	err = x.One(ctx, `INSERT INTO lectern.lectern_recording_files (recording_id, kind, position, provider, archive_key, zoom_file, created_at, label, lang, content_type, derivation, name)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
		[]any{f.RecordingID, f.Kind, f.Position, f.Provider, f.ArchiveKey, f.ZoomFile, stamp(now), f.Label, f.Lang, f.ContentType, f.Derivation, f.Name}, &id)
	return id, err
}

// SaveRecordingFile writes back what is known of a file once it is uploaded, and whether
// it still belongs to the recording.
func SaveRecordingFile(ctx context.Context, x Session, f RecordingFile) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_recording_files SET position = $2, size = $3, md5 = $4, sha256 = $5, duration_ms = $6, tried = $7, verified_at = $8, removed_at = $9, archived_version = $10 WHERE id = $1`,
		f.ID, f.Position, f.Size, f.MD5, f.SHA256, f.Duration.Milliseconds(), f.Tried, stamp(f.VerifiedAt), stamp(f.RemovedAt), f.ArchivedVersion)
	return err
}

// ReassignFile makes a file that of another recording, with its copies.
func ReassignFile(ctx context.Context, x Session, id, recording int64) error {
	if _, err := x.Exec(ctx, `UPDATE lectern.lectern_copies SET recording_id = $2 WHERE file_id = $1`, id, recording); err != nil {
		return err
	}
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_recording_files SET recording_id = $2 WHERE id = $1`, id, recording)
	return err
}

// ShareFile says whether the teacher shows a companion to students.
func ShareFile(ctx context.Context, x Session, id int64, shared bool) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_recording_files SET shared = $2 WHERE id = $1`, id, shared)
	return err
}

// MarkFilePurgeFailed notes that the bytes of a removed file could not be deleted.
func MarkFilePurgeFailed(ctx context.Context, x Session, id int64, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_recording_files SET failed_at = $2 WHERE id = $1`, id, stamp(now))
	return err
}

// MarkFilePurged notes that the bytes of a file are deleted.
func MarkFilePurged(ctx context.Context, x Session, id int64, now time.Time) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_recording_files SET removed_at = COALESCE(removed_at, $2), purged_at = $2 WHERE id = $1`, id, stamp(now))
	return err
}
