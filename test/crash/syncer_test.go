package crash

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/failpoint/points"
)

const webhookSecret = "the-secret-token-of-the-zoom-app"

// school is a catalog, an emulated Zoom with its recordings, and two archives: a folder and
// an emulated Drive.
type school struct {
	t       *testing.T
	random  *rand.Rand
	dir     string
	zoom    *zoomemu.Server
	drive   *driveemu.Server
	env     []string
	db      *sql.DB
	aims    *aims
	start   time.Time
	lessons []*lesson
	pending []event
	acked   []event
}

// lesson is one that was recorded.
type lesson struct {
	n       int // its id
	uuid    string
	parts   [][]byte // what Zoom has recorded of it
	files   int      // companions
	expired bool
}

func (l *lesson) String() string { return fmt.Sprintf("lesson %d (%s)", l.n, l.uuid) }

// event is a webhook that Zoom delivers until it is acknowledged.
type event struct {
	name, uuid string
	body       []byte
}

// lessonsOfSchool is how many there are; then another school begins.
const lessonsOfSchool = 40

func newSchool(t *testing.T, random *rand.Rand, a *aims) *school {
	t.Helper()
	s := &school{t: t, random: random, dir: memoryDir(t), zoom: zoomemu.New(), drive: driveemu.New(), aims: a, start: time.Now().UTC().Add(-9 * time.Hour).Truncate(time.Minute)}
	s.drive.SpoolIn(memoryDir(t))
	if err := s.zoom.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.zoom.Stop)
	s.zoom.AddAccount(zoomemu.Account{ID: "acc", ClientID: "client", ClientSecret: "client-secret", Owner: "host"})
	server := httptest.NewServer(s.drive)
	t.Cleanup(server.Close)
	s.env = []string{
		"LECTERN_DATA_DIR=" + s.dir, "LECTERN_SYNC_WORK_MIN_FREE=0", "LECTERN_ORIGIN_DRIVE_ENDPOINT=" + server.URL, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none",
		"LECTERN_ZOOM_API_URL=" + s.zoom.APIURL(), "LECTERN_ZOOM_OAUTH_URL=" + s.zoom.OAuthURL(), "LECTERN_ZOOM_DOWNLOAD_HOSTS=127.0.0.1",
		"ZOOM_WEBHOOK_SECRET_TOKEN=" + webhookSecret, "LECTERN_SYNC_SETTLE=0s", "LECTERN_SYNC_ZOOM_TRASH_AFTER=0s", "LECTERN_SYNC_TRASH_GRACE=0s",
		"LECTERN_AUTH_JWT_SECRET=" + secret, "LECTERN_SYNC_DERIVED=none",
	}
	var doc strings.Builder
	doc.WriteString("people:\n  - {email: t@school.test, role: teacher, zoom_account_id: acc, zoom_client_id: client, zoom_client_secret: client-secret, zoom_user_id: host, gdrive_folder_id: shared-folder}\n" +
		"  - {email: s@school.test, role: student}\ngroups:\n  - {name: 7A, teacher: t@school.test, students: [s@school.test]}\nlessons:\n")
	for i := range lessonsOfSchool {
		at := s.lessonAt(i)
		fmt.Fprintf(&doc, "  - {title: Lesson %d, group: 7A, teacher: t@school.test, start: %s, end: %s, zoom_meeting_id: %d, record: true}\n",
			i+1, at.Format(time.RFC3339), at.Add(9*time.Minute).Format(time.RFC3339), 80000000000+i)
	}
	path := filepath.Join(s.dir, "lectern.db")
	fill(t, path, doc.String())
	var err error
	if s.db, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	return s
}

func (s *school) lessonAt(i int) time.Time {
	return s.start.Add(-time.Duration(i) * 10 * time.Minute)
}

