package move_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/move"
	"github.com/lectiospace/lectern/internal/syncer/store"
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
			f.wantIdentity()
		})
	}
}

// wantIdentity checks that recordings which were moved twice are known by their first
// identity, and only in the version that was verified.
func (f *fixture) wantIdentity() {
	f.t.Helper()
	for id := range f.bytes {
		first := f.copies(id)[0]
		row, err := f.Store.Recording(f.t.Context(), id)
		if err != nil {
			f.t.Fatal(err)
		}
		stored, err := f.Deps.Archives[drive].Stat(f.t.Context(), row.Location.Key)
		if err != nil {
			f.t.Fatal(err)
		}
		now := media.Object{Provider: drive, ID: row.Location.Key, Version: stored.Version, Size: stored.Size}
		before := media.Object{Provider: drive, ID: first.From.Key, Version: first.FromVersion, Size: first.Size}
		if got := row.Copy.Identify(now); got.Identity() != before.Identity() || got.ETag() != before.ETag() || got.Location() != row.Location {
			f.t.Errorf("recording %d is known as %+v, and was %+v", id, got, before)
		}
		var i store.Ingest
		f.View(func(ctx context.Context, x store.Session) (err error) {
			i, err = store.IngestOfRecording(ctx, x, id)
			if catalog.IsNotFound(err) {
				return nil // the platform has archived it, and keeps no digest
			}
			return err
		})
		sum := sha256.Sum256(f.bytes[id])
		if got := media.DigestOf(now, row.Digest); i.ID != 0 && got != hex.EncodeToString(sum[:]) || i.ID == 0 && got != "" {
			f.t.Errorf("recording %d has digest %q", id, got)
		}
		now.Version = "another"
		if got := row.Copy.Identify(now); got != now {
			f.t.Errorf("another version of recording %d is known as %+v", id, got)
		}
	}
}

// TestSkipped: what is not moved, and the reason that is told.
func TestSkipped(t *testing.T) {
	f := newFixture(t, drive, 1)
	row := f.Recordings(1)[0]
	one := func(o move.Options) (result move.Result, err error) {
		o.Recording, o.Progress = row.ID, func(r move.Result) { result = r }
		_, err = f.mover("a").Run(t.Context(), o)
		return result, err
	}
	for _, tt := range []struct {
		name    string
		change  string
		options move.Options
		reason  string
	}{
		{"not where it is said to be", "", move.Options{From: local, To: drive}, "it is in gdrive already"},
		{"another teacher's", "", move.Options{To: local, Teacher: 2}, "it is teacher 1's"},
		{"not archived yet", "status = 'processing'", move.Options{To: local}, "it is not archived yet (status processing)"},
		{"failed", "status = 'failed'", move.Options{To: local}, "it is not archived yet (status failed)"},
		{"still at Zoom", "status = 'ready', storage_provider = 'zoom'", move.Options{To: local}, "it is not archived yet (status ready)"},
		{"removed", "storage_provider = 'gdrive', is_deleted = TRUE", move.Options{To: local}, "it was removed"},
	} {
		if tt.change != "" {
			f.Exec(`UPDATE public.schedule_lessonrecording SET `+tt.change+` WHERE id = $1`, row.ID)
		}
		if got, err := one(tt.options); err != nil || got.Outcome != move.Skipped || got.Reason != tt.reason {
			t.Errorf("%s: %+v, %v; want %q", tt.name, got, err, tt.reason)
		}
	}
	f.Exec(`UPDATE public.schedule_lessonrecording SET is_deleted = FALSE, status = 'ready' WHERE id = $1`, row.ID)
	if got, err := one(move.Options{To: local, DryRun: true}); err != nil || got.Outcome != move.Moved || got.Files != 2 || got.Bytes != f.total() {
		t.Errorf("a dry run: %+v, %v", got, err)
	}
	if keys := f.keys(local); len(keys) > 0 {
		t.Errorf("a dry run copied %v", keys)
	}
	row.ID = 999
	if _, err := one(move.Options{To: local}); media.KindOf(err) != media.NotFound {
		t.Errorf("an unknown recording: %v", err)
	}
}

// TestExplainMoved: the history of a recording tells where it was, and for how long.
func TestExplainMoved(t *testing.T) {
	f := newFixture(t, drive, 1)
	f.kill("killed", "uploaded", 1, local)
	row := f.Recordings(1)[0]
	explained := func(want ...string) {
		t.Helper()
		var out strings.Builder
		if err := f.Syncer.Explain(t.Context(), strconv.FormatInt(row.ID, 10), &out); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%q is not in\n%s", text, &out)
			}
		}
	}
	explained("copying    to local lessons/", "goes on")
	f.move(f.mover("a", "killed"), "", local, move.Summary{Moved: 1, Bytes: f.total()})
	explained("moved      from gdrive "+row.Location().Key, "stays for the grace", "moved: gdrive "+row.Location().Key+" is at local lessons/")
	f.now = f.now.Add(2 * time.Hour)
	f.purge()
	explained("removed there ", "former file removed: gdrive "+row.Location().Key)
}
