// Package syncertest runs a whole syncer for tests, between an emulated Zoom and an
// archive that is local or an emulated Drive.
package syncertest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/alert"
	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/pgtest"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/intake"
	"github.com/lectiospace/lectern/internal/syncer/reconcile"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// Main runs a package's tests and looks for leaked goroutines. It is called by TestMain.
func Main(m *testing.M) {
	// The tests wait more than they work: for polls, for delays, for ffmpeg.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m,
		// The emulators' and clients' keep-alive connections end with their servers.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// WebhookSecret signs the webhooks of the emulated Zoom.
const WebhookSecret = "the-secret-token-of-the-zoom-app"

// Server is a syncer with everything around it: a catalog with two teachers and their
// lessons, an emulated Zoom, an archive.
type Server struct {
	Zoom    *zoomemu.Server
	Drive   *driveemu.Server // nil with a local archive
	Root    string           // of the local archive
	Store   *catalog.Store
	Syncer  *syncer.Syncer
	HTTP    *httptest.Server // serves the webhooks
	Metrics *prometheus.Registry
	Alerts  *AlertSink
	Config  syncer.Config
	Deps    syncer.Deps

	t     *testing.T
	url   string // of the database
	log   *bytes.Buffer
	logMu *sync.Mutex
	wrap  func(archive.Archive) archive.Archive
}

// AlertSink receives alerts.
type AlertSink struct {
	mu     sync.Mutex
	got    []alert.Message
	server *httptest.Server
}

func newAlertSink(t *testing.T) *AlertSink {
	a := &AlertSink{}
	a.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m alert.Message
		if json.NewDecoder(r.Body).Decode(&m) == nil {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.got = append(a.got, m)
		}
	}))
	t.Cleanup(a.server.Close)
	return a
}

// Titles are the alerts' states and titles, in the order in which they came.
func (a *AlertSink) Titles() (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.got {
		out = append(out, m.State+": "+m.Title)
	}
	return out
}

// Option changes how a Server is set up.
type Option func(*Server)

// OnPostgres puts the catalog into PostgreSQL.
func OnPostgres(s *Server) { s.url = pgtest.Start(s.t) }

// Through puts something between the syncer and its database: through gets the database's
// URL and returns the one to use.
func Through(through func(url string) string) Option {
	return func(s *Server) { s.url = through(s.url) }
}

// OnDrive archives into an emulated Drive.
func OnDrive(s *Server) { s.Drive = driveemu.New() }

// Configured changes the syncer's Config.
func Configured(f func(*syncer.Config)) Option { return func(s *Server) { f(&s.Config) } }

// WithArchive wraps the archive that new recordings go to.
func WithArchive(wrap func(archive.Archive) archive.Archive) Option {
	return func(s *Server) { s.wrap = wrap }
}

// catalogYAML is the catalog of the tests: lesson 1 of teacher 1 at ten, the same meeting id a week
// later (lesson 2), lesson 3 of teacher 2.
const catalogYAML = `
people:
  - {email: anna@school.test, role: teacher, zoom_account_id: acc-1, zoom_client_id: client-1, zoom_client_secret: secret-1, zoom_user_id: host-1, gdrive_folder_id: shared-anna}
  - {email: boris@school.test, role: teacher, zoom_account_id: acc-2, zoom_client_id: client-2, zoom_client_secret: secret-2, zoom_user_id: host-2, gdrive_folder_id: shared-boris}
  - {email: student@school.test, role: student}
groups:
  - {name: 7A, teacher: anna@school.test, students: [student@school.test]}
  - {name: 8B, teacher: boris@school.test}
lessons:
  - {title: Algebra, group: 7A, teacher: anna@school.test, start: %[1]s, end: %[2]s, zoom_meeting_id: 86412345678, record: true}
  - {title: Algebra again, group: 7A, teacher: anna@school.test, start: %[3]s, end: %[4]s, zoom_meeting_id: 86412345678, record: true}
  - {title: History, group: 8B, teacher: boris@school.test, start: %[1]s, end: %[2]s, zoom_meeting_id: 90012345678, record: true, available_days: 30}
`

