package catalog

import (
	"context"
	"time"
)

const (
	insertUsedCode = `
INSERT INTO lectern.lectern_used_codes (id, expires_ms) VALUES ($1, $2)
ON CONFLICT (id) DO NOTHING`

	deleteExpiredCodes = `DELETE FROM lectern.lectern_used_codes WHERE expires_ms < $1`
)

// UsedCodes stores the codes that have begun a session, and the sign-ins that came back, for
// as long as they could be valid. Safe for concurrent use by any number of gateways with one database.
type UsedCodes struct{ store *Store }

// NewUsedCodes makes UsedCodes.
func NewUsedCodes(s *Store) *UsedCodes { return &UsedCodes{s} }

// Use marks a code as used. first is false when it was used before; of several calls at once
// one is the first.
func (u *UsedCodes) Use(ctx context.Context, id string, expires, now time.Time) (first bool, err error) {
	const op = "catalog: use a code"
	err = u.store.UpdateWithin(ctx, op, LookupTimeout, func(ctx context.Context, x Session) error {
		if _, err := x.Exec(ctx, deleteExpiredCodes, now.Add(-time.Minute).UnixMilli()); err != nil {
			return err
		}
		inserted, err := x.Exec(ctx, insertUsedCode, id, expires.UnixMilli())
		first = inserted == 1
		return err
	})
	return first, err
}
