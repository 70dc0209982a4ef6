package schema_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/schema"
)

// TestNewerSchema: a program works on a newer schema whose compatible-since is at most the
// last version it knows; a missing value means the version itself.
func TestNewerSchema(t *testing.T) {
	const (
		applied = `INSERT INTO lectern.lectern_goose_version (version_id, is_applied) VALUES (9999, TRUE)`
		states  = `INSERT INTO lectern.lectern_schema (version, compatible_since, applied_at) VALUES (%s, '2026-11-20T10:00:00Z')`
	)
	cases := []struct {
		name string
		rows []string // values of version and compatible_since; KNOWN is what this program knows
		fits bool
	}{
		{"without a row", nil, false},
		{"without a value", []string{"9999, NULL"}, false},
		{"incompatible", []string{"9999, 9999"}, false},
		{"compatible since the next version", []string{"9999, KNOWN + 1"}, false},
		{"compatible with this version", []string{"9999, KNOWN"}, true},
		{"compatible with an older version", []string{"9999, 1"}, true},
		{"the last version counts: compatible", []string{"9998, 9998", "9999, 1"}, true},
		{"the last version counts: incompatible", []string{"9998, 1", "9999, 9998"}, false},
	}
	catalogtest.EachStandalone(t, func(t *testing.T, open func(testing.TB) *catalogtest.DB) {
		s := open(t)
		st, err := schema.StatusOf(t.Context(), s.Store)
		if err != nil {
			t.Fatal(err)
		}
		s.Exec(t, applied)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				s.Exec(t, `DELETE FROM lectern.lectern_schema WHERE version > 9000`)
				for _, row := range c.rows {
					s.Exec(t, fmt.Sprintf(states, strings.ReplaceAll(row, "KNOWN", fmt.Sprint(st.Known))))
				}
				_, down := schema.Down(t.Context(), s.Store)
				catalogtest.WantText(t, down, "9999", "newer")
				ready := schema.Ready(t.Context(), s.Store)
				upgraded, up := schema.Up(t.Context(), s.Store)
				if c.fits {
					if ready != nil || up != nil || len(upgraded) != 0 {
						t.Errorf("Ready: %v; Up: %v, %v", ready, upgraded, up)
					}
					return
				}
				for what, err := range map[string]error{"Ready": ready, "Up": up} {
					var newer *schema.NewerError
					if !errors.As(err, &newer) || newer.Version != 9999 || newer.Own != st.Known {
						t.Errorf("%s: %v", what, err)
					}
					catalogtest.WantText(t, err, "9999", "newer")
				}
			})
		}
	})
}

// TestVersionBeforeTheTable: a database from before lectern_schema lacks versions, and no
// more than that.
func TestVersionBeforeTheTable(t *testing.T) {
	catalogtest.EachStandalone(t, func(t *testing.T, open func(testing.TB) *catalogtest.DB) {
		s := open(t)
		for {
			reverted, err := schema.Down(t.Context(), s.Store)
			if err != nil {
				t.Fatal(err)
			}
			if reverted.Name == "0013_operations" {
				break
			}
		}
		catalogtest.WantText(t, schema.Ready(t.Context(), s.Store), "the database lacks 0013_operations")
		if _, err := schema.Up(t.Context(), s.Store); err != nil {
			t.Fatal(err)
		}
		if err := schema.Ready(t.Context(), s.Store); err != nil {
			t.Error(err)
		}
	})
}

// TestEachMigrationStatesCompatibility: every file writes its own row of lectern_schema and
// takes it back; both in its transaction, so that no program sees a version without its
// compatible-since. A later version is never compatible with older programs than an
// earlier one.
func TestEachMigrationStatesCompatibility(t *testing.T) {
	states := regexp.MustCompile(`INSERT INTO (?:lectern\.)?lectern_schema \(version, compatible_since, applied_at\) VALUES \((\d+), (\d+), `)
	for _, d := range []catalog.Dialect{catalog.SQLite, catalog.Postgres} {
		last := int64(0)
		for _, name := range versions[d] {
			version, _ := strconv.ParseInt(name[:4], 10, 64)
			if version < 13 {
				continue // before the table
			}
			folder := map[catalog.Dialect]string{catalog.SQLite: "sqlite", catalog.Postgres: "postgres"}[d]
			text, err := os.ReadFile(filepath.Join("migrations", folder, name+".sql"))
			if err != nil {
				t.Fatal(err)
			}
			up, down, _ := strings.Cut(string(text), "-- +goose Down")
			found := states.FindAllStringSubmatch(up, -1)
			if len(found) != 1 || found[0][1] != fmt.Sprint(version) {
				t.Errorf("%s/%s must insert its version and its compatible_since into lectern_schema", folder, name)
				continue
			}
			since, _ := strconv.ParseInt(found[0][2], 10, 64)
			if since > version || since < last {
				t.Errorf("%s/%s: compatible since %d, the version before since %d", folder, name, since, last)
			}
			last = since
			if version > 13 && !strings.Contains(down, fmt.Sprintf("lectern_schema WHERE version = %d;", version)) {
				t.Errorf("%s/%s must delete its row of lectern_schema when it is reverted", folder, name)
			}
			if strings.Contains(string(text), "NO TRANSACTION") {
				t.Errorf("%s/%s runs outside of a transaction", folder, name)
			}
		}
		if last == 0 {
			t.Errorf("no migration of %v was looked at", d)
		}
	}
}

// TestVersionsAreComplete: the lists of the tests name every file.
func TestVersionsAreComplete(t *testing.T) {
	for d, folder := range map[catalog.Dialect]string{catalog.SQLite: "sqlite", catalog.Postgres: "postgres"} {
		files, err := fs.Glob(os.DirFS("migrations"), folder+"/*.sql")
		if err != nil || len(files) != len(versions[d]) {
			t.Errorf("%s: %d files, %d names, %v", folder, len(files), len(versions[d]), err)
		}
	}
}
