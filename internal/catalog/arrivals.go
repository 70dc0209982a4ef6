package catalog

import (
	"context"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Arrival is a recording whose archived bytes are new: just recorded, or joined anew.
type Arrival struct {
	Recording int64
	Location  media.Location
	At        time.Time // when the archive was verified
}

const selectArrivals = `
SELECT r.id, r.storage_provider, r.gdrive_file_id, r.archive_key, i.verified_at
FROM lectern.lectern_ingests i
JOIN public.schedule_lessonrecording r ON r.id = i.recording_id
WHERE i.verified_at > $1 AND r.is_deleted = $2 AND r.status IN ('ready', 'archived')
ORDER BY i.verified_at LIMIT 200`

// Arrivals are the recordings that the syncer has archived after a moment, oldest
// first, at most 200 of them: the rest comes with the next call.
func (s *Store) Arrivals(ctx context.Context, after time.Time) ([]Arrival, error) {
	var out []Arrival
	err := s.Rows(ctx, "catalog: arrivals", LookupTimeout, selectArrivals, []any{NewDBTime(after), false}, func(scan func(...any) error) error {
		var (
			a                              Arrival
			provider, driveFile, archiveID string
			at                             DBTime
		)
		err := scan(&a.Recording, &provider, &driveFile, &archiveID, &at)
		a.Location, a.At = media.StoredAt(provider, driveFile, archiveID), at.Time
		out = append(out, a)
		return err
	})
	return out, err
}
