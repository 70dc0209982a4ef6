package e2e

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
)

// driveFixture is a Drive with one large recording and a catalog that lists it.
type driveFixture struct {
	drive *driveemu.Server
	env   []string // settings of a gateway for this fixture
	data  string
	bytes []byte // of the lesson
}

const lessonPath = "/api/recordings/1/stream/"

// newSchool fills a Drive emulator with size random bytes and a SQLite catalog.
func newDriveFixture(tb testing.TB, size int) *driveFixture {
	tb.Helper()
	s := &driveFixture{drive: driveemu.New(), data: tb.TempDir(), bytes: make([]byte, size)}
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(s.bytes)
	s.drive.Put(driveemu.File{ID: "lesson-file", Name: "lesson.mp4", MimeType: "video/mp4", Content: emulator.Bytes(s.bytes)})
	server := httptest.NewServer(s.drive)
	tb.Cleanup(server.Close)
	s.env = []string{
		"LECTERN_DATA_DIR=" + s.data, "LECTERN_CACHE_MIN_FREE=0", "LECTERN_LIMIT_STREAMS_PER_USER=60",
		"LECTERN_ORIGIN_DRIVE_ENDPOINT=" + server.URL, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none",
	}
	doc := filepath.Join(tb.TempDir(), "catalog.yaml")
	if err := os.WriteFile(doc, []byte(`
people:
  - {email: teacher@school.test, role: teacher, first_name: Tamara}
  - {email: student@school.test, role: student}
  - {email: stranger@school.test, role: student}
groups:
  - {name: Math A, teacher: teacher@school.test, students: [student@school.test]}
lessons:
  - {title: Algebra, group: Math A, teacher: teacher@school.test, start: "2026-11-20T10:00:00Z", end: "2026-11-20T11:00:00Z", record: true}
recordings:
  - {lesson: Algebra, title: "Алгебра", status: ready, visibility: lesson_group, provider: gdrive, key: lesson-file}
`), 0o600); err != nil {
		tb.Fatal(err)
	}
	command(tb, s.env, 0, "gateway", "catalog", "apply", doc)
	return s
}

// TestColdWarmCrowd plays one cold lesson to fifty people at once: everybody
// gets the right bytes and Drive is asked for each byte once.
func TestColdWarmCrowd(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	s := newDriveFixture(t, size)
	s.drive.SetDefaults(driveemu.Faults{Latency: 50 * time.Millisecond})
	g := serve(t, s.env...)
	student := token(t, "--user", "2")

	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+lessonPath, nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+student)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			same, err := sameBytes(res.Body, s.bytes)
			if err != nil || res.StatusCode != http.StatusOK || !same {
				t.Errorf("viewer %d: %v, %v, right bytes %v", i, res.Status, err, same)
			}
		})
	}
	group.Wait()
	stats := s.drive.Stats()
	t.Logf("origin bytes / size = %.4f in %d media requests", float64(stats.BytesSent)/size, stats.MediaRequests)
	if float64(stats.BytesSent) > 1.01*size {
		t.Errorf("Drive sent %d bytes for a file of %d", stats.BytesSent, size)
	}
	if stats.OpenEnded != 0 {
		t.Errorf("%d open-ended ranges were asked of Drive", stats.OpenEnded)
	}

	res, body := get(t, g.url+lessonPath, student, "bytes=1000000-1999999")
	if got := res.Header.Get("Cache-Status"); got != "lectern; hit" || !bytes.Equal(body, s.bytes[1000000:2000000]) {
		t.Errorf("warm range: Cache-Status %q, right bytes %v", got, bytes.Equal(body, s.bytes[1000000:2000000]))
	}
	if after := s.drive.Stats(); after.BytesSent != stats.BytesSent {
		t.Errorf("a warm range asked Drive for %d bytes", after.BytesSent-stats.BytesSent)
	}
	_, metrics := get(t, g.admin+"/metrics", "", "")
	for _, name := range []string{"lectern_stream_requests_total", "lectern_stream_bytes_total", "lectern_stream_first_byte_seconds_bucket",
		"lectern_streams_active", "lectern_cache_bytes", "lectern_cache_capacity_bytes", "lectern_cache_chunks_total", "lectern_cache_state",
		"lectern_origin_requests_total", "lectern_origin_bytes_total", "lectern_origin_first_byte_seconds_bucket",
		"lectern_auth_total", "lectern_limited_total", "lectern_build_info"} {
		if !bytes.Contains(metrics, []byte("\n"+name)) {
			t.Errorf("metric %s is missing", name)
		}
	}
	if log := g.stderr.String(); strings.Contains(log, student) {
		t.Error("a token stands in the log")
	}
}