// LessonStart is when lesson 1 began: this morning, over for hours.
var LessonStart = time.Now().UTC().Add(-5 * time.Hour).Truncate(time.Minute)

func stampText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// New makes a Server whose syncer is not started. The test runs in parallel to others.
func New(t *testing.T, options ...Option) *Server {
	t.Helper()
	t.Parallel()
	dir := memoryDir(t)
	s := &Server{t: t, Zoom: zoomemu.New(), Root: filepath.Join(dir, "recordings"), url: "sqlite://" + filepath.Join(dir, "lectern.db"), log: &bytes.Buffer{}, logMu: &sync.Mutex{}}
	s.Config = syncer.Config{
		ReconcileEvery: time.Hour, Lookback: 72 * time.Hour, UsageEvery: time.Hour, CleanupAt: "03:00", TrashGrace: time.Hour, Settle: 0,
		MatchEarly: 30 * time.Minute, MatchLate: 30 * time.Minute, Unmatched: syncer.UnmatchedArchive,
		DeleteFromZoom: true, ZoomTrashAfter: time.Hour, Workers: 2, WorkDir: filepath.Join(dir, "sync"), WorkSize: 1 << 30, SupervisorEvery: 250 * time.Millisecond, IdlePoll: 100 * time.Millisecond,
		ShutdownGrace: 20 * time.Second,
		// In production the delays are longer; here a fault passes in no time.
		RetryDelays: []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond},
	}
	for _, o := range options {
		o(s)
	}
	if err := s.Zoom.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Zoom.Stop)
	for _, n := range []string{"1", "2"} {
		s.Zoom.AddAccount(zoomemu.Account{ID: "acc-" + n, ClientID: "client-" + n, ClientSecret: "secret-" + n, Owner: "host-" + n})
	}
	s.Alerts = newAlertSink(t)
	if path, ok := strings.CutPrefix(s.url, "sqlite://"); ok {
		data, err := filledSQLite()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	} else if err := fillCatalog(t.Context(), s.url); err != nil {
		t.Fatal(err)
	}
	s.open()
	return s
}

// memoryDir is a folder of the test's own, in memory where there is such a place:
// what a disk does under a hundred commits a second is not what is tested here.
func memoryDir(t *testing.T) string {
	const memory = "/dev/shm"
	dir, err := os.MkdirTemp(memory, "lectern-syncer-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillCatalog makes the schema and the lessons in an empty database.
func fillCatalog(ctx context.Context, url string) error {
	db, err := catalog.Open(ctx, url, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := schema.Up(ctx, db); err != nil {
		return err
	}
	week := 7 * 24 * time.Hour
	doc := fmt.Sprintf(catalogYAML, stampText(LessonStart), stampText(LessonStart.Add(time.Hour)), stampText(LessonStart.Add(week)), stampText(LessonStart.Add(week+time.Hour)))
	_, err = document.Apply(ctx, db, strings.NewReader(doc), false)
	return err
}

// filledSQLite is such a database, made once.
var filledSQLite = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "catalog")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "lectern.db")
	if err := fillCatalog(context.Background(), "sqlite://"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) // closing wrote its journal back
})

