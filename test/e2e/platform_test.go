package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// TestBesideThePlatform runs the gateway on a copy of the platform's own
// database with its demo data, which Lectern must not change.
func TestBesideThePlatform(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	psql := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "psql", append([]string{"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", database}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("psql: %v\n%s", err, out)
		}
		return string(out)
	}
	psql("-f", "../../internal/catalog/catalogtest/lectiospace.sql")
	const columns = "select table_name, column_name, data_type from information_schema.columns where table_schema = 'public' order by 1, 2"
	before := psql("-c", columns)

	drive := driveemu.New()
	content := []byte("the bytes of an archived lesson")
	for _, id := range []string{"drv006", "drv007", "drv010", "drv017", "drv022"} {
		drive.Put(driveemu.File{ID: id, Name: id + ".mp4", MimeType: "video/mp4", Content: emulator.Bytes(content)})
	}
	server := httptest.NewServer(drive)
	defer server.Close()
	psql("-f", "../../configs/platform/grants.sql")
	dataDir := t.TempDir()
	env := []string{
		"LECTERN_DATA_DIR=" + dataDir, "LECTERN_DATABASE_URL=" + pgtest.As(t, database, "lectern"), "LECTERN_CACHE_MIN_FREE=0",
		"LECTERN_ORIGIN_DRIVE_ENDPOINT=" + server.URL, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none",
		"LECTERN_AUTH_JWT_SECRET=" + secret,
	}
	if _, stderr := command(t, env, 1, "gateway", "serve"); !bytes.Contains([]byte(stderr), []byte("migrate up")) {
		t.Errorf("without the schema serve says %q, which does not name what to run", stderr)
	}
	// The platform's rows are not Lectern's to lose: nobody is asked, and none of them gets
	// into a file of Lectern's.
	if out, _ := command(t, env, 0, "gateway", "migrate", "up"); !strings.Contains(out, "applied") || strings.Contains(out, "backup") {
		t.Errorf("migrate up: %s", out)
	}
	if _, err := os.Stat(filepath.Join(dataDir, "backups")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the backups' directory: %v", err)
	}
	if after := psql("-c", columns); after != before {
		t.Error("migrate up changed the platform's tables")
	}

	g := serve(t, env...)
	for _, c := range []struct {
		what      string
		user      int
		recording int
		status    int
		code      string
	}{
		{"admin, anything", 1, 6, 200, ""},
		{"lesson's teacher", 3, 6, 200, ""},
		{"another teacher", 4, 6, 403, "no_access"},
		{"student of the group", 5, 6, 200, ""},
		{"student of another group", 9, 6, 403, "no_access"},
		{"all groups of the teacher", 9, 7, 200, ""},
		{"custom_students: the group alone does not open it", 5, 10, 403, "no_access"},
		{"custom_students: the listed one", 10, 10, 200, ""},
		{"standalone for all groups", 9, 17, 200, ""},
		{"inactive", 14, 6, 401, "user_inactive"},
		{"expired, student", 5, 22, 410, "expired"},
		{"expired, owner", 3, 22, 200, ""},
		{"processing", 5, 1, 409, "processing"},
		{"failed", 5, 4, 404, "no_media"},
		{"deleted", 5, 5, 404, "not_found"},
		{"soft-deleted but ready", 3, 27, 404, "not_found"},
		{"local without a key", 3, 14, 404, "no_media"},
	} {
		t.Run(c.what, func(t *testing.T) {
			res, body := get(t, fmt.Sprintf("%s/schedule/api/recordings/%d/stream/", g.url, c.recording), token(t, "--user", fmt.Sprint(c.user)), "")
			if res.StatusCode != c.status || (c.code != "" && !bytes.Contains(body, []byte(`"code":"`+c.code+`"`))) {
				t.Errorf("%s %s, want %d %s", res.Status, body, c.status, c.code)
			}
			if c.status == 200 && !bytes.Equal(body, content) {
				t.Errorf("got %q", body)
			}
		})
	}

	// The platform's tables carry no triggers of ours: NOTIFY is what an operator
	// may add, and one by hand takes effect within a second.
	student := token(t, "--user", "5")
	url := g.url + "/schedule/api/recordings/6/stream/"
	if res, _ := get(t, url, student, ""); res.StatusCode != 200 {
		t.Fatalf("before the change: %s", res.Status)
	}
	psql("-c", "delete from schedule_group_students where customuser_id = 5; notify lectern_changed")
	changed := time.Now()
	waitFor(t, "refusal after NOTIFY", func() bool { res, _ := get(t, url, student, ""); return res.StatusCode == 403 })
	t.Logf("refused %v after NOTIFY", time.Since(changed).Round(time.Millisecond))
}
