package schema_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// restorable is a kind of database whose restore is rehearsed: with demo rows, and opened
// by the role that a deployment would use.
type restorable struct {
	name string
	open func(t *testing.T) (s *catalogtest.DB, owner string)
}

var restorables = []restorable{
	{"sqlite", func(t *testing.T) (*catalogtest.DB, string) {
		s := catalogtest.SQLite(t)
		applyPeople(t, s)
		return s, ""
	}},
	{"postgres", func(t *testing.T) (*catalogtest.DB, string) {
		s := catalogtest.Postgres(t)
		applyPeople(t, s)
		return s, s.URL
	}},
	{"platform", func(t *testing.T) (*catalogtest.DB, string) {
		owner := pgtest.Start(t)
		pgtest.Load(t, owner, catalogtest.PlatformSQL)
		grants, err := os.ReadFile("../../../configs/platform/grants.sql")
		if err != nil {
			t.Fatal(err)
		}
		pgtest.Exec(t, owner, string(grants))
		return catalogtest.Migrate(t, catalogtest.Open(t, pgtest.As(t, owner, "lectern"))), owner
	}},
}

func applyPeople(t *testing.T, s *catalogtest.DB) {
	t.Helper()
	const people = "people: [{email: t@x.test, role: teacher}, {email: s@x.test, role: student}]\ngroups: [{name: G, teacher: t@x.test, students: [s@x.test]}]"
	if _, err := document.Apply(t.Context(), s.Store, strings.NewReader(people), false); err != nil {
		t.Fatal(err)
	}
}

// note writes a row of Lectern's own, with what COPY has to escape.
func note(t *testing.T, s *catalogtest.DB, what string) {
	t.Helper()
	s.Exec(t, `INSERT INTO lectern.lectern_history (at, what, detail) VALUES ('2026-11-20T10:00:00Z', $1, $2)`, what, "a\tb\nc\\.\n\\N COPY x FROM stdin;")
}

func notes(t *testing.T, s *catalogtest.DB) string {
	t.Helper()
	return strings.Join(s.Texts(t, `SELECT what FROM lectern.lectern_history WHERE detail LIKE '%COPY x FROM stdin;' ORDER BY id`), ",")
}

// restore verifies and restores a backup.
func restore(t *testing.T, s *catalogtest.DB, path, backups string) (schema.Restored, error) {
	t.Helper()
	b, err := schema.VerifyBackup(t.Context(), s.Store, path)
	if err != nil {
		return schema.Restored{}, err
	}
	return schema.Restore(t.Context(), s.Store, b, backups, time.Now)
}