// open makes the store and the syncer, as a process does when it starts.
func (s *Server) open() {
	t := s.t
	t.Helper()
	log := slog.New(slog.NewTextHandler(lockedWriter{s.logMu, s.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var db *catalog.Store
	for try := 0; db == nil; try++ {
		var err error
		if db, err = catalog.Open(t.Context(), s.url, slog.New(slog.DiscardHandler)); err != nil && try == Attempts {
			t.Fatal(err)
		}
	}
	s.Store = db
	t.Cleanup(func() { db.Close() })
	zooms := zoom.Config{
		WebhookSecret: WebhookSecret, WebhookTolerance: 5 * time.Minute, APIURL: s.Zoom.APIURL(),
		FetchConfig: zoom.FetchConfig{OAuthURL: s.Zoom.OAuthURL(), DownloadHosts: []string{"127.0.0.1"}},
	}
	client := zoom.NewClient(zooms, log)
	t.Cleanup(func() { client.Close() })
	s.Metrics = prometheus.NewRegistry()
	archives := archive.Set{}
	if s.Drive != nil {
		s.Drive.SpoolIn(t.TempDir())
		server := httptest.NewServer(s.Drive)
		t.Cleanup(server.Close)
		remote, err := drive.New(t.Context(), drive.Config{Credentials: "none", Endpoint: server.URL}, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(remote.Stop)
		archives[media.ProviderDrive] = drive.NewArchive(remote, drive.ArchiveConfig{})
		s.Deps.Target = archives[media.ProviderDrive]
	} else {
		files, err := local.NewArchive(local.Config{Root: s.Root})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { files.Close() })
		archives[media.ProviderLocal] = files
		s.Deps.Target = files
	}
	if s.wrap != nil {
		s.Deps.Target = s.wrap(s.Deps.Target)
		archives[s.Deps.Target.Provider()] = s.Deps.Target
	}
	s.Deps.Store, s.Deps.Zoom, s.Deps.Zooms, s.Deps.Archives = db, client, zooms, archives
	s.Deps.Alerts = alert.NewSender(alert.Config{URLs: []string{s.Alerts.server.URL}})
	s.Deps.SecretsKey = bytes.Repeat([]byte{7}, 32)
	s.Deps.Log, s.Deps.Metrics = log, s.Metrics
	if s.Deps.Now == nil {
		s.Deps.Now = time.Now
	}
	s.Syncer = s.Another()
	s.HTTP = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.Syncer.Handler().ServeHTTP(w, r) }))
	t.Cleanup(s.HTTP.Close)
	t.Cleanup(func() {
		s.Syncer.Stop()
		if t.Failed() {
			var jobs bytes.Buffer
			if err := s.Syncer.Jobs(context.WithoutCancel(t.Context()), "", &jobs); err != nil {
				t.Log(err)
			}
			t.Logf("jobs:\n%s", &jobs)
			s.logMu.Lock()
			defer s.logMu.Unlock()
			text := s.log.String()
			t.Logf("log:\n%s", text[max(0, len(text)-15000):])
		}
	})
}

// Another makes a syncer on the same database, as a further process does. The test that
// starts it stops it.
func (s *Server) Another() *syncer.Syncer {
	s.t.Helper()
	deps := s.Deps
	if s.Syncer != nil {
		deps.Metrics = prometheus.NewRegistry()
	}
	another, err := syncer.New(s.Config, deps)
	if err != nil {
		s.t.Fatal(err)
	}
	return another
}

// Restart stops the syncer and starts another in its place, with the Config and the Deps
// of now.
func (s *Server) Restart() {
	s.t.Helper()
	s.Syncer.Stop()
	s.Metrics = prometheus.NewRegistry()
	s.Deps.Metrics = s.Metrics
	var err error
	if s.Syncer, err = syncer.New(s.Config, s.Deps); err != nil {
		s.t.Fatal(err)
	}
	if err := s.Syncer.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// Start starts the syncer, which reconciles at once; a test's own reconciliation
// comes after that.
func (s *Server) Start() *Server {
	s.t.Helper()
	if err := s.Syncer.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	Eventually(s.t, "it has reconciled at its start", func() (bool, string) {
		all, open := s.countJobs(func(kind, state string) bool { return kind == "reconcile" && state != "retryable" })
		return all > 0 && open == 0, fmt.Sprint(open, " of ", all, " jobs")
	})
	return s
}

// Clip is a small real MP4, made once.
var Clip = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "clip")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "clip.mp4")
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=2", "-f", "lavfi", "-i", "sine=frequency=440:duration=2",
		"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	return os.ReadFile(out)
})

// Video is Clip as content of the emulated Zoom's.
func Video(t *testing.T) emulator.Content {
	t.Helper()
	data, err := Clip()
	if err != nil {
		t.Fatal(err)
	}
	return emulator.Bytes(data)
}

