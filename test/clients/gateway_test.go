package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/demo/lessons"
	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
)

// bin is the directory of the gateway's binary.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "lectern-clients-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		args := []string{"build", "-ldflags=-s -w", "-o", dir}
		if raceEnabled {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, "./cmd/gateway")...)
		build.Dir = filepath.Join("..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the gateway: %v\n%s", err, out)
			return 1
		}
		code := m.Run()
		if path := os.Getenv("CLIENTS_TABLE"); path != "" {
			var text bytes.Buffer
			results.print(&text)
			if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
		return code
	}())
}

// secret signs the tokens of all tests.
const secret = "a-secret-of-the-tests-that-is-long-enough-0123456789"

// The recordings of the catalog: a lesson to play, and bytes to download.
const (
	lessonPath   = "/api/recordings/1/stream/"
	downloadPath = "/api/recordings/2/stream/"
)

// downloadSize is that of the recording to download: several chunks of the cache, the last of
// them short.
const downloadSize = 9<<20 + 12345

// lesson is the file of lessonPath in package lessons, of five minutes.
const lesson = "history.mp4"

// gateway is a running gateway whose recordings are on an emulated Drive.
type gateway struct {
	*wire
	settings []string
	file     string // a copy of the lesson
	download []byte // the bytes of downloadPath
}

// serve starts a gateway. Pages of the origin may read its streams.
func serve(t *testing.T, origin string) *gateway {
	t.Helper()
	media := t.TempDir()
	if err := lessons.WriteTo(media); err != nil {
		t.Fatal(err)
	}
	g := &gateway{file: filepath.Join(media, lesson), download: make([]byte, downloadSize)}
	content, err := os.ReadFile(g.file)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = rand.NewChaCha8([32]byte{1}).Read(g.download)
	drive := driveemu.New()
	drive.Put(driveemu.File{ID: "lesson-file", Name: "lesson.mp4", MimeType: "video/mp4", Content: emulator.Bytes(content)})
	drive.Put(driveemu.File{ID: "download-file", Name: "download.mp4", MimeType: "video/mp4", Content: emulator.Bytes(g.download)})
	api := httptest.NewServer(drive)
	t.Cleanup(api.Close)
	data := t.TempDir()
	g.settings = []string{
		"LECTERN_DATA_DIR=" + data, "LECTERN_CACHE_MIN_FREE=0", "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0", "LECTERN_LOG_FORMAT=json",
		"LECTERN_AUTH_JWT_SECRET=" + secret, "LECTERN_LIMIT_STREAMS_PER_USER=60", "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=100000",
		"LECTERN_ORIGIN_DRIVE_ENDPOINT=" + api.URL, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none",
	}
	if origin != "" {
		g.settings = append(g.settings, "LECTERN_CORS_ORIGINS="+origin)
	}
	catalog := filepath.Join(data, "catalog.yaml")
	if err := os.WriteFile(catalog, []byte(`
people:
  - {email: teacher@school.test, role: teacher, first_name: Tamara}
  - {email: student@school.test, role: student}
groups:
  - {name: Math A, teacher: teacher@school.test, students: [student@school.test]}
lessons:
  - {title: History, group: Math A, teacher: teacher@school.test, start: "2026-11-20T10:00:00Z", end: "2026-11-20T11:00:00Z", record: true}
  - {title: Algebra, group: Math A, teacher: teacher@school.test, start: "2026-11-21T10:00:00Z", end: "2026-11-21T11:00:00Z", record: true}
recordings:
  - {lesson: History, status: ready, visibility: lesson_group, provider: gdrive, key: lesson-file, duration: 300}
  - {lesson: Algebra, status: ready, visibility: lesson_group, provider: gdrive, key: download-file}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	g.run(t, "catalog", "apply", catalog)
	g.wire = newWire(t, g.start(t))
	return g
}

// environment is that of the gateway's programs, without the settings of the shell that runs the tests.
func (g *gateway) environment() []string {
	env := []string{"GORACE=atexit_sleep_ms=0 halt_on_error=1"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "LECTERN_") && !strings.HasPrefix(e, "OTEL_") {
			env = append(env, e)
		}
	}
	return append(env, g.settings...)
}

// run runs a command of the gateway and returns what it writes.
func (g *gateway) run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "gateway"), args...)
	cmd.Env = g.environment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gateway %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// start starts `gateway serve`, which ends with the test, and returns its address.
func (g *gateway) start(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "gateway"), "serve")
	cmd.Env = g.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addresses := make(chan string, 1)
	var reader sync.WaitGroup
	var log bytes.Buffer // readable after reader
	reader.Go(func() {
		defer close(addresses)
		scan := bufio.NewScanner(stderr)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			log.Write(append(scan.Bytes(), '\n'))
			var line struct{ Msg, Public string }
			if json.Unmarshal(scan.Bytes(), &line) == nil && line.Msg == "listening" {
				addresses <- line.Public
			}
		}
	})
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		reader.Wait()
		err := cmd.Wait()
		if err != nil {
			t.Errorf("gateway serve: %v", err)
		}
		if t.Failed() {
			text := log.String()
			t.Logf("the gateway wrote:\n%s", text[max(0, len(text)-20_000):])
		}
	})
	select {
	case address := <-addresses:
		if address != "" {
			return address
		}
	case <-time.After(time.Minute):
	}
	t.Fatal("the gateway does not listen")
	return ""
}

// access makes an access token of the student, playback one for a recording.
func (g *gateway) access(t *testing.T, ttl string) string {
	t.Helper()
	return g.run(t, "token", "--user", "2", "--ttl", ttl)
}

func (g *gateway) playback(t *testing.T, recording, ttl string) string {
	t.Helper()
	return g.run(t, "token", "--user", "2", "--ttl", ttl, "--recording", recording)
}

// expired makes a link that has expired. Whether it has is asked beside the wire.
func (g *gateway) expired(t *testing.T, path string) string {
	t.Helper()
	path += "?token=" + g.access(t, "1s")
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		res, err := http.Head("http://" + g.target + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode == http.StatusUnauthorized {
			return g.url(path)
		}
	}
	t.Fatal("a token of a second is still valid after a minute")
	return ""
}
