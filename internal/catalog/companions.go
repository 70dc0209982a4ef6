package catalog

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	// servable is the condition, in SQL, under which viewers may be given a file f.
	servable = "f.kind <> 'part' AND f.verified_at IS NOT NULL AND f.removed_at IS NULL"
	// DerivedFile is the condition under which DerivedFile finds a file f of lectern_recording_files.
	DerivedFile = servable + " AND f.derivation <> ''"
)

const selectCompanions = `
SELECT f.id, f.recording_id, f.kind, f.label, f.lang, f.content_type, f.shared, f.provider, f.archive_key, f.size, f.duration_ms, f.archived_version, f.sha256,
       c.to_version, c.size, c.original_provider, c.original_key, c.original_version, c.original_modified
FROM lectern.lectern_recording_files f
LEFT JOIN lectern.lectern_copies c ON c.recording_id = f.recording_id AND c.file_id = f.id AND c.to_provider = f.provider AND c.to_key = f.archive_key
    AND c.switched_at IS NOT NULL AND c.abandoned_at IS NULL
WHERE `

// scanCompanion reads a row of selectCompanions.
func scanCompanion(scan func(...any) error) (media.Companion, error) {
	var (
		c      media.Companion
		ms     int64
		copied copyColumns
	)
	err := scan(&c.ID, &c.RecordingID, &c.Kind, &c.Label, &c.Lang, &c.ContentType, &c.Shared, &c.Location.Provider, &c.Location.Key, &c.Size, &ms, &c.Digest.Version, &c.Digest.SHA256,
		&copied.version, &copied.size, &copied.provider, &copied.key, &copied.original, &copied.modified)
	c.Duration = time.Duration(ms) * time.Millisecond
	c.Digest.Location, c.Digest.Size = c.Location, c.Size
	c.Copy = copied.copy()
	return c, err
}

// Companion is a companion by id, as long as it belongs to its recording. Kind NotFound: there
// is none.
func (s *Store) Companion(ctx context.Context, id int64) (media.Companion, error) {
	return s.companion(ctx, "catalog: companion", servable+` AND f.id = $1`, id)
}

// DerivedFile is the file of a name that the syncer has made of a recording. Kind NotFound:
// there is none.
func (s *Store) DerivedFile(ctx context.Context, recording int64, name string) (media.Companion, error) {
	return s.companion(ctx, "catalog: derived file", DerivedFile+` AND f.recording_id = $1 AND f.name = $2`, recording, name)
}

// companion is the one companion that a condition selects.
func (s *Store) companion(ctx context.Context, op, where string, args ...any) (media.Companion, error) {
	var found []media.Companion
	err := s.Rows(ctx, op, LookupTimeout, selectCompanions+where, args, func(scan func(...any) error) error {
		c, err := scanCompanion(scan)
		found = append(found, c)
		return err
	})
	switch {
	case err != nil:
		return media.Companion{}, err
	case len(found) == 0:
		return media.Companion{}, media.Fault(media.NotFound, op, nil)
	}
	return found[0], nil
}

// Companions are a recording's, by kind and in the order of time; none is no error.
func (s *Store) Companions(ctx context.Context, recording int64) (list []media.Companion, err error) {
	err = s.Rows(ctx, "catalog: companions", LookupTimeout, selectCompanions+servable+` AND f.recording_id = $1 ORDER BY f.kind, f.position, f.id`, []any{recording}, func(scan func(...any) error) error {
		c, err := scanCompanion(scan)
		list = append(list, c)
		return err
	})
	return list, err
}
