package move_test

import (
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/move"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

const (
	drive = media.ProviderDrive
	local = media.ProviderLocal
)

// TestMove: recordings and what is beside them go from Drive to the folder and back, on both
// databases. What was moved stays for the grace and is removed then.
func TestMove(t *testing.T) {
	for name, options := range map[string][]syncertest.Option{"sqlite": nil, "postgres": {syncertest.OnPostgres}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, drive, 3, options...)
			f.move(f.mover("a"), "", local, move.Summary{Moved: 3, Bytes: f.total()})
			f.wantAt(local)
			f.purge()
			if n := len(f.keys(drive)); n != 4 {
				t.Errorf("in its grace Drive holds %d files of 4", n)
			}
			f.move(f.mover("a"), drive, local, move.Summary{})
			f.now = f.now.Add(time.Hour + time.Minute) // the grace of the syncer
			f.purge()
			if keys := f.keys(drive); len(keys) != 0 {
				t.Errorf("after its grace Drive holds %v", keys)
			}
			f.purge()
			f.wantAt(local)
			f.move(f.mover("a"), local, drive, move.Summary{Moved: 3, Bytes: f.total()})
			f.wantAt(drive)
		})
	}
}