// TestRestore rehearses a restore on every kind of database: what came after the backup is
// gone, what was there is back, the schema is ready, new rows get new ids, and the copy of
// what was replaced restores in turn.
func TestRestore(t *testing.T) {
	t.Parallel()
	for _, r := range restorables {
		t.Run(r.name, func(t *testing.T) {
			s, _ := r.open(t)
			note(t, s, "before")
			s.Exec(t, `INSERT INTO lectern.lectern_gateways (id, version, address, started_at, beat_at) VALUES ('then', '1', 'a', $1, $1)`, catalog.NewDBTime(time.Now().Add(-time.Hour)))
			s.Exec(t, `INSERT INTO lectern.lectern_syncers (id, started_at, beat_at) VALUES ('then', $1, $1)`, catalog.NewDBTime(time.Now().Add(-time.Hour)))
			dir := t.TempDir()
			path, err := schema.Backup(t.Context(), s.Store, dir, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			note(t, s, "after")
			s.Exec(t, `DELETE FROM lectern.lectern_history WHERE what = 'before'`)
			if r.name != "platform" {
				s.Exec(t, `DELETE FROM public.schedule_group_students`)
			}
			// A table and a version of a later migration go too.
			s.Exec(t, `CREATE TABLE lectern.lectern_later (id INTEGER PRIMARY KEY)`)

			done, err := restore(t, s, path, dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := notes(t, s); got != "before" {
				t.Errorf("the database has %q, want what was there before", got)
			}
			if err := schema.Ready(t.Context(), s.Store); err != nil || len(done.Pending) != 0 {
				t.Errorf("Ready: %v; pending %v", err, done.Pending)
			}
			if r.name != "platform" && s.Count(t, `SELECT count(*) FROM public.schedule_group_students`) != 1 {
				t.Error("the catalog's rows are not back")
			}
			if err := s.TryExec(t, `SELECT 1 FROM lectern.lectern_later`); err == nil {
				t.Error("a table that is not in the backup is still there")
			}
			note(t, s, "again")
			if got := notes(t, s); got != "before,again" {
				t.Errorf("after another row: %q", got)
			}
			if alive, err := schema.Alive(t.Context(), s.Store, time.Now()); err != nil || len(alive) != 0 {
				t.Errorf("alive: %q, %v", alive, err)
			}
			if n := s.Count(t, `SELECT count(*) FROM lectern.lectern_syncers`); n != 1 {
				t.Errorf("%d syncers: the next one cannot release what they held", n)
			}
			if _, err := restore(t, s, done.Replaced, dir); err != nil {
				t.Fatal(err)
			}
			if got := notes(t, s); got != "after" {
				t.Errorf("the copy of what was replaced has %q", got)
			}
		})
	}
}

// TestRestoreWhileAlive: nothing is restored while a gateway or a syncer is alive on the
// database, and a silent one does not stand in the way.
func TestRestoreWhileAlive(t *testing.T) {
	t.Parallel()
	s, _ := restorables[0].open(t)
	note(t, s, "before")
	path, err := schema.Backup(t.Context(), s.Store, t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	note(t, s, "after")
	for table, statement := range map[string]string{
		"gateway": `INSERT INTO lectern.lectern_gateways (id, version, address, started_at, beat_at) VALUES ('g1', '1', 'a', $1, $1)`,
		"syncer":  `INSERT INTO lectern.lectern_syncers (id, started_at, beat_at) VALUES ('s1', $1, $1)`,
	} {
		for age, refused := range map[time.Duration]bool{-time.Minute: true, 25 * time.Second: true, 31 * time.Second: false} {
			s.Exec(t, `DELETE FROM lectern.lectern_gateways`)
			s.Exec(t, `DELETE FROM lectern.lectern_syncers`)
			s.Exec(t, statement, catalog.NewDBTime(time.Now().Add(-age)))
			_, err := restore(t, s, path, "")
			if (err != nil) != refused {
				t.Errorf("a %s with a heartbeat %v ago: %v", table, age, err)
			}
			if refused {
				catalogtest.WantText(t, err, table, "nothing was changed")
			} else if s.Count(t, `SELECT count(*) FROM lectern.lectern_history WHERE what = 'after'`) != 0 {
				t.Error("not restored")
			}
		}
	}
}

// TestRestoreOrphans: rows whose lesson or recording the platform has removed since the
// backup come back as their foreign keys would have left them.
func TestRestoreOrphans(t *testing.T) {
	t.Parallel()
	s, owner := restorables[2].open(t)
	s.Exec(t, `INSERT INTO lectern.lectern_ingests (lesson_id, recording_id, created_at, updated_at) VALUES (6, 6, now(), now())`)
	s.Exec(t, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) VALUES (6, 'en', 'English', 'WEBVTT', now()), (7, 'en', 'English', 'WEBVTT', now())`)
	path, err := schema.Backup(t.Context(), s.Store, t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, owner, `DELETE FROM schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = 6;
		DELETE FROM schedule_lessonrecording_allowed_students WHERE lessonrecording_id = 6; DELETE FROM schedule_lessonrecording WHERE id = 6`)
	public := publicShape(t, s) + strings.Join(catalogtest.Open(t, owner).Texts(t, `SELECT accounts_customuser::text FROM public.accounts_customuser ORDER BY id`), "\n")
	done, err := restore(t, s, path, "")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Count(t, `SELECT count(*) FROM lectern.lectern_ingests WHERE recording_id IS NULL AND lesson_id = 6`); n != 1 || done.Orphans != 2 {
		t.Errorf("%d ingests without their recording, %d orphans", n, done.Orphans)
	}
	if got := s.Texts(t, `SELECT recording_id::text FROM lectern.lectern_captions`); len(got) != 1 || got[0] != "7" {
		t.Errorf("captions of %q", got)
	}
	if after := publicShape(t, s) + strings.Join(catalogtest.Open(t, owner).Texts(t, `SELECT accounts_customuser::text FROM public.accounts_customuser ORDER BY id`), "\n"); after != public {
		t.Error("the platform's tables changed")
	}
}

// TestRestoreRefusesBadFiles: a file that is damaged, cut short, something else, newer or
// of the other database is refused before anything is touched.
func TestRestoreRefusesBadFiles(t *testing.T) {
	t.Parallel()
	for _, r := range restorables[:2] {
		t.Run(r.name, func(t *testing.T) {
			s, _ := r.open(t)
			for range 500 { // several pages, several blocks
				note(t, s, "before")
			}
			good, err := schema.Backup(t.Context(), s.Store, t.TempDir(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(good)
			if err != nil {
				t.Fatal(err)
			}
			s.Exec(t, `INSERT INTO lectern.lectern_goose_version (version_id, is_applied) VALUES (9999, TRUE)`)
			newer, err := schema.Backup(t.Context(), s.Store, t.TempDir(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			s.Exec(t, `DELETE FROM lectern.lectern_goose_version WHERE version_id = 9999`)
			newerData, err := os.ReadFile(newer)
			if err != nil {
				t.Fatal(err)
			}
			damaged := bytes.Clone(data)
			for i := len(damaged) / 2; i < len(damaged)/2+4096 && i < len(damaged); i++ {
				damaged[i] ^= 0x5a
			}
			other := []byte("PGDMP")
			if s.Dialect() == catalog.Postgres {
				other = []byte("SQLite format 3\x00")
			}
			for what, c := range map[string]struct {
				data []byte
				says string
			}{
				"damaged":            {damaged, ""},
				"cut short":          {data[:len(data)*3/4], ""},
				"empty":              {nil, "no backup"},
				"text":               {[]byte("SELECT 1;\n"), "no backup"},
				"newer":              {newerData, "9999"},
				"the other database": {other, "another kind of database"},
			} {
				path := filepath.Join(t.TempDir(), "backup")
				if err := os.WriteFile(path, c.data, 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := schema.VerifyBackup(t.Context(), s.Store, path); err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if _, err := schema.VerifyBackup(t.Context(), s.Store, filepath.Join(t.TempDir(), "nothing")); err == nil {
				t.Error("a missing file is good")
			}
			if _, err := schema.VerifyBackup(t.Context(), s.Store, good); err != nil {
				t.Errorf("a good one: %v", err)
			}
		})
	}
}

// TestRestoreIsAllOrNothing: a restore that fails leaves everything as it was.
func TestRestoreIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, r := range restorables {
		t.Run(r.name, func(t *testing.T) {
			s, _ := r.open(t)
			note(t, s, "before")
			path, err := schema.Backup(t.Context(), s.Store, t.TempDir(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			b, err := schema.VerifyBackup(t.Context(), s.Store, path)
			if err != nil {
				t.Fatal(err)
			}
			note(t, s, "after")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// It is damaged after it was verified.
			if err := os.WriteFile(path, data[:len(data)*3/4], 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := schema.Restore(t.Context(), s.Store, b, t.TempDir(), time.Now); err == nil {
				t.Error("a damaged backup was restored")
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := schema.Restore(cancelled, s.Store, b, "", time.Now); err == nil {
				t.Error("no error after the context has ended")
			}
			if got := notes(t, s); got != "before,after" {
				t.Errorf("the database has %q", got)
			}
			if err := schema.Ready(t.Context(), s.Store); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRestoreOtherLayout: a backup from beside the platform is refused by a standalone
// database, and the other way round.
func TestRestoreOtherLayout(t *testing.T) {
	t.Parallel()
	standalone, _ := restorables[1].open(t)
	platform, _ := restorables[2].open(t)
	for _, pair := range [][2]*catalogtest.DB{{standalone, platform}, {platform, standalone}} {
		path, err := schema.Backup(t.Context(), pair[0].Store, t.TempDir(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, err = schema.VerifyBackup(t.Context(), pair[1].Store, path)
		catalogtest.WantText(t, err, "layout")
	}
}

// TestRestoreIntoAnEmptyDatabase: a database that was lost comes back whole.
func TestRestoreIntoAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	for i, empty := range []func(*testing.T) *catalogtest.DB{
		func(t *testing.T) *catalogtest.DB { return catalogtest.EmptySQLite(t) },
		func(t *testing.T) *catalogtest.DB { return catalogtest.Open(t, pgtest.Start(t)) },
	} {
		t.Run(restorables[i].name, func(t *testing.T) {
			lost, _ := restorables[i].open(t)
			note(t, lost, "before")
			path, err := schema.Backup(t.Context(), lost.Store, t.TempDir(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			s := empty(t)
			done, err := restore(t, s, path, t.TempDir())
			if err != nil || done.Replaced != "" {
				t.Fatalf("%+v, %v", done, err)
			}
			if got := notes(t, s); got != "before" {
				t.Errorf("the database has %q", got)
			}
			if err := schema.Ready(t.Context(), s.Store); err != nil {
				t.Error(err)
			}
			if s.Count(t, `SELECT count(*) FROM public.accounts_customuser`) != 2 {
				t.Error("people are missing")
			}
		})
	}
}
