package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/demo/lessons"
	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
)

const webhookSecret = "the-benchmarks-webhook-secret"

// fixture is an emulated Zoom and Drive with a catalog that has the meetings' lessons.
type fixture struct {
	dir   string
	env   []string
	zoom  *zoomemu.Server
	drive *driveemu.Server
	http  *httptest.Server
	now   time.Time
}

// newFixture creates teachers with lessonsEach lessons each in an empty database.
func newFixture(o options, teachers, lessonsEach int) (*fixture, error) {
	dir, err := os.MkdirTemp(o.dir, "syncbench-")
	if err != nil {
		return nil, err
	}
	s := &fixture{dir: dir, zoom: zoomemu.New(), drive: driveemu.New(), now: time.Now().UTC().Truncate(time.Minute)}
	s.drive.SpoolIn(dir)
	s.http = httptest.NewServer(s.drive)
	if err := s.zoom.Start(); err != nil {
		return nil, err
	}
	database := o.database
	if database == "" {
		database = "sqlite://" + filepath.Join(dir, "lectern.db")
	}
	s.env = []string{
		"LECTERN_DATA_DIR=" + dir, "LECTERN_DATABASE_URL=" + database, "LECTERN_LISTEN=" + freeAddress(), "LECTERN_ADMIN_LISTEN=" + freeAddress(),
		"LECTERN_ORIGIN_DRIVE_ENDPOINT=" + s.http.URL, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none",
		"LECTERN_ZOOM_API_URL=" + s.zoom.APIURL(), "LECTERN_ZOOM_OAUTH_URL=" + s.zoom.OAuthURL(), "LECTERN_ZOOM_DOWNLOAD_HOSTS=127.0.0.1",
		"LECTERN_ZOOM_WEBHOOK_SECRET=" + webhookSecret, "LECTERN_SYNC_SETTLE=0s", "LECTERN_SYNC_DELETE_FROM_ZOOM=false", "LECTERN_LOG_LEVEL=warn",
		"LECTERN_AUTH_JWT_SECRET=" + strings.Repeat("benchmark", 5),
	}
	var people, groups, all strings.Builder
	for t := range teachers {
		s.zoom.AddAccount(zoomemu.Account{ID: fmt.Sprintf("acc-%d", t), ClientID: fmt.Sprintf("client-%d", t), ClientSecret: "secret", Owner: fmt.Sprintf("host-%d", t)})
		fmt.Fprintf(&people, "  - {email: t%d@bench.test, role: teacher, zoom_account_id: acc-%d, zoom_client_id: client-%d, zoom_client_secret: secret, gdrive_folder_id: shared-folder}\n", t, t, t)
		fmt.Fprintf(&groups, "  - {name: Group %d, teacher: t%d@bench.test}\n", t, t)
		for i := range lessonsEach {
			at := s.lessonAt(i)
			fmt.Fprintf(&all, "  - {title: Lesson %d of %d, group: Group %d, teacher: t%d@bench.test, start: %s, end: %s, zoom_meeting_id: %d, record: true}\n",
				i, t, t, t, at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339), meetingID(t, i))
		}
	}
	doc := filepath.Join(dir, "catalog.yaml")
	if err := os.WriteFile(doc, []byte("people:\n"+people.String()+"groups:\n"+groups.String()+"lessons:\n"+all.String()), 0o600); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"migrate", "up", "--yes"}, {"catalog", "apply", doc}} {
		cmd := exec.Command(filepath.Join(o.bin, "gateway"), args...)
		cmd.Env = append(os.Environ(), s.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("gateway %v: %w\n%s", args, err, out)
		}
	}
	return s, nil
}

func meetingID(teacher, lesson int) int64 {
	return 80_000_000_000 + int64(teacher)*1000 + int64(lesson)
}

// lessonAt spreads a teacher's lessons over the last three days.
func (s *fixture) lessonAt(i int) time.Time {
	return s.now.Add(-2*time.Hour - time.Duration(i)*80*time.Minute)
}

// record adds a recorded meeting of one file at Zoom.
func (s *fixture) record(teacher, lesson int, content emulator.Content) string {
	uuid, at := fmt.Sprintf("uuid-%d-%d==", teacher, lesson), s.lessonAt(lesson)
	s.zoom.AddMeeting(zoomemu.Meeting{
		Account: fmt.Sprintf("acc-%d", teacher), ID: meetingID(teacher, lesson), UUID: uuid, Host: fmt.Sprintf("host-%d", teacher), Start: at, Minutes: 50,
		Files: []zoomemu.File{{ID: "file-" + uuid, Type: "MP4", View: "shared_screen_with_speaker_view", Start: at, End: at.Add(50 * time.Minute), Content: content}},
	})
	return uuid
}

func (s *fixture) close() {
	s.http.Close()
	s.zoom.Stop()
	_ = os.RemoveAll(s.dir)
}

// freeAddress is one that was free just now.
func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// setting reads one back.
func (s *fixture) setting(name string) string {
	for _, e := range s.env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	panic("BUG: " + name)
}

// running is a started syncer.
type running struct {
	cmd   *exec.Cmd
	admin string
	url   string
}

func (s *fixture) serve(o options) (*running, error) {
	r := &running{cmd: exec.Command(filepath.Join(o.bin, "syncer"), "serve"), admin: "http://" + s.setting("LECTERN_ADMIN_LISTEN"), url: "http://" + s.setting("LECTERN_LISTEN")}
	r.cmd.Env = append(os.Environ(), s.env...)
	r.cmd.Stderr = os.Stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if res, err := http.Get(r.admin + "/readyz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return r, nil
			}
		}
	}
	return nil, errors.New("the syncer does not become ready")
}

// metric reads one sample from /metrics; 0 when it is not there.
func (r *running) metric(name string) (value float64) {
	res, err := http.Get(r.admin + "/metrics")
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(res.Body)
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			_ = json.Unmarshal([]byte(strings.TrimSpace(rest)), &value)
		}
	}
	return value
}

// used is what a process and its children cost.
type used struct {
	cpu  time.Duration
	peak int64 // bytes
}

func (r *running) stop() (used, error) {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return used{}, err
	}
	err := r.cmd.Wait()
	return costOf(r.cmd), err
}

func costOf(cmd *exec.Cmd) used {
	u := used{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peak = usage.Maxrss << 10
	}
	return u
}

// video is an MP4 of size bytes with its index in front: a real lesson, and a free box
// behind it.
func video(dir string, size int64) (emulator.Content, error) {
	if err := lessons.WriteTo(filepath.Join(dir, "lessons")); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "lessons", "*.mp4"))
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if moov, mdat := bytes.Index(data, []byte("moov")), bytes.Index(data, []byte("mdat")); moov < 0 || moov > mdat {
			continue
		}
		rest := size - int64(len(data))
		if rest < 16 {
			return emulator.Bytes(data), nil
		}
		box := []byte{0, 0, 0, 1, 'f', 'r', 'e', 'e'}
		box = binary.BigEndian.AppendUint64(box, uint64(rest))
		return emulator.Concat(emulator.Bytes(data), emulator.Bytes(box), emulator.Synthetic(rest-16, 3)), nil
	}
	return nil, errors.New("no lesson has its index in front")
}
