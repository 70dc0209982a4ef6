package schema_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
)

// TestGuard: before a database with data changes somebody is asked and a backup is made,
// in this order, and a refusal or a failed backup ends the change.
func TestGuard(t *testing.T) {
	notADir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notADir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		data   bool
		dir    string // "" means no backup
		asks   bool
		agrees bool
		steps  []string
		err    string
	}{
		{"empty", false, t.TempDir(), true, false, nil, ""},
		{"confirmed", true, t.TempDir(), true, true, []string{"confirm", "backup"}, ""},
		{"refused", true, t.TempDir(), true, false, []string{"confirm"}, "nothing was changed"},
		{"nobody asked", true, t.TempDir(), false, false, []string{"backup"}, ""},
		{"no backup wanted", true, "", true, true, []string{"confirm"}, ""},
		{"no backup wanted, nobody asked", true, "", false, false, nil, ""},
		{"no backup possible", true, notADir, true, true, []string{"confirm"}, "no backup, so nothing was changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := catalogtest.Migrate(t, catalogtest.EmptySQLite(t))
			if c.data {
				if _, err := document.Apply(t.Context(), s.Store, strings.NewReader("people: [{email: a@x, role: admin}]"), false); err != nil {
					t.Fatal(err)
				}
			}
			var steps []string
			guard := schema.Guard{BackupDir: c.dir, BackedUp: func(path string) {
				steps = append(steps, "backup")
				if info, err := os.Stat(path); err != nil || info.Size() == 0 {
					t.Errorf("the backup: %v, %v", info, err)
				}
			}}
			if c.asks {
				guard.Confirm = func() bool { steps = append(steps, "confirm"); return c.agrees }
			}
			err := guard.Admit(t.Context(), s.Store)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if !slices.Equal(steps, c.steps) {
				t.Errorf("steps %q, want %q", steps, c.steps)
			}
			if c.name == "refused" && !errors.Is(err, schema.ErrNotConfirmed) {
				t.Errorf("%v is not ErrNotConfirmed", err)
			}
		})
	}
}