// Encode makes a video of so many seconds with sound, in a codec that ffmpeg knows by
// that name.
func Encode(t *testing.T, seconds int, codec string) emulator.Content {
	t.Helper()
	out := filepath.Join(t.TempDir(), "clip.mp4")
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=160x90:rate=5:duration=%d", seconds),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:duration=%d", seconds), "-c:v", codec, "-c:a", "aac", "-movflags", "+faststart", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return emulator.Bytes(data)
}

// SpeakerView is Zoom's best view.
const SpeakerView = "shared_screen_with_speaker_view"

// Record adds a recorded meeting at Zoom, of one segment in the best view.
func (s *Server) Record(account string, id int64, uuid string, start time.Time) zoomemu.Meeting {
	m := zoomemu.Meeting{
		Account: "acc-" + account, ID: id, UUID: uuid, Host: "host-" + account, Topic: "a lesson", Start: start, Minutes: 60,
		Files: []zoomemu.File{{ID: "file-" + uuid, Type: "MP4", View: SpeakerView, Start: start, End: start.Add(time.Hour), Content: Video(s.t)}},
	}
	s.Zoom.AddMeeting(m)
	return m
}

// Attempts is how often a webhook is sent again that was not stored.
const Attempts = 20

// Send delivers an event until it is taken.
func (s *Server) Send(body []byte) (code int, answer []byte, err error) {
	for range Attempts {
		code, answer, err = zoomemu.Deliver(context.Background(), http.DefaultClient, s.HTTP.URL+intake.Paths[0], WebhookSecret, body)
		if err != nil || code != http.StatusServiceUnavailable {
			break
		}
	}
	return code, answer, err
}

// Deliver sends an event and returns the status Lectern gave.
func (s *Server) Deliver(body []byte) string {
	s.t.Helper()
	code, answer, err := s.Send(body)
	if err != nil || code != http.StatusOK {
		s.t.Fatalf("the webhook: %d %s, %v", code, answer, err)
	}
	var out struct{ Status string }
	if err := json.Unmarshal(answer, &out); err != nil {
		s.t.Fatal(err)
	}
	return out.Status
}

// Eventually waits for a condition and says what it saw last.
func Eventually(t *testing.T, what string, holds func() (bool, string)) {
	t.Helper()
	const within = 2 * time.Minute
	deadline := time.Now().Add(within)
	for {
		ok, saw := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s; saw %s", what, within, saw)
		}
		time.Sleep(100 * time.Millisecond) // more often, and asking is all the machine does
	}
}

// View runs f in a reading transaction.
func (s *Server) View(f func(ctx context.Context, x store.Session) error) {
	s.t.Helper()
	if err := s.Store.View(s.t.Context(), "test", func(x store.Session) error { return f(s.t.Context(), x) }); err != nil {
		s.t.Fatal(err)
	}
}

// Update runs f in a transaction.
func (s *Server) Update(f func(ctx context.Context, x store.Session) error) {
	s.t.Helper()
	if err := s.Store.Update(s.t.Context(), "test", func(x store.Session) error { return f(s.t.Context(), x) }); err != nil {
		s.t.Fatal(err)
	}
}

// Exec runs a statement as PostgreSQL spells it.
func (s *Server) Exec(statement string, args ...any) {
	s.t.Helper()
	s.Update(func(ctx context.Context, x store.Session) error {
		_, err := x.Exec(ctx, statement, args...)
		return err
	})
}

// Recordings are a lesson's rows.
func (s *Server) Recordings(lesson int64) (out []store.Recording) {
	s.t.Helper()
	s.View(func(ctx context.Context, x store.Session) (err error) {
		out, err = store.RecordingsOfLesson(ctx, x, lesson)
		return err
	})
	return out
}

// Ingest is a lesson's, the zero Ingest when there is none.
func (s *Server) Ingest(lesson int64) (out store.Ingest) {
	s.View(func(ctx context.Context, x store.Session) (err error) {
		out, err = store.IngestOfLesson(ctx, x, lesson)
		if catalog.IsNotFound(err) {
			return nil
		}
		return err
	})
	return out
}

// Quota is a teacher's.
func (s *Server) Quota(teacher int64) (q store.Quota) {
	s.Update(func(ctx context.Context, x store.Session) (err error) {
		q, err = store.LoadQuota(ctx, x, teacher, time.Now())
		return err
	})
	return q
}

