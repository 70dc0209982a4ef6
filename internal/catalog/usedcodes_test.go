package catalog_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
)

func TestUsedCodes(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		use := func(id string, after time.Duration) bool {
			t.Helper()
			now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC).Add(after)
			first, err := catalog.NewUsedCodes(db.Store).Use(t.Context(), id, now.Add(time.Minute), now)
			if err != nil {
				t.Fatal(err)
			}
			return first
		}
		var firsts atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if use("a", 0) {
					firsts.Add(1)
				}
			})
		}
		all.Wait()
		if firsts.Load() != 1 {
			t.Errorf("%d of 8 uses of a code at once are the first", firsts.Load())
		}
		if use("a", time.Minute) {
			t.Error("a code counts again when it expires")
		}
		if !use("b", 3*time.Minute) {
			t.Error("another code does not count")
		}
		var left int64
		if err := db.Store.Row(t.Context(), "test", `SELECT count(*) FROM lectern.lectern_used_codes`, nil, &left); err != nil || left != 1 {
			t.Errorf("%d codes are kept, %v; want the one that can still be valid", left, err)
		}
	})
}
