package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/config"
)

const testSecret = "a-secret-of-32-bytes-or-more-0123456789"

// TestMain lets the test binary be the gateway, for tests that need a process.
func TestMain(m *testing.M) {
	switch os.Getenv("LECTERN_TEST_PROCESS") {
	case "gateway":
		main()
	case "stuck":
		serveUntilStuck()
	default:
		os.Exit(m.Run())
	}
}

// runGateway runs a command in this process.
func runGateway(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env = append([]string{"LECTERN_DATA_DIR=" + t.TempDir()}, env...)
	code = config.Run(t.Context(), "gateway", description, &CLI{}, args, env, terminal{In: strings.NewReader(""), Out: &out, Err: &errs})
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	key := "LECTERN_AUTH_JWT_SECRET=" + testSecret
	notCredentials := t.TempDir() + "/credentials.json"
	if err := os.WriteFile(notCredentials, []byte(`{"type": "other", "private_key": "hidden"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says []string // on stderr
	}{
		{"version", nil, []string{"--version"}, 0, nil},
		{"help", nil, []string{"cache", "warm", "--help"}, 0, nil},
		{"unknown command", nil, []string{"sreve"}, 2, []string{"sreve"}},
		{"unknown flag", nil, []string{"serve", "--cache-sice=1"}, 2, []string{"cache-sice"}},
		{"no key", nil, nil, 2, []string{"auth-jwt-secret", "not set by --auth-jwt-secret"}},
		{"bad size", []string{key, "LECTERN_CACHE_SIZE=much"}, []string{"cache", "stats"}, 2, []string{"cache-size", "environment LECTERN_CACHE_SIZE"}},
		{"bad listener", []string{key}, []string{"--listen=here"}, 2, []string{"listen", "flag --listen"}},
		{"no such user", []string{key}, []string{"token", "--user=-1"}, 2, []string{"user", "flag --user"}},
		{"no lifetime", []string{key}, []string{"token", "--user=1", "--ttl=0s"}, 2, []string{"ttl", "flag --ttl"}},
		{"no such recording", []string{key}, []string{"token", "--user=1", "--recording=-2"}, 2, []string{"recording", "flag --recording"}},
		{"token without a key", nil, []string{"token", "--user=1"}, 2, []string{"auth-jwt-secret"}},
		{"not a database", []string{"LECTERN_DATABASE_URL=mysql://h/"}, []string{"migrate", "status"}, 2, []string{"database-url", "environment LECTERN_DATABASE_URL"}},
		{"database away", []string{"LECTERN_DATABASE_URL=postgres://u:hidden@127.0.0.1:1/d"}, []string{"catalog", "export"}, 1, []string{"gateway: "}},
		{"no such file", nil, []string{"catalog", "apply", "/nowhere/catalog.yaml"}, 1, []string{"/nowhere/catalog.yaml"}},
		{"credentials that cannot be read", []string{key, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=/nowhere/drive.json"}, []string{"serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}, 2,
			[]string{"origin-drive-credentials", "environment LECTERN_ORIGIN_DRIVE_CREDENTIALS", "/nowhere/drive.json"}},
		{"credentials of another kind", []string{key, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=" + notCredentials}, []string{"serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}, 2, []string{"origin-drive-credentials"}},
		{"credentials that are no JSON", []string{key, "LECTERN_ORIGIN_DRIVE_CREDENTIALS={hidden"}, []string{"serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}, 2, []string{"origin-drive-credentials"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := runGateway(t, c.env, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, stderr)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q lacks %q", stderr, want)
				}
			}
			if code == 2 && strings.Count(strings.TrimSpace(stderr), "\n") > 0 || strings.Contains(stderr, "hidden") {
				t.Errorf("several lines, or a secret: %q", stderr)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	_, stdout, stderr := runGateway(t, nil, "--version")
	version, commit := config.Version()
	if want := "gateway " + version + " (" + commit + ")\n"; stdout != want || stderr != "" {
		t.Errorf("%q, %q, want %q", stdout, stderr, want)
	}
}

// TestTokenPrintsOnlyTheToken: scripts use the output as it is.
func TestTokenPrintsOnlyTheToken(t *testing.T) {
	for _, args := range [][]string{{"token", "--user=7"}, {"token", "--user=7", "--recording=3", "--ttl=5m"}} {
		code, stdout, stderr := runGateway(t, []string{"LECTERN_AUTH_JWT_SECRET=" + testSecret}, args...)
		token, ok := strings.CutSuffix(stdout, "\n")
		if code != 0 || !ok || stderr != "" || strings.Count(token, ".") != 2 || strings.ContainsAny(token, " \n\t") {
			t.Errorf("%q: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
}

// TestCacheStatsMakesNothing: looking at a cache that is not there does not make it.
func TestCacheStatsMakesNothing(t *testing.T) {
	dir := t.TempDir()
	code, stdout, stderr := runGateway(t, []string{"LECTERN_CACHE_DIR=" + dir + "/cache"}, "cache", "stats")
	if code != 0 || !strings.Contains(stdout, "0 B of 10.0 GiB") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestMigrateInOddFolders: the backup is made and checked in the data directory, whatever
// its name.
func TestMigrateInOddFolders(t *testing.T) {
	for _, folder := range []string{"a%41b", "a?b", "a#b", "a b", "Папка", "it's"} {
		parent := t.TempDir()
		env := []string{"LECTERN_DATA_DIR=" + parent + "/" + folder}
		run := func(input string, args ...string) (int, string) {
			var out, errs bytes.Buffer
			code := config.Run(context.Background(), "gateway", description, &CLI{}, args, env, terminal{In: strings.NewReader(input), Out: &out, Err: &errs})
			return code, out.String() + errs.String()
		}
		for _, c := range []struct {
			input, args, says string
		}{
			{"", "migrate up", "applied"},
			{"people: [{email: a@b.example, role: student}]", "catalog apply -", "a@b.example"},
			{"", "migrate down --yes --no-backup", "took back"},
			{"", "migrate up --yes", "backup " + parent + "/" + folder + "/backups/"},
			{"", "migrate status", ""},
		} {
			if code, text := run(c.input, strings.Fields(c.args)...); code != 0 || !strings.Contains(text, c.says) {
				t.Errorf("%q: %s: exit code %d, %s", folder, c.args, code, text)
			}
		}
		if made, err := os.ReadDir(parent); err != nil || len(made) != 1 || made[0].Name() != folder {
			t.Errorf("%q: folders %v, %v", folder, made, err)
		}
	}
}

// TestBackupAndRestore: the commands print paths and say what to do; nothing is replaced
// without the word RESTORE, nor while a gateway is alive.
func TestBackupAndRestore(t *testing.T) {
	data, out := t.TempDir(), t.TempDir()+"/copy.db"
	env := []string{"LECTERN_DATA_DIR=" + data}
	run := func(input string, args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := config.Run(context.Background(), "gateway", description, &CLI{}, args, env, terminal{In: strings.NewReader(input), Out: &out, Err: &errs})
		return code, out.String() + errs.String()
	}
	person := func(name string) string { return "people: [{email: " + name + "@b.example, role: student}]" }
	for _, c := range []struct {
		input string
		args  string
		code  int
		says  string
	}{
		{"", "backup", 1, "nothing to back up"},
		{person("first"), "catalog apply -", 0, "first@"},
		{"", "backup --out " + out, 0, out + "\n"},
		{"", "backup --out " + out, 1, "exists"},
		{"", "backup", 0, data + "/backups/lectern-2"},
		{person("second"), "catalog apply -", 0, "second@"},
		{"", "restore " + out, 1, "nothing was changed"},
		{"MIGRATE\n", "restore " + out, 1, "nothing was changed"},
		{"", "catalog export", 0, "second@"},
		{"", "catalog export --user 1", 0, `{"user":1,"watched":[]}`},
		{"RESTORE\n", "restore " + data + "/lectern.yaml", 1, "no such file"},
		{"RESTORE\n", "restore " + out, 0, "backup " + data + "/backups/lectern-2"},
	} {
		if code, text := run(c.input, strings.Fields(c.args)...); code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s with input %q: exit code %d, %s", c.args, c.input, code, text)
		}
	}
	if _, text := run("", "catalog", "export"); !strings.Contains(text, "first@") || strings.Contains(text, "second@") {
		t.Errorf("after the restore the catalog is %s", text)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", info, err)
	}
	store, err := catalog.Open(t.Context(), "sqlite://"+data+"/lectern.db", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.DB().ExecContext(t.Context(), `INSERT INTO lectern_gateways (id, version, address, started_at, beat_at) VALUES ('host/1', '1', 'a', ?1, ?1)`,
		catalog.NewDBTime(time.Now())); err != nil {
		t.Fatal(err)
	}
	if code, text := run("RESTORE\n", "restore", out); code != 1 || !strings.Contains(text, "gateway host/1") {
		t.Errorf("beside a live gateway: exit code %d, %s", code, text)
	}
}

// TestNewerSchema: a database of a newer Lectern is a wrong setting to this one, which a
// restart does not mend.
func TestNewerSchema(t *testing.T) {
	data := t.TempDir()
	env := []string{"LECTERN_DATA_DIR=" + data, "LECTERN_AUTH_JWT_SECRET=" + testSecret}
	if code, _, stderr := runGateway(t, env, "migrate", "up"); code != 0 {
		t.Fatal(stderr)
	}
	store, err := catalog.Open(t.Context(), "sqlite://"+data+"/lectern.db", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.DB().ExecContext(t.Context(), `INSERT INTO lectern_schema (version, compatible_since, applied_at) VALUES (9999, NULL, '2026-11-20T10:00:00Z')`); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}, {"migrate", "up"}} {
		code, _, stderr := runGateway(t, env, args...)
		if code != 2 || !strings.Contains(stderr, "database-url: the database has version 9999") {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
	}
}

// TestMigrateAsks: data is changed only after the word MIGRATE and a backup.
func TestMigrateAsks(t *testing.T) {
	data := t.TempDir()
	env := []string{"LECTERN_DATA_DIR=" + data}
	run := func(input string, args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := config.Run(context.Background(), "gateway", description, &CLI{}, args, env, terminal{In: strings.NewReader(input), Out: &out, Err: &errs})
		return code, out.String() + errs.String()
	}
	if code, text := run("", "migrate", "up"); code != 0 || !strings.Contains(text, "applied") || strings.Contains(text, "MIGRATE") {
		t.Fatalf("a fresh database: exit code %d, %s", code, text)
	}
	if code, text := run("people: [{email: a@b.example, role: student}]", "catalog", "apply", "-"); code != 0 {
		t.Fatalf("exit code %d, %s", code, text)
	}
	for _, c := range []struct {
		input string
		args  []string
		code  int
		says  string
	}{
		{"", []string{"migrate", "down"}, 1, "nothing was changed"},
		{"yes\n", []string{"migrate", "down"}, 1, "nothing was changed"},
		{"MIGRATE\n", []string{"migrate", "down"}, 0, "took back"},
		{"", []string{"migrate", "up", "--yes", "--no-backup"}, 0, "applied"},
	} {
		if code, text := run(c.input, c.args...); code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%q with input %q: exit code %d, %s", c.args, c.input, code, text)
		}
	}
	if backups, _ := os.ReadDir(data + "/backups"); len(backups) == 0 {
		t.Error("no backup was made")
	}
}

// TestApplyCountsTheStorage: an account says what is stored once a catalog was applied, and a
// dry run writes nothing.
func TestApplyCountsTheStorage(t *testing.T) {
	data := t.TempDir()
	env := []string{"LECTERN_DATA_DIR=" + data}
	apply := func(size int, flags ...string) {
		document := fmt.Sprintf(`
people: [{email: t@b.example, role: teacher}]
groups: [{name: A, teacher: t@b.example}]
lessons: [{title: L, group: A, start: 2026-01-02T10:00:00Z, end: 2026-01-02T11:00:00Z}]
recordings: [{lesson: L, provider: local, key: l.mp4, status: ready, size: %d}]`, size)
		var errs bytes.Buffer
		args := append([]string{"catalog", "apply", "-"}, flags...)
		if code := config.Run(t.Context(), "gateway", description, &CLI{}, args, env, terminal{In: strings.NewReader(document), Out: io.Discard, Err: &errs}); code != 0 {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
	}
	for _, c := range []struct {
		size  int
		flags []string
		want  int64
	}{{1000, nil, 1000}, {2000, []string{"--dry-run"}, 1000}, {2000, nil, 2000}, {2000, nil, 2000}} {
		apply(c.size, c.flags...)
		store, err := catalog.Open(t.Context(), "sqlite://"+data+"/lectern.db", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var used, recordings int64
		err = store.Row(t.Context(), "test", `SELECT used_bytes, recordings_count FROM public.schedule_teacherstoragequota`, nil, &used, &recordings)
		store.Close()
		if err != nil || used != c.want || recordings != 1 {
			t.Errorf("size %d with %q: %d bytes in %d recordings, %v, want %d in 1", c.size, c.flags, used, recordings, err, c.want)
		}
	}
}
