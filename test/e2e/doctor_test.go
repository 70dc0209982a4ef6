package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/pgtest"
)

type finding struct{ Check, Status, Detail, Fix string }

// runDoctor runs the doctor and gives its findings by check; the last of one name counts.
func runDoctor(t *testing.T, code int, env ...string) map[string]finding {
	t.Helper()
	env = append([]string{"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0", "LECTERN_CACHE_MIN_FREE=0", "LECTERN_CACHE_SIZE=1MiB"}, env...)
	out, _ := command(t, env, code, "gateway", "doctor", "--json")
	var list []finding
	decode := json.NewDecoder(strings.NewReader(out))
	decode.DisallowUnknownFields()
	if err := decode.Decode(&list); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	found := map[string]finding{}
	for _, f := range list {
		if f.Status != "PASS" && f.Fix == "" {
			t.Errorf("%+v does not say what to do", f)
		}
		found[f.Check] = f
	}
	return found
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	remote := httptest.NewServer(driveemu.New())
	defer remote.Close()
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "lectern.db"), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	key := "LECTERN_AUTH_JWT_SECRET=" + secret
	fresh := t.TempDir()
	for _, c := range []struct {
		name   string
		env    []string
		code   int
		check  string
		status string
		says   string
	}{
		{"fresh", []string{key, "LECTERN_DATA_DIR=" + fresh}, 0, "query tokens", "WARN", "?token="},
		{"no key", nil, 2, "configuration", "FAIL", "auth-jwt-secret"},
		{"Drive", []string{key, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_ORIGIN_DRIVE_ENDPOINT=" + remote.URL}, 0, "origin drive", "PASS", "answers"},
		{"Drive away", []string{key, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_ORIGIN_DRIVE_ENDPOINT=http://127.0.0.1:1"}, 1, "origin drive", "FAIL", "refused"},
		{"not credentials", []string{key, `LECTERN_ORIGIN_DRIVE_CREDENTIALS={"a": "hidden"}`}, 2, "origin drive", "FAIL", "origin-drive-credentials"},
		{"broken database", []string{key, "LECTERN_DATA_DIR=" + broken}, 1, "database", "FAIL", "not a database"},
		{"database away", []string{key, "LECTERN_DATABASE_URL=postgres://u:hidden@127.0.0.1:1/d"}, 1, "database", "FAIL", ""},
		{"port taken", []string{key, "LECTERN_LISTEN=" + taken.Addr().String()}, 1, "listen", "FAIL", "in use"},
		{"http", []string{key, "LECTERN_PUBLIC_URL=http://lessons.example"}, 0, "public url", "WARN", "not https"},
		{"weak key", []string{"LECTERN_AUTH_JWT_SECRET=" + strings.Repeat("ab", 20)}, 0, "jwt secret", "WARN", "few"},
		{"key server away", []string{"LECTERN_AUTH_JWKS_URL=http://127.0.0.1:1/", "LECTERN_AUTH_PLAYBACK_SECRET=" + secret}, 1, "jwks", "FAIL", "cannot be fetched"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := runDoctor(t, c.code, c.env...)[c.check]
			if got.Status != c.status || !strings.Contains(got.Detail, c.says) || strings.Contains(got.Detail+got.Fix, "hidden") {
				t.Errorf("%+v, want %s saying %q", got, c.status, c.says)
			}
		})
	}
	if left, err := os.ReadDir(fresh); err != nil || len(left) != 0 {
		t.Errorf("the doctor left %v, %v", left, err)
	}
}

// TestSecretFileWithAMark: invisible bytes of a secret file are no part of the key, and
// doctor names the file's setting.
func TestSecretFileWithAMark(t *testing.T) {
	t.Parallel()
	file, err := filepath.Abs("testdata/secret-with-mark.txt")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	clean := strings.TrimSpace(strings.TrimPrefix(string(content), "\ufeff"))
	env := []string{"LECTERN_DATA_DIR=" + t.TempDir(), "LECTERN_CACHE_MIN_FREE=0", "LECTERN_AUTH_JWT_SECRET_FILE=" + file}
	g := serve(t, env...)
	for key, want := range map[string]string{clean: "user_not_found", secret: "token_not_valid"} {
		token, _ := command(t, []string{"LECTERN_AUTH_JWT_SECRET=" + key}, 0, "gateway", "token", "--user=999")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/schedule/api/recordings/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%d %s %v, want %s", res.StatusCode, body, err, want)
		}
	}
	warned := false
	for _, f := range runDoctor(t, 0, "LECTERN_DATA_DIR="+t.TempDir(), "LECTERN_AUTH_JWT_SECRET_FILE="+file) {
		warned = warned || f.Status == "WARN" && strings.Contains(f.Detail, "auth-jwt-secret") && !strings.Contains(f.Detail, clean)
	}
	if !warned {
		t.Error("doctor does not warn")
	}
}

// TestUnreadableCredentials: exit 2 and the setting's name, from each command that needs
// the file.
func TestUnreadableCredentials(t *testing.T) {
	t.Parallel()
	missing := "LECTERN_ORIGIN_DRIVE_CREDENTIALS=" + filepath.Join(t.TempDir(), "missing.json")
	for _, c := range [][]string{{"gateway", "doctor"}, {"gateway", "serve"}, {"syncer", "doctor"}, {"syncer", "serve"}} {
		env := []string{missing, "LECTERN_AUTH_JWT_SECRET=" + secret, "LECTERN_ZOOM_WEBHOOK_SECRET=x", "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0"}
		_, complaint := command(t, env, 2, c[0], c[1])
		if !strings.Contains(complaint, "origin-drive-credentials") || strings.Count(complaint, "\n") != 1 {
			t.Errorf("%v: %s", c, complaint)
		}
	}
}

// TestDoctorBesideARunningGateway: what the gateway itself holds is no fault.
func TestDoctorBesideARunningGateway(t *testing.T) {
	t.Parallel()
	dir := "LECTERN_DATA_DIR=" + t.TempDir()
	g := serve(t, dir, "LECTERN_CACHE_MIN_FREE=0")
	for check, f := range runDoctor(t, 0, dir, "LECTERN_AUTH_JWT_SECRET="+secret,
		"LECTERN_LISTEN="+strings.TrimPrefix(g.url, "http://"), "LECTERN_ADMIN_LISTEN="+strings.TrimPrefix(g.admin, "http://")) {
		if f.Status == "FAIL" {
			t.Errorf("%s: %+v", check, f)
		}
	}
	// From another gateway's settings the same directory is taken.
	if f := runDoctor(t, 1, dir, "LECTERN_AUTH_JWT_SECRET="+secret)["cache lock"]; f.Status != "FAIL" {
		t.Errorf("%+v", f)
	}
}

func TestDoctorBesideThePlatform(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	psql := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "psql", append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", database}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("psql: %v\n%s", err, out)
		}
	}
	psql("-f", "../../internal/catalog/catalogtest/lectiospace.sql")
	env := []string{"LECTERN_AUTH_JWT_SECRET=" + secret, "LECTERN_DATABASE_URL=" + database}
	if f := runDoctor(t, 1, env...)["schema"]; f.Status != "FAIL" || !strings.Contains(f.Fix, "gateway migrate up") {
		t.Errorf("%+v", f)
	}
	command(t, env, 0, "gateway", "migrate", "up", "--yes", "--no-backup")
	if f := runDoctor(t, 0, env...)["schema"]; f.Status != "PASS" || !strings.Contains(f.Detail, "platform") {
		t.Errorf("%+v", f)
	}
	psql("-c", "ALTER TABLE schedule_lessonrecording RENAME COLUMN archive_key TO key; ALTER TABLE schedule_lesson ALTER COLUMN record_lesson TYPE text")
	// Whoever migrates meets the same, before anything is touched.
	if out, _ := command(t, env, 0, "gateway", "migrate", "down", "--yes", "--no-backup"); !strings.Contains(out, "took back") {
		t.Errorf("down: %s", out)
	}
	if out, _ := command(t, env, 1, "gateway", "migrate", "up", "--yes", "--no-backup"); !strings.Contains(out, "FAIL schedule_lessonrecording.archive_key is missing\n") {
		t.Errorf("up: %s", out)
	}
	out, _ := command(t, append(env, "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0"), 1, "gateway", "doctor")
	for _, want := range []string{"schedule_lessonrecording.archive_key is missing", "schedule_lesson.record_lesson is text and should be boolean"} {
		if !strings.Contains(out, "FAIL  columns") || !strings.Contains(out, want) {
			t.Errorf("%q is not said in\n%s", want, out)
		}
	}
}
