package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
)

// backfillTeachers share the meetings of a backfill.
const backfillTeachers = 4

// backfillFixture is an emulated Zoom with years of recordings, and a catalog with their
// lessons, nothing of it archived.
type backfillFixture struct {
	zoom    *zoomemu.Server
	env     []string
	archive string
	db      *sql.DB
	// what the meetings are: all but those of the last two kinds make a recording.
	meetings, withoutLesson, empty, notRecorded int
}

// newBackfillFixture spreads n meetings over three years. Of each hundred, two match no lesson,
// one is a file without tracks, and one belongs to a lesson that is not to be recorded.
func newBackfillFixture(t *testing.T, n int) *backfillFixture {
	t.Helper()
	dir := t.TempDir()
	if memory, err := os.MkdirTemp("/dev/shm", "lectern-backfill-"); err == nil {
		dir = memory
		t.Cleanup(func() { _ = os.RemoveAll(memory) })
	}
	s := &backfillFixture{zoom: zoomemu.New(), archive: filepath.Join(dir, "recordings"), meetings: n}
	if err := s.zoom.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.zoom.Stop)
	s.zoom.SetFaults(zoomemu.Faults{Pro: true})
	s.env = []string{
		"LECTERN_DATA_DIR=" + dir, "LECTERN_DATABASE_URL=sqlite://" + filepath.Join(dir, "lectern.db"), "LECTERN_SYNC_WORK_MIN_FREE=0",
		"LECTERN_ORIGIN_LOCAL_ROOT=" + s.archive, "LECTERN_SYNC_PROVIDER=local", "LECTERN_SYNC_WORKERS=8", "LECTERN_SYNC_DERIVED=none", // the archive is compared file by file
		"LECTERN_ZOOM_API_URL=" + s.zoom.APIURL(), "LECTERN_ZOOM_OAUTH_URL=" + s.zoom.OAuthURL(), "LECTERN_ZOOM_DOWNLOAD_HOSTS=127.0.0.1",
		"ZOOM_WEBHOOK_SECRET_TOKEN=" + zoomSecret,
	}
	end := time.Now().UTC().AddDate(0, 0, -2).Truncate(time.Hour)
	first := end.AddDate(-3, 0, 0)
	var people, groups, lessons strings.Builder
	for i := range backfillTeachers {
		s.zoom.AddAccount(zoomemu.Account{ID: fmt.Sprint("acc-", i), ClientID: "client", ClientSecret: "client-secret", Owner: fmt.Sprint("host-", i)})
		fmt.Fprintf(&people, "  - {email: t%[1]d@school.test, role: teacher, zoom_account_id: acc-%[1]d, zoom_client_id: client, zoom_client_secret: client-secret}\n", i)
		fmt.Fprintf(&groups, "  - {name: G%[1]d, teacher: t%[1]d@school.test}\n", i)
		fmt.Fprintf(&lessons, "  - {title: Next, group: G%[1]d, teacher: t%[1]d@school.test, start: %[2]s, end: %[3]s, zoom_meeting_id: %[4]d, record: true}\n",
			i, end.AddDate(0, 1, 0).Format(time.RFC3339), end.AddDate(0, 1, 0).Add(time.Hour).Format(time.RFC3339), 70000000000+i)
	}
	path := filepath.Join(t.TempDir(), "catalog.yaml")
	if err := os.WriteFile(path, []byte("people:\n"+people.String()+"groups:\n"+groups.String()+"lessons:\n"+lessons.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, s.env, 0, "gateway", "migrate", "up", "--yes")
	command(t, s.env, 0, "gateway", "catalog", "apply", path)
	s.open(t, filepath.Join(dir, "lectern.db"))
	tx, err := s.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	video, tracks := emulator.Bytes(mp4(t, 1)), emulator.Bytes(withoutTracks(t))
	step := end.Sub(first) / time.Duration(n)
	for i := range n {
		// Four meetings begin together, one of each teacher; a lesson lasts at most half of
		// the time until its teacher's next.
		teacher, at := i%backfillTeachers, first.Add(step*time.Duration(i-i%backfillTeachers)).Truncate(time.Second)
		length := min(time.Hour, step*backfillTeachers/2)
		content, record := video, true
		switch i % 100 {
		case 11, 57:
			s.withoutLesson++
		case 23:
			s.empty++
			content = tracks
		case 71:
			s.notRecorded++
			record = false
		}
		if k := i % 100; k != 11 && k != 57 {
			_, err := tx.Exec(`INSERT INTO schedule_lesson (title, group_id, teacher_id, start_time, end_time, zoom_meeting_id, record_lesson, recording_available_for_days, notes, created_at, updated_at)
				SELECT 'Lesson', group_id, teacher_id, ?, ?, ?, ?, 0, '', created_at, updated_at FROM schedule_lesson WHERE zoom_meeting_id = ?`,
				stampOf(at), stampOf(at.Add(length)), fmt.Sprint(80000000000+i), record, fmt.Sprint(70000000000+teacher))
			if err != nil {
				t.Fatal(err)
			}
		}
		s.zoom.AddMeeting(zoomemu.Meeting{
			Account: fmt.Sprint("acc-", teacher), ID: 80000000000 + int64(i), UUID: backfillUUID(i), Host: fmt.Sprint("host-", teacher), Start: at, Minutes: int(length.Minutes()),
			Files: []zoomemu.File{{ID: fmt.Sprint("file-", i), Type: "MP4", View: "shared_screen_with_speaker_view", Start: at, End: at.Add(time.Second), Content: content}},
		})
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return s
}

func backfillUUID(i int) string { return fmt.Sprintf("/old-%d//==", i) }

// stampOf is a moment as SQLite's columns have it.
func stampOf(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000+00:00") }

// withoutTracks is an MP4 in which nothing plays: its index is empty.
func withoutTracks(t *testing.T) []byte {
	t.Helper()
	box := func(kind string, body string) string {
		n := len(body) + 8
		return string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + kind + body
	}
	return []byte(box("ftyp", "isom\x00\x00\x02\x00isomiso2mp41") + box("mdat", "nothing plays") + box("moov", box("mvhd", strings.Repeat("\x00", 100))))
}

func (s *backfillFixture) open(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s.db = db
}

// count is the first column of a query's only row.
func (s *backfillFixture) count(t *testing.T, query string) (n int) {
	t.Helper()
	if err := s.db.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// archivedFiles counts the files in the archive.
func (s *backfillFixture) archivedFiles(t *testing.T) (n int) {
	t.Helper()
	err := filepath.WalkDir(s.archive, func(_ string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cachedProbes puts an ffprobe and an ffmpeg in front of the real ones that remember what
// these said of the same bytes: all meetings have one of a few bodies, and it is not the
// probing that is tested with hundreds or thousands of them. What writes a file is not remembered.
func cachedProbes(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ffprobe", "ffmpeg"} {
		program, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		script := `#!/bin/sh
key=$(for a in "$@"; do case "$a" in file:*) [ -f "${a#file:}" ] || exec ` + program + ` "$@"; md5sum < "${a#file:}";; *) echo "$a";; esac; done | md5sum | cut -c1-32)
for last in "$@"; do :; done
case "` + name + ` $last" in "ffprobe "*|"ffmpeg -"|"ffmpeg -version") ;; *) exec ` + program + ` "$@";; esac
cached=` + dir + `/` + name + `-$key
if [ ! -f "$cached" ]; then
	` + program + ` "$@" > "$cached.$$" || exit $?
	mv "$cached.$$" "$cached"
fi
exec cat "$cached"
`
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir + ":" + os.Getenv("PATH")
}

// TestBackfill: years of recordings are archived once or explained, although the command is
// killed on the way, and Zoom's limits are never exceeded. BACKFILL_MEETINGS says how many
// recordings, and asks for nine kills; `make backfill` runs ten thousand.
func TestBackfill(t *testing.T) {
	t.Parallel()
	n, kills := 100, 2
	if text := os.Getenv("BACKFILL_MEETINGS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 100 || n%100 != 0 {
			t.Fatalf("BACKFILL_MEETINGS=%s is no multiple of 100", text)
		}
		kills = 9
	}
	s := newBackfillFixture(t, n)
	env := append(s.env[:len(s.env):len(s.env)], "PATH="+cachedProbes(t))
	from := time.Now().AddDate(-3, 0, -5).Format(time.DateOnly)
	recordings := n - s.empty - s.notRecorded

	var plan struct {
		Meetings, Recordings int
		Bytes                int64
		WithoutLesson        int `json:"without_lesson"`
	}
	// Zoom's limits of lists bound a plan's pace, which may take minutes.
	planning := start(t, env, "syncer", "backfill", "--from", from, "--plan")
	<-planning.done
	if planning.err != nil {
		t.Fatalf("the plan: %v: %s", planning.err, planning.stderr)
	}
	out := planning.stdout.String()
	lastLine(t, out, &plan)
	if plan.Meetings != n-s.notRecorded || plan.Recordings != n-s.notRecorded || plan.WithoutLesson != s.withoutLesson || plan.Bytes == 0 {
		t.Errorf("plan: %s", out)
	}
	if got := s.count(t, `SELECT COUNT(*) FROM lectern_zoom_meetings`); got != 0 {
		t.Errorf("the plan left %d meetings", got)
	}

	began := time.Now()
	for kill := 1; kill <= kills; kill++ {
		p := start(t, env, "syncer", "backfill", "--from", from)
		for s.archivedFiles(t) < recordings*kill/(kills+1) {
			select {
			case <-p.done:
				t.Fatalf("it ended before kill %d: %s", kill, p.stderr)
			case <-time.After(20 * time.Millisecond):
			}
		}
		p.kill()
		t.Logf("kill %d after %s: %d files", kill, time.Since(began).Round(time.Second), s.archivedFiles(t))
	}
	p := start(t, env, "syncer", "backfill", "--from", from)
	<-p.done
	if p.err != nil {
		t.Fatalf("the last run: %v", p.err)
	}
	took := time.Since(began)
	var got struct {
		Teachers, Meetings, Recordings, Archived, Failed, Explained, Waiting int
		TeachersFailed                                                       int `json:"teachers_failed"`
	}
	lastLine(t, p.stdout.String(), &got)
	want := got
	want.Teachers, want.TeachersFailed, want.Meetings, want.Recordings = backfillTeachers, 0, n, n-s.notRecorded
	want.Archived, want.Failed, want.Explained, want.Waiting = recordings, s.empty, s.notRecorded, 0
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if files, ready := s.archivedFiles(t), s.count(t, `SELECT COUNT(*) FROM schedule_lessonrecording WHERE status = 'ready'`); files != recordings || ready != recordings {
		t.Errorf("%d files and %d recordings, want %d of each", files, ready, recordings)
	}
	if double := s.count(t, `SELECT COUNT(*) FROM (SELECT zoom_recording_id FROM schedule_lessonrecording GROUP BY zoom_recording_id HAVING COUNT(*) > 1)`); double != 0 {
		t.Errorf("%d meetings have several recordings", double)
	}
	for _, i := range []int{23, 71} { // one without tracks, one not to be recorded
		if text, _ := command(t, env, 0, "syncer", "explain", backfillUUID(i)); !strings.Contains(text, "failed") && !strings.Contains(text, "switched off") {
			t.Errorf("meeting %d is not explained: %s", i, text)
		}
	}
	stats := s.zoom.Stats()
	if stats.Limited != 0 {
		t.Errorf("Zoom's limits were exceeded %d times", stats.Limited)
	}
	t.Logf("%d meetings in %s: %d lists, %d reads, %d downloads, %d answers with 429", n, took.Round(time.Second), stats.Lists, stats.Gets, stats.Downloads, stats.Limited)
}

// lastLine decodes the last line of an output.
func lastLine(t *testing.T, out string, into any) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), into); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
}
