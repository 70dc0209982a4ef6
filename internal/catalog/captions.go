package catalog

import (
	"context"

	"github.com/lectiospace/lectern/internal/media"
)

const selectCaptions = `SELECT lang, label FROM lectern.lectern_captions WHERE recording_id = $1 ORDER BY lang`

// Captions lists the tracks kept beside a recording, by language; none is no error.
func (s *Store) Captions(ctx context.Context, recordingID int64) ([]media.Caption, error) {
	limited, cancel := context.WithTimeoutCause(ctx, lookupTimeout, errOwnDeadline)
	defer cancel()
	var list []media.Caption
	err := s.each(limited, s.db, selectCaptions, []any{recordingID}, func(scan func(...any) error) error {
		var c media.Caption
		err := scan(&c.Lang, &c.Label)
		list = append(list, c)
		return err
	})
	return list, fault(ctx, "catalog: captions", err)
}
