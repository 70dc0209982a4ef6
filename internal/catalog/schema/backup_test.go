package schema_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// oddFolders have names with what is special in a URI, in SQL or in a shell.
var oddFolders = []string{"a%41b", "a%2Fb", "a?mode=memory", "a#b", "a b", "a&b=c;d", "Папка 😀", "it's \"x\"", "%", "a%zz", "file:a", "a\\b", "a+b"}

func TestBackup(t *testing.T) {
	for name, url := range map[string]string{"sqlite": "sqlite://" + filepath.Join(t.TempDir(), "l.db"), "postgres": pgtest.Start(t)} {
		t.Run(name, func(t *testing.T) {
			s := catalogtest.Migrate(t, catalogtest.Open(t, url))
			if _, err := document.Apply(t.Context(), s.Store, strings.NewReader("people: [{email: a@x, role: admin}]"), false); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "backups")
			path, err := schema.Backup(t.Context(), s.Store, dir, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
				t.Errorf("%v, %v", info, err)
			}
			if name == "sqlite" { // the copy is a catalog of its own
				copied := catalogtest.Open(t, "sqlite://"+path)
				if u, err := copied.User(t.Context(), 1); err != nil || u.Role != "admin" {
					t.Errorf("%+v, %v", u, err)
				}
			}
		})
	}
	for _, folder := range oddFolders {
		t.Run(folder, func(t *testing.T) {
			parent := t.TempDir()
			s := catalogtest.Migrate(t, catalogtest.Open(t, "sqlite://"+filepath.Join(parent, folder, "l.db")))
			if _, err := document.Apply(t.Context(), s.Store, strings.NewReader("people: [{email: a@x, role: admin}]"), false); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(parent, folder, "backups")
			path, err := schema.Backup(t.Context(), s.Store, dir, time.Now())
			if err != nil || filepath.Dir(path) != dir {
				t.Fatalf("%q, %v", path, err)
			}
			copied := catalogtest.Open(t, "sqlite://"+path)
			if u, err := copied.User(t.Context(), 1); err != nil || u.Role != "admin" {
				t.Errorf("%+v, %v", u, err)
			}
			if made, err := os.ReadDir(parent); err != nil || len(made) != 1 {
				t.Errorf("folders: %v, %v", made, err)
			}
		})
	}
	t.Run("the last five stay", func(t *testing.T) {
		s, dir := catalogtest.EmptySQLite(t), t.TempDir()
		others := []string{"lectern-20260101T000000.000Z.dump", "mine.db"}
		for _, name := range others {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var made []string
		for i := range 7 {
			path, err := schema.Backup(t.Context(), s.Store, dir, time.Date(2026, 11, 20, 10, 0, i, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, filepath.Base(path))
		}
		if got, want := namesIn(t, dir), append([]string{others[0]}, append(made[2:], others[1])...); !slices.Equal(got, want) {
			t.Errorf("the directory holds %q, want %q", got, want)
		}
	})
	t.Run("what a killed backup left", func(t *testing.T) {
		s, dir := catalogtest.EmptySQLite(t), t.TempDir()
		stale, fresh, foreign := "lectern-20260101T000000.000Z.db.partial", "lectern-20260102T000000.000Z.db.partial", "mine.partial"
		for _, name := range []string{stale, fresh, foreign} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{stale, foreign} {
			if err := os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Now().Add(-25*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		path, err := schema.Backup(t.Context(), s.Store, dir, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := namesIn(t, dir), []string{fresh, filepath.Base(path), foreign}; !slices.Equal(got, want) {
			t.Errorf("the directory holds %q, want %q", got, want)
		}
		out := filepath.Join(dir, "out.db")
		if err := os.WriteFile(out+".partial", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := schema.BackupTo(t.Context(), s.Store, out); err == nil || !strings.Contains(err.Error(), out+".partial exists: another backup is being written, or one was killed") {
			t.Errorf("beside a partial file: %v", err)
		}
	})
	t.Run("a relative folder like a URI", func(t *testing.T) {
		s := catalogtest.EmptySQLite(t)
		t.Chdir(t.TempDir())
		path, err := schema.Backup(t.Context(), s.Store, "file:x?mode=memory", time.Now())
		if info, statErr := os.Stat(path); err != nil || statErr != nil || info.Size() == 0 {
			t.Errorf("%q, %v, %v", path, err, statErr)
		}
	})
	t.Run("a folder that cannot be", func(t *testing.T) {
		s := catalogtest.EmptySQLite(t)
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := schema.Backup(t.Context(), s.Store, filepath.Join(file, "backups"), time.Now()); err == nil {
			t.Error("no error")
		}
	})
}

// namesIn are the names in a directory.
func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestBackupBesideThePlatform: the role of grants.sql, which may not read password hashes,
// backs up the schema lectern, and not a row of the platform's.
func TestBackupBesideThePlatform(t *testing.T) {
	owner := pgtest.Start(t)
	pgtest.Load(t, owner, catalogtest.PlatformSQL)
	grants, err := os.ReadFile("../../../configs/platform/grants.sql")
	if err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, owner, string(grants)+`; UPDATE public.accounts_customuser SET password = 'pbkdf2_sha256$720000$salt$hash'`)
	s := catalogtest.Migrate(t, catalogtest.Open(t, pgtest.As(t, owner, "lectern")))
	s.Exec(t, `INSERT INTO lectern.lectern_history (at, what) VALUES (now(), 'told in the backup')`)
	path, err := schema.Backup(t.Context(), s.Store, t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	script, err := exec.CommandContext(t.Context(), "pg_restore", "--file=-", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "told in the backup") {
		t.Error("a row of the schema lectern is not in the backup")
	}
	for _, absent := range []string{"CREATE TABLE public.", "COPY public.", "pbkdf2_sha256", "teacher1@ref.test"} {
		if strings.Contains(string(script), absent) {
			t.Errorf("the backup holds %q", absent)
		}
	}
}