// sameBytes compares a body with what it should be, without keeping it.
func sameBytes(body io.Reader, want []byte) (bool, error) {
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		if n > len(want) || !bytes.Equal(buf[:n], want[:n]) {
			return false, nil
		}
		want = want[n:]
		if err == io.EOF {
			return len(want) == 0, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// TestRefusals asks as everybody who must not get in.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newDriveFixture(t, 1<<20)
	g := serve(t, s.env...)
	for _, c := range []struct {
		name, path, token string
		status            int
		code              string
	}{
		{"nobody", lessonPath, "", 401, "not_authenticated"},
		{"rubbish", lessonPath, "rubbish", 401, "token_not_valid"},
		{"unknown user", lessonPath, token(t, "--user", "99"), 401, "user_not_found"},
		{"not in the group", lessonPath, token(t, "--user", "3"), 403, "no_access"},
		{"no such recording", "/api/recordings/77/stream/", token(t, "--user", "2"), 404, "not_found"},
		{"playback of another", lessonPath, token(t, "--user", "2", "--recording", "5"), 403, "wrong_recording"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := get(t, g.url+c.path, c.token, "")
			if res.StatusCode != c.status || !bytes.Contains(body, []byte(`"code":"`+c.code+`"`)) {
				t.Errorf("%s %s, want %d %s", res.Status, body, c.status, c.code)
			}
		})
	}
	res, body := get(t, g.url+lessonPath+"?token="+token(t, "--user", "2", "--recording", "1"), "", "bytes=-10")
	if res.StatusCode != 206 || !bytes.Equal(body, s.bytes[len(s.bytes)-10:]) {
		t.Errorf("playback token in the query: %s", res.Status)
	}
}

// TestDrain lets a running stream finish after SIGTERM while nobody new gets in.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := newDriveFixture(t, 8<<20)
	s.drive.SetDefaults(driveemu.Faults{Rate: 4 << 20})
	g := serve(t, s.env...)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+lessonPath, nil)
	req.Header.Set("Authorization", "Bearer "+token(t, "--user", "2"))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(body, s.bytes) {
		t.Errorf("the running stream got %d bytes: %v", len(body), err)
	}
	<-g.done
	if g.err != nil {
		t.Errorf("exit: %v", g.err)
	}
}

// TestUsage shows that wrong settings are named and end with exit code 2.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"no key", nil, []string{"serve"}, "auth-jwt-secret"},
		{"short key", []string{"LECTERN_AUTH_JWT_SECRET=short"}, []string{"serve"}, "auth-jwt-secret"},
		{"bad size", []string{"LECTERN_CACHE_SIZE=lots"}, []string{"serve"}, "LECTERN_CACHE_SIZE"},
		{"unknown flag", nil, []string{"serve", "--cache-sice=1"}, "cache-sice"},
		{"no user", nil, []string{"token"}, "--user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, stderr := command(t, c.env, 2, "gateway", c.args...)
			if !strings.Contains(stderr, c.want) || strings.Count(strings.TrimSpace(stderr), "\n") > 0 {
				t.Errorf("stderr %q, want one line with %q", stderr, c.want)
			}
		})
	}
}
