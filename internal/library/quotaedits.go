package library

import (
	"context"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// RaiseQuota adds bytes to a quota, of which wholeGB are counted as purchased. NotFound: there is no such quota.
func (e *Editor) RaiseQuota(ctx context.Context, id, bytes, wholeGB int64) error {
	return e.store.Update(ctx, "library: raise a quota", func(x catalog.Session) error {
		return store.RaiseQuota(ctx, x, id, bytes, wholeGB, e.now())
	})
}

// OwnQuota is the id of a teacher's quota, which it creates where there is none.
func (e *Editor) OwnQuota(ctx context.Context, teacher int64) (id int64, err error) {
	err = e.store.Update(ctx, "library: a teacher's quota", func(x catalog.Session) error {
		q, err := store.LoadQuota(ctx, x, teacher, e.now())
		id = q.ID
		return err
	})
	return id, err
}
