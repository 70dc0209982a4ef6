package store

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
)

// TestUnderivedRecordings: a recording whose retry is due is found wherever the search for
// older ones has got to. One whose files are made, or whose retry is later, is not.
func TestUnderivedRecordings(t *testing.T) {
	catalogtest.Each(t, func(t *testing.T, db *catalogtest.DB) {
		now := time.Now()
		kinds := []DerivationKind{{Kind: "poster", Revision: 1}}
		found := func(before int64) (ids []int64) {
			err := db.View(t.Context(), "test", func(x Session) (err error) {
				ids, err = UnderivedRecordings(t.Context(), x, kinds, []string{"local", "gdrive"}, before, 1000, now)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		all := found(1 << 40)
		if len(all) < 3 || !slices.IsSortedFunc(all, func(a, b int64) int { return int(b - a) }) {
			t.Fatalf("recordings without files: %d", all)
		}
		due, later, made := all[0], all[1], all[2]
		err := db.Update(t.Context(), "test", func(x Session) error {
			return putAll(t.Context(), x,
				Derivation{RecordingID: due, Kind: "poster", Revision: 1, TriedAt: now, Attempts: 1, RetryAt: now.Add(-time.Second)},
				Derivation{RecordingID: later, Kind: "poster", Revision: 1, TriedAt: now, Attempts: 1, RetryAt: now.Add(time.Hour)},
				Derivation{RecordingID: made, Kind: "poster", Revision: 1, TriedAt: now, MadeAt: now},
				Derivation{RecordingID: made, Kind: "unwanted", Revision: 1, TriedAt: now, Attempts: 1, RetryAt: now.Add(-time.Second)})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := found(made), append([]int64{due}, all[3:]...); !slices.Equal(got, want) {
			t.Errorf("below %d: %d, want %d", made, got, want)
		}
	})
}

func putAll(ctx context.Context, x Session, all ...Derivation) error {
	for _, d := range all {
		if err := PutDerivation(ctx, x, d); err != nil {
			return err
		}
	}
	return nil
}