// video is a real MP4 with a box of its own behind, by which its bytes are known.
func (s *school) video(base []byte) []byte {
	size := 40_000 + s.random.IntN(400_000)
	box := make([]byte, size)
	binary.BigEndian.PutUint32(box, uint32(size))
	copy(box[4:], "free")
	source := rand.NewChaCha8([32]byte{byte(s.random.Uint64()), byte(s.random.Uint64()), byte(s.random.Uint64())})
	_, _ = source.Read(box[8:])
	return slices.Concat(base, box)
}

// bases are real recordings that can be joined.
func bases(t *testing.T) (out [][]byte) {
	t.Helper()
	for _, name := range []string{"part-a.mp4", "part-b.mp4"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "internal", "mp4", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

// record adds the recorded meeting of the next lesson at Zoom, of one part or two, with
// companions, and lets Zoom announce it, or not.
func (s *school) record() {
	i := len(s.lessons)
	l := &lesson{n: i + 1, uuid: fmt.Sprintf("/uuid-%d//==", i)}
	at, all := s.lessonAt(i), bases(s.t)
	m := zoomemu.Meeting{Account: "acc", ID: 80000000000 + int64(i), UUID: l.uuid, Host: "host", Start: at, Minutes: 9}
	for n := range 1 + s.random.IntN(5)/4 {
		l.parts = append(l.parts, s.video(all[n]))
		m.Files = append(m.Files, s.part(l, n, at))
	}
	if s.random.IntN(2) == 0 {
		for _, f := range zoomemu.EveryKind(at, at.Add(4*time.Minute), emulator.Bytes(all[0]), emulator.Bytes(all[0])) {
			if f.Type == "TRANSCRIPT" || f.Type == "CHAT" || f.ID == "steps" {
				m.Files = append(m.Files, f)
				l.files++
			}
		}
	}
	s.zoom.AddMeeting(m)
	s.lessons = append(s.lessons, l)
	if s.random.IntN(5) > 0 { // else reconciliation finds it
		s.announce(l.uuid)
	}
}

func (s *school) part(l *lesson, n int, at time.Time) zoomemu.File {
	from := at.Add(time.Duration(n) * 4 * time.Minute)
	return zoomemu.File{ID: fmt.Sprintf("file-%d-%d", l.n, n), Type: "MP4", View: "shared_screen_with_speaker_view", Start: from, End: from.Add(3 * time.Minute), Content: emulator.Bytes(l.parts[n])}
}

func (s *school) announce(uuid string) {
	s.pending = append(s.pending, event{"recording.completed", uuid, s.zoom.Event("recording.completed", uuid)})
}

// continueOne adds a segment to a lesson that may be archived already.
func (s *school) continueOne() {
	l := s.pick(func(l *lesson) bool { return len(l.parts) == 1 && !l.expired })
	if l == nil {
		return
	}
	l.parts = append(l.parts, s.video(bases(s.t)[1]))
	s.zoom.AddFile(l.uuid, s.part(l, 1, s.lessonAt(l.n-1)))
	s.announce(l.uuid)
}

// expireOne ends the time of an archived lesson.
func (s *school) expireOne() {
	l := s.pick(func(l *lesson) bool {
		return !l.expired && s.number(`SELECT count(*) FROM schedule_lessonrecording WHERE lesson_id = ? AND status = 'ready'`, l.n) == 1
	})
	if l == nil {
		return
	}
	s.exec(`UPDATE schedule_lessonrecording SET available_until = '2020-01-01T00:00:00Z' WHERE lesson_id = ?`, l.n)
	l.expired = true
}

// pick is a lesson of which something holds, nil for none.
func (s *school) pick(holds func(*lesson) bool) *lesson {
	for _, i := range s.random.Perm(len(s.lessons)) {
		if holds(s.lessons[i]) {
			return s.lessons[i]
		}
	}
	return nil
}

func (s *school) number(query string, args ...any) (n int64) {
	s.t.Helper()
	if err := s.db.QueryRow(query, args...).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (s *school) exec(query string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(query, args...); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

// timePasses makes due whatever waits for a moment.
func (s *school) timePasses() {
	s.t.Helper()
	s.exec(`UPDATE river_job SET state = 'available', scheduled_at = ? WHERE state IN ('scheduled', 'retryable')`, time.Now().UTC().Add(-time.Second).Format("2006-01-02 15:04:05.000"))
	s.exec(`UPDATE lectern_zoom_files SET retry_at = ? WHERE retry_at IS NOT NULL`, time.Now().UTC().Add(-time.Second).Format(time.RFC3339))
}

// schools is how many there are at a time; their lives wait more than they work.
const schools = 5

// aDayPasses makes due what waits for a day, too: copies that no mover continues, and derived files that no run has finished.
func (s *school) aDayPasses() {
	s.t.Helper()
	s.timePasses()
	before := time.Now().UTC().AddDate(0, 0, -2)
	s.exec(`UPDATE lectern_copies SET created_at = ?, failed_at = NULL WHERE removed_at IS NULL AND switched_at IS NULL`, before.Format(time.RFC3339))
	s.exec(`UPDATE lectern_moves SET beat_at = ?`, before.Format(time.RFC3339))
	s.exec(`UPDATE lectern_recording_files SET created_at = ? WHERE derivation <> '' AND verified_at IS NULL`, before.Format(time.RFC3339))
	for _, pattern := range []string{"move-*", "move-*/*"} {
		paths, err := filepath.Glob(filepath.Join(s.dir, "sync", pattern))
		for _, path := range paths {
			err = errors.Join(err, os.Chtimes(path, before, before))
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestSyncer kills syncers at every step that they take in the database, at Zoom, in the
// archives and in the file system, and at random.
func TestSyncer(t *testing.T) {
	if *iterations == 0 {
		t.Skip("-iterations says how many lives there are")
	}
	a := newAims(t, (*iterations+1)/2)
	var lessons, checks atomic.Int64
	t.Run("schools", func(t *testing.T) {
		for n := range schools {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(*seed, uint64(2+n)))
				for more := true; more && !t.Failed(); {
					t.Run("school", func(t *testing.T) {
						s := newSchool(t, random, a)
						for n := 1; len(s.lessons) < lessonsOfSchool && !t.Failed(); n++ {
							if more = a.begin(); !more {
								break
							}
							s.live()
							if n%10 == 0 {
								s.check()
								checks.Add(1)
							}
						}
						s.check()
						checks.Add(1)
						lessons.Add(int64(len(s.lessons)))
					})
				}
			})
		}
	})
	t.Logf("syncer, seed %d: %d lessons, %d checks\n%s", *seed, lessons.Load(), checks.Load(), a.summary())
	if a.lives < 400 || *aimed != "" {
		return
	}
	for _, p := range points.All {
		if !strings.HasPrefix(p.Name, "cache.") && !a.reached(p) && unreached[p.Name] == "" {
			t.Errorf("no life ended at %s", p.Name)
		}
	}
}

// unreached are points of the syncer at which this campaign ends no life, and why.
var unreached = map[string]string{
	"ingest.write-validator": "the emulated Zoom states no validator of a download",
}

// kinds are what a life may be of, by how many of a hundred.
var kinds = []struct {
	name  string
	share int
	live  func(s *school, name string, env []string)
}{
	{"archive", 34, func(s *school, name string, env []string) { s.record(); s.serve(name, env) }},
	{"archive a later segment", 14, func(s *school, name string, env []string) { s.continueOne(); s.serve(name, env) }},
	{"make posters", 6, func(s *school, name string, env []string) {
		if s.random.IntN(2) == 0 { // else posters are made of what lies in the archive
			s.record()
		}
		s.serve(name, append(env, "LECTERN_SYNC_DERIVED=poster"))
	}},
	{"reconcile", 9, func(s *school, name string, env []string) { s.record(); s.command(name, env, "reconcile") }},
	{"backfill", 8, func(s *school, name string, env []string) {
		s.record()
		s.command(name, env, "backfill", "--from", time.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly))
	}},
	{"move", 14, func(s *school, name string, env []string) {
		s.command(name, env, "move", "--to", []string{"local", "gdrive"}[s.random.IntN(2)])
	}},
	{"run cleanup", 6, func(s *school, name string, env []string) { s.expireOne(); s.command(name, env, "run", "cleanup") }},
	{"run purge", 6, func(s *school, name string, env []string) { s.command(name, env, "run", "purge") }},
	{"run usage", 3, func(s *school, name string, env []string) { s.command(name, env, "run", "usage") }},
}

// live is one life of one of the syncer's commands: by their shares, and every third of those
// that have the most points which have ended none.
func (s *school) live() {
	s.t.Helper()
	s.timePasses()
	env := append(slices.Clone(s.env), []string{"LECTERN_SYNC_PROVIDER=local", "LECTERN_SYNC_PROVIDER=gdrive"}[s.random.IntN(2)])
	n, needy := s.random.IntN(100), ""
	if s.random.IntN(3) == 0 {
		needy = s.aims.neediest()
	}
	for _, k := range kinds {
		if n -= k.share; needy == "" && n < 0 || needy == k.name {
			k.live(s, k.name, env)
			return
		}
	}
}

// command is a life of a command that ends by itself, unless it is ended.
func (s *school) command(name string, env []string, args ...string) {
	s.t.Helper()
	to := s.aims.next(s.random, name)
	p := start(s.t, env, to.rules, "syncer", args...)
	patience := 30 * time.Second
	if to.point == moment {
		patience = to.after
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
	}
	s.ended(p, name, to)
}

// advisedToServe is how a move ends that finds a recording in the hands of a syncer that was
// killed: only one that serves takes it out of them.
const advisedToServe = "start one, then move again"

// ended records a life.
func (s *school) ended(p *process, name string, to aim) {
	s.t.Helper()
	s.aims.note(s.t, p, name, to)
	if code := p.exitCode(); code > 0 && !strings.Contains(p.tail(), advisedToServe) {
		s.t.Errorf("%s ended with status %d, %s:\n%s", name, code, to.rules, p.tail())
	}
}

// serve is a life of the server: it is told what Zoom has announced, and ends when nothing is
// left to do at the latest.
func (s *school) serve(name string, env []string) {
	s.t.Helper()
	to := s.aims.next(s.random, name)
	p := start(s.t, env, to.rules, "syncer", "serve")
	end := time.After(7 * time.Second)
	if to.point == moment {
		end = time.After(to.after)
	}
	<-p.listening
	s.deliver(p)
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for idle, over := 0, false; !over; {
		select {
		case <-p.done:
			over = true
		case <-end:
			over = true
		case <-poll.C:
			if idle++; s.number(`SELECT count(*) FROM river_job WHERE state IN ('available', 'running')`) > 0 {
				idle = 0
			}
			over = to.point != moment && idle == 8
		}
	}
	p.kill()
	s.ended(p, name, to)
}

// deliver sends what is pending. What is acknowledged must never be lost.
func (s *school) deliver(p *process) {
	for !p.ended() && len(s.pending) > 0 {
		e := s.pending[0]
		ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
		status, _, err := zoomemu.Deliver(ctx, client, p.url+"/schedule/api/zoom/webhook/", webhookSecret, e.body)
		cancel()
		if err != nil || status != http.StatusOK {
			if p.ended() || err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
			continue
		}
		s.pending = s.pending[1:]
		s.acked = append(s.acked, e)
	}
}

// unfinished are the jobs that are to be done now.
func (s *school) unfinished() (jobs []string) {
	s.t.Helper()
	rows, err := s.db.Query(`SELECT kind || ' ' || state || ' ' || json(args) || ' attempt ' || attempt FROM river_job WHERE state IN ('available', 'running', 'retryable', 'pending') OR state = 'scheduled' AND kind <> 'zoom_trash'`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var job string
		if err := rows.Scan(&job); err != nil {
			s.t.Fatal(err)
		}
		jobs = append(jobs, job)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return jobs
}

// sum is the MD5 of bytes, in hexadecimal.
func sum(data []byte) string { return fmt.Sprintf("%x", md5.Sum(data)) }
