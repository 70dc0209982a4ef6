package schema

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lectiospace/lectern/internal/catalog"
)

// NewerError says that the database has a version of the schema which only a newer Lectern
// knows and which this one cannot work with.
type NewerError struct {
	Version         int64 // of the database
	CompatibleSince int64 // the least version that a program must know
	Own             int64 // the last version that this program knows
}

// Error is one line that names what to do.
func (e *NewerError) Error() string {
	return fmt.Sprintf("the database has version %d of the schema, which needs a newer Lectern that knows version %d; this one knows version %d: install the newer one, or revert the schema with it (`gateway migrate down`)",
		e.Version, e.CompatibleSince, e.Own)
}

// Fits returns a *NewerError when the database has a version that this program can
// neither know nor work with. It is nil for versions that are missing: see Pending.
func (s Status) Fits() error {
	if len(s.Newer) > 0 && s.CompatibleSince > s.Known {
		return &NewerError{Version: s.Newer[len(s.Newer)-1], CompatibleSince: s.CompatibleSince, Own: s.Known}
	}
	return nil
}

// compatibleSince reads, for each version of which the database says so, the least version
// that a program must know to work on it. Versions from before the table are not in it.
func compatibleSince(ctx context.Context, x catalog.Session) (map[int64]int64, error) {
	since := map[int64]int64{}
	ok, err := x.HasTable(ctx, "lectern", "lectern_schema")
	if err != nil || !ok {
		return since, err
	}
	err = x.Each(ctx, `SELECT version, compatible_since FROM lectern.lectern_schema`, nil, func(scan func(...any) error) error {
		var (
			version int64
			least   sql.NullInt64
		)
		err := scan(&version, &least)
		if since[version] = version; least.Valid {
			since[version] = least.Int64
		}
		return err
	})
	return since, err
}