// Archived waits until a lesson's recording is archived, and returns its row.
func (s *Server) Archived(lesson int64, parts ...string) store.Recording {
	s.t.Helper()
	Eventually(s.t, fmt.Sprintf("lesson %d archived", lesson), func() (bool, string) {
		i := s.Ingest(lesson)
		return i.State() == store.Done && i.Lease == "" && (len(parts) == 0 || strings.Join(i.Parts(), " ") == strings.Join(parts, " ")), fmt.Sprintf("%+v", i)
	})
	rows := s.Recordings(lesson)
	if len(rows) != 1 || rows[0].Status != media.StatusReady {
		s.t.Fatalf("lesson %d has %+v", lesson, rows)
	}
	return rows[0]
}

// BytesOf are the archived bytes of a row.
func (s *Server) BytesOf(r store.Recording) []byte {
	s.t.Helper()
	in, err := s.Deps.Archives[r.Provider].Open(s.t.Context(), r.Location().Key)
	if err != nil {
		s.t.Fatal(err)
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// Keys are the archive's objects.
func (s *Server) Keys() (out []string) {
	s.t.Helper()
	if err := s.Deps.Target.List(s.t.Context(), func(o archive.Stored) error { out = append(out, o.Key); return nil }); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// Stamp is a moment as a statement's argument.
func Stamp(t time.Time) catalog.DBTime { return catalog.NewDBTime(t) }

// NullInt64 is NULL for a bigint.
func NullInt64() sql.NullInt64 { return sql.NullInt64{} }

// Failed waits until a lesson's ingest has failed for a reason.
func (s *Server) Failed(lesson int64, reason string) store.Ingest {
	s.t.Helper()
	Eventually(s.t, fmt.Sprintf("lesson %d failed with %s", lesson, reason), func() (bool, string) {
		i := s.Ingest(lesson)
		return i.State() == store.Failed && i.Reason == reason, fmt.Sprintf("%+v", i)
	})
	return s.Ingest(lesson)
}

// Idle waits until no job waits or runs that is due.
func (s *Server) Idle() {
	s.t.Helper()
	Eventually(s.t, "the queue is empty", func() (bool, string) {
		_, open := s.countJobs(func(kind, _ string) bool { return kind != "reconcile" })
		return open == 0, fmt.Sprint(open, " jobs")
	})
}

// countJobs counts the jobs that match, and those of them that are due or running.
func (s *Server) countJobs(match func(kind, state string) bool) (all, open int) {
	s.t.Helper()
	var list bytes.Buffer
	if err := s.Syncer.Jobs(s.t.Context(), "", &list); err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(list.String()) {
		columns := strings.Split(line, "\t") // id, kind, state
		if !match(columns[1], columns[2]) {
			continue
		}
		all++
		switch columns[2] {
		case "available", "pending", "retryable", "running":
			open++
		}
	}
	return all, open
}

// Running is how many jobs run.
func (s *Server) Running() int {
	_, n := s.countJobs(func(_, state string) bool { return state == "running" })
	return n
}

// Reconcile runs one reconciliation and compares its summary.
func (s *Server) Reconcile(want reconcile.Summary) reconcile.Report {
	s.t.Helper()
	report, err := s.Syncer.Reconcile(s.t.Context(), reconcile.Scope{})
	if err != nil || report.Summary != want {
		s.t.Errorf("reconciled: %+v, %v; want %+v", report, err, want)
	}
	return report
}

// Log is what the syncer has logged so far.
func (s *Server) Log() string {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return s.log.String()
}

// Delays is what lectern_archive_delay_seconds has observed: how often, and the sum.
func (s *Server) Delays() (n uint64, seconds float64) {
	s.t.Helper()
	families, err := s.Metrics.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "lectern_archive_delay_seconds" {
			h := family.GetMetric()[0].GetHistogram()
			return h.GetSampleCount(), h.GetSampleSum()
		}
	}
	s.t.Fatal("there is no metric lectern_archive_delay_seconds")
	return 0, 0
}
