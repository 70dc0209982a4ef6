package viewer

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/bench/link"
	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
)

// Lessons are the same clip, so often: each can be cold once.
type Lessons struct {
	Gateway string // the program
	Clip    []byte // an MP4
	Count   int
	// Latency and Rate are the Drive's: before each answer, and bytes per second and connection.
	Latency time.Duration
	Rate    int64
}

// Site is a running gateway, in front of a Drive that has the lessons, and its only viewer.
type Site struct {
	URL   *url.URL
	token string
	logs  lastLines
	stop  []func()
}

// lastLines keeps the end of a log. Its methods may be called from several goroutines.
type lastLines struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

// keptLines is how much of the gateway's log a failure's report has.
const keptLines = 40

func (l *lastLines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines[max(0, len(l.lines)-keptLines+1):], line)
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// Logs returns the end of the gateway's log.
func (s *Site) Logs() string { return "gateway:\n" + s.logs.String() + "\n" }

// Serve starts a gateway with its files below dir, at the far end of line, or without one on the
// loopback interface.
func (l Lessons) Serve(ctx context.Context, dir string, line *link.Link) (_ *Site, err error) {
	s := &Site{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	listen, start, host := network(line)
	drive, err := listen()
	if err != nil {
		return nil, err
	}
	emulated := driveemu.New()
	emulated.SetDefaults(driveemu.Faults{Latency: l.Latency, Rate: l.Rate})
	for i := range l.Count {
		emulated.Put(driveemu.File{ID: lessonKey(i), Name: lessonKey(i) + ".mp4", MimeType: "video/mp4", Content: emulator.Bytes(l.Clip)})
	}
	server := &http.Server{Handler: origin.Latent(emulated), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(drive) }() // ends with Close
	s.stop = append(s.stop, func() { _ = server.Close() })
	environ := append(os.Environ(),
		"LECTERN_DATA_DIR="+dir, "LECTERN_CACHE_MIN_FREE=0", "LECTERN_LISTEN="+host+":0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0", "LECTERN_LOG_FORMAT=json",
		"LECTERN_ORIGIN_DRIVE_ENDPOINT=http://"+drive.Addr().String(), "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none",
		"LECTERN_AUTH_JWT_SECRET="+rand.Text()+rand.Text(), "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=1000000")
	document := filepath.Join(dir, "catalog.yaml")
	if err := os.WriteFile(document, l.catalog(), 0o600); err != nil {
		return nil, err
	}
	if _, err := l.command(ctx, environ, "catalog", "apply", document); err != nil {
		return nil, err
	}
	if s.token, err = l.command(ctx, environ, "token", "--user", "2", "--ttl", "12h"); err != nil {
		return nil, err
	}
	return s, s.run(ctx, start, l.Gateway, environ)
}

// network is how to listen, how to start processes and what the address is at the far end of a line;
// nil is the loopback interface.
func network(line *link.Link) (listen func() (net.Listener, error), start func(func() error) error, host string) {
	if line != nil {
		return line.Listen, line.Start, line.Far()
	}
	return func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }, func(f func() error) error { return f() }, "127.0.0.1"
}

func lessonKey(i int) string { return "lesson-" + strconv.Itoa(i) }

func (l Lessons) catalog() []byte {
	var b strings.Builder
	b.WriteString(`people:
  - {id: 1, email: teacher@bench.lectern, role: teacher}
  - {id: 2, email: student@bench.lectern, role: student}
groups:
  - {name: Class, teacher: teacher@bench.lectern, students: [student@bench.lectern]}
lessons:
  - {title: Lesson, group: Class, teacher: teacher@bench.lectern, start: "2026-11-16T10:00:00Z", end: "2026-11-16T11:00:00Z", record: true}
recordings:
`)
	for i := range l.Count {
		fmt.Fprintf(&b, "  - {id: %d, lesson: Lesson, title: Lesson, status: ready, visibility: lesson_group, provider: gdrive, key: %s}\n", i+1, lessonKey(i))
	}
	return []byte(b.String())
}

// command runs one of the gateway's commands to its end and returns what it writes.
func (l Lessons) command(ctx context.Context, environ []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, l.Gateway, args...)
	cmd.Env = environ
	out, err := cmd.Output()
	if err != nil {
		var ended *exec.ExitError
		if errors.As(err, &ended) {
			err = fmt.Errorf("%w\n%s", err, ended.Stderr)
		}
		return "", fmt.Errorf("gateway %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// run starts the gateway and waits until its line says where it listens.
func (s *Site) run(ctx context.Context, start func(func() error) error, program string, environ []string) error {
	cmd := exec.CommandContext(ctx, program, "serve")
	cmd.Env = environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	logged, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := start(cmd.Start); err != nil {
		return err
	}
	s.stop = append(s.stop, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(logged)
	for lines.Scan() {
		s.logs.add(lines.Text())
		var line struct{ Msg, Public string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			go func() { // ends with the process
				for lines.Scan() {
					s.logs.add(lines.Text())
				}
				_, _ = io.Copy(io.Discard, logged) // behind a line that is too long
			}()
			s.URL, err = url.Parse("http://" + line.Public)
			return err
		}
	}
	return fmt.Errorf("the gateway does not listen: %s", &s.logs)
}

// Address is a lesson's, counted from 0, with the token that opens it.
func (s *Site) Address(lesson int) string {
	return s.URL.JoinPath("watch", strconv.Itoa(lesson+1)).String() + "#token=" + s.token
}

// Close ends the gateway and the Drive.
func (s *Site) Close() {
	for i := len(s.stop) - 1; i >= 0; i-- {
		s.stop[i]()
	}
	s.stop = nil
}

// MakeClip has ffmpeg make a lesson as Zoom records a screen: its index in front, a key frame
// every four seconds, kilobits of picture a second.
func MakeClip(ctx context.Context, dir string, length time.Duration, kilobits int) ([]byte, error) {
	out := filepath.Join(dir, "clip.mp4")
	seconds, rate := strconv.Itoa(int(length.Seconds())), strconv.Itoa(kilobits)+"k"
	cmd := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=15:duration="+seconds,
		"-f", "lavfi", "-i", "sine=frequency=440:duration="+seconds, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "60",
		"-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", rate, "-nal-hrd", "cbr", "-c:a", "aac", "-movflags", "+faststart", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("ffmpeg: %w\n%s", err, text)
	}
	return os.ReadFile(out)
}
