package syncer

import (
	"bytes"
	"context"
	"crypto/rand"
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
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

func TestMain(m *testing.M) {
	// The tests wait more than they work: for polls, for delays, for ffmpeg.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m,
		// The emulators' and clients' keep-alive connections end with their servers.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

const webhookSecret = "the-secret-token-of-the-zoom-app"

// school is a syncer with everything around it: a catalog with two teachers and
// their lessons, an emulated Zoom, an archive.
type school struct {
	t       *testing.T
	zoom    *zoomemu.Server
	drive   *driveemu.Server // nil with a local archive
	url     string           // of the database
	root    string           // of the local archive
	store   *catalog.Store
	syncer  *Syncer
	http    *httptest.Server
	metrics *prometheus.Registry
	alerts  *inbox
	cfg     Config
	deps    Deps
	log     *bytes.Buffer
	logMu   *sync.Mutex
}

// inbox receives alerts.
type inbox struct {
	mu     sync.Mutex
	got    []alert.Message
	server *httptest.Server
}

func newInbox(t *testing.T) *inbox {
	i := &inbox{}
	i.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m alert.Message
		if json.NewDecoder(r.Body).Decode(&m) == nil {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.got = append(i.got, m)
		}
	}))
	t.Cleanup(i.server.Close)
	return i
}

func (i *inbox) titles() (out []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, m := range i.got {
		out = append(out, m.State+": "+m.Title)
	}
	return out
}

// option changes how a school is set up.
type option func(*school)

func onPostgres(s *school)              { s.url = pgtest.Start(s.t) }
func onDrive(s *school)                 { s.drive = driveemu.New() }
func configured(f func(*Config)) option { return func(s *school) { f(&s.cfg) } }

// the catalog of the tests: lesson 1 of teacher 1 at ten, the same meeting id a week
// later (lesson 2), lesson 3 of teacher 2.
const schoolYAML = `
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

// lessonAt is when lesson 1 began: this morning, over for hours.
var lessonAt = time.Now().UTC().Add(-5 * time.Hour).Truncate(time.Minute)

func stampText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// newSchool opens a school, beside the other tests'; its syncer is not started.
func newSchool(t *testing.T, options ...option) *school {
	t.Helper()
	t.Parallel()
	dir := memoryDir(t)
	s := &school{t: t, zoom: zoomemu.New(), root: filepath.Join(dir, "recordings"), url: "sqlite://" + filepath.Join(dir, "lectern.db"), log: &bytes.Buffer{}, logMu: &sync.Mutex{}}
	s.cfg = Config{
		ReconcileEvery: time.Hour, Lookback: 72 * time.Hour, UsageEvery: time.Hour, CleanupAt: "03:00", TrashGrace: time.Hour, Settle: 0,
		DeleteFromZoom: true, ZoomTrashAfter: time.Hour, Workers: 2, WorkDir: filepath.Join(dir, "sync"), WorkSize: 1 << 30, tick: 400 * time.Millisecond,
	}
	for _, o := range options {
		o(s)
	}
	if err := s.zoom.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.zoom.Stop)
	for _, n := range []string{"1", "2"} {
		s.zoom.AddAccount(zoomemu.Account{ID: "acc-" + n, ClientID: "client-" + n, ClientSecret: "secret-" + n, Owner: "host-" + n})
	}
	s.alerts = newInbox(t)
	if path, ok := strings.CutPrefix(s.url, "sqlite://"); ok {
		data, err := filledSQLite()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	} else if err := fillSchool(t.Context(), s.url); err != nil {
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

// fillSchool makes the schema and the school in an empty database.
func fillSchool(ctx context.Context, url string) error {
	store, err := catalog.Open(ctx, url, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := schema.Up(ctx, store); err != nil {
		return err
	}
	week := 7 * 24 * time.Hour
	doc := fmt.Sprintf(schoolYAML, stampText(lessonAt), stampText(lessonAt.Add(time.Hour)), stampText(lessonAt.Add(week)), stampText(lessonAt.Add(week+time.Hour)))
	_, err = document.Apply(ctx, store, strings.NewReader(doc), false)
	return err
}

// filledSQLite is such a database, made once.
var filledSQLite = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "school")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "lectern.db")
	if err := fillSchool(context.Background(), "sqlite://"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) // closing wrote its journal back
})

// open makes the store and the syncer, as a process does when it starts.
func (s *school) open() {
	t := s.t
	t.Helper()
	log := slog.New(slog.NewTextHandler(lockedWriter{s.logMu, s.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var store *catalog.Store
	for try := 0; store == nil; try++ {
		var err error
		if store, err = catalog.Open(t.Context(), s.url, slog.New(slog.DiscardHandler)); err != nil && try == patience {
			t.Fatal(err)
		}
	}
	s.store = store
	t.Cleanup(func() { store.Close() })
	zooms := zoom.Config{
		WebhookSecret: webhookSecret, WebhookTolerance: 5 * time.Minute, APIURL: s.zoom.APIURL(),
		FetchConfig: zoom.FetchConfig{OAuthURL: s.zoom.OAuthURL(), DownloadHosts: []string{"127.0.0.1"}},
	}
	client := zoom.NewClient(zooms, log)
	t.Cleanup(func() { client.Close() })
	s.metrics = prometheus.NewRegistry()
	archives := map[string]archive.Archive{}
	if s.drive != nil {
		s.drive.SpoolIn(t.TempDir())
		server := httptest.NewServer(s.drive)
		t.Cleanup(server.Close)
		remote, err := drive.New(t.Context(), drive.Config{Credentials: "none", Endpoint: server.URL}, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(remote.Stop)
		archives[media.ProviderDrive] = drive.NewArchive(remote, drive.ArchiveConfig{})
		s.deps.Target = archives[media.ProviderDrive]
	} else {
		files, err := local.NewArchive(local.Config{Root: s.root})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { files.Close() })
		archives[media.ProviderLocal] = files
		s.deps.Target = files
	}
	s.deps.Store, s.deps.Zoom, s.deps.Zooms, s.deps.Archives = store, client, zooms, archives
	s.deps.Alerts = alert.NewSender(alert.Config{URLs: []string{s.alerts.server.URL}})
	s.deps.SecretsKey = bytes.Repeat([]byte{7}, 32)
	s.deps.Log, s.deps.Metrics = log, s.metrics
	if s.deps.Now == nil {
		s.deps.Now = time.Now
	}
	var err error
	s.syncer, err = New(s.cfg, s.deps)
	if err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewServer(s.syncer.Handler())
	t.Cleanup(s.http.Close)
	t.Cleanup(func() {
		s.syncer.Stop()
		if t.Failed() {
			var jobs bytes.Buffer
			if err := s.syncer.Jobs(context.WithoutCancel(t.Context()), "", &jobs); err != nil {
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

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// start starts the syncer, which reconciles at once; a test's own reconciliation
// comes after that.
func (s *school) start() *school {
	s.t.Helper()
	if err := s.syncer.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "it has reconciled at its start", func() (bool, string) {
		var all, open int64
		s.view(func(ctx context.Context, x store.Session) error {
			return x.One(ctx, `SELECT COUNT(*), COUNT(CASE WHEN state IN ('available', 'pending', 'running') THEN 1 END) FROM lectern.river_job WHERE kind = 'reconcile'`, nil, &all, &open)
		})
		return all > 0 && open == 0, fmt.Sprint(open, " of ", all, " jobs")
	})
	return s
}

// clip is a small real MP4, made once.
var clip = sync.OnceValues(func() ([]byte, error) {
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

func video(t *testing.T) emulator.Content {
	t.Helper()
	data, err := clip()
	if err != nil {
		t.Fatal(err)
	}
	return emulator.Bytes(data)
}

const speaker = "shared_screen_with_speaker_view"

// record adds a recorded meeting at Zoom, of one segment in the best view.
func (s *school) record(account string, id int64, uuid string, start time.Time) zoomemu.Meeting {
	m := zoomemu.Meeting{
		Account: "acc-" + account, ID: id, UUID: uuid, Host: "host-" + account, Topic: "a lesson", Start: start, Minutes: 60,
		Files: []zoomemu.File{{ID: "file-" + uuid, Type: "MP4", View: speaker, Start: start, End: start.Add(time.Hour), Content: video(s.t)}},
	}
	s.zoom.AddMeeting(m)
	return m
}

// patience is how often a sender comes again that was told to.
const patience = 20

// send delivers an event until it is taken.
func (s *school) send(body []byte) (code int, answer []byte, err error) {
	for range patience {
		code, answer, err = zoomemu.Deliver(context.Background(), http.DefaultClient, s.http.URL+webhookPaths[0], webhookSecret, body)
		if err != nil || code != http.StatusServiceUnavailable {
			break
		}
	}
	return code, answer, err
}

// deliver sends an event and returns the status Lectern gave.
func (s *school) deliver(body []byte) string {
	s.t.Helper()
	code, answer, err := s.send(body)
	if err != nil || code != http.StatusOK {
		s.t.Fatalf("the webhook: %d %s, %v", code, answer, err)
	}
	var out struct{ Status string }
	if err := json.Unmarshal(answer, &out); err != nil {
		s.t.Fatal(err)
	}
	return out.Status
}

// eventually waits for a condition and says what it saw last.
func eventually(t *testing.T, what string, holds func() (bool, string)) {
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

func (s *school) view(f func(ctx context.Context, x store.Session) error) {
	s.t.Helper()
	if err := s.store.View(s.t.Context(), "test", func(x store.Session) error { return f(s.t.Context(), x) }); err != nil {
		s.t.Fatal(err)
	}
}

func (s *school) update(f func(ctx context.Context, x store.Session) error) {
	s.t.Helper()
	if err := s.store.Update(s.t.Context(), "test", func(x store.Session) error { return f(s.t.Context(), x) }); err != nil {
		s.t.Fatal(err)
	}
}

// exec runs a statement as PostgreSQL spells it.
func (s *school) exec(statement string, args ...any) {
	s.t.Helper()
	s.update(func(ctx context.Context, x store.Session) error {
		_, err := x.Exec(ctx, statement, args...)
		return err
	})
}

func (s *school) recordings(lesson int64) (out []store.Recording) {
	s.t.Helper()
	s.view(func(ctx context.Context, x store.Session) (err error) {
		out, err = store.RecordingsOfLesson(ctx, x, lesson)
		return err
	})
	return out
}

func (s *school) ingest(lesson int64) (out store.Ingest) {
	s.view(func(ctx context.Context, x store.Session) (err error) {
		out, err = store.IngestOfLesson(ctx, x, lesson)
		if catalog.IsNotFound(err) {
			return nil
		}
		return err
	})
	return out
}

func (s *school) quota(teacher int64) (q store.Quota) {
	s.update(func(ctx context.Context, x store.Session) (err error) {
		q, err = store.LoadQuota(ctx, x, teacher, time.Now())
		return err
	})
	return q
}

// archived waits until a lesson's recording is archived, and returns its row.
func (s *school) archived(lesson int64, parts ...string) store.Recording {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("lesson %d archived", lesson), func() (bool, string) {
		i := s.ingest(lesson)
		return i.State == store.Done && i.Lease == "" && (len(parts) == 0 || strings.Join(i.Parts(), " ") == strings.Join(parts, " ")), fmt.Sprintf("%+v", i)
	})
	rows := s.recordings(lesson)
	if len(rows) != 1 || rows[0].Status != media.StatusReady {
		s.t.Fatalf("lesson %d has %+v", lesson, rows)
	}
	return rows[0]
}

// bytesOf are the archived bytes of a row.
func (s *school) bytesOf(r store.Recording) []byte {
	s.t.Helper()
	in, err := s.deps.Archives[r.Provider].Open(s.t.Context(), r.Location().Key)
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

// keys are the archive's objects.
func (s *school) keys() (out []string) {
	s.t.Helper()
	if err := s.deps.Target.List(s.t.Context(), func(o archive.Stored) error { out = append(out, o.Key); return nil }); err != nil {
		s.t.Fatal(err)
	}
	return out
}

func newUUID() string { return rand.Text()[:16] + "==" }

func ledgerStamp(t time.Time) catalog.DBTime { return catalog.NewDBTime(t) }

func init() {
	// The real delays are the contract's; here a fault passes in no time.
	passingDelays = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond}
}

// nil64 is NULL for a bigint.
func nil64() sql.NullInt64 { return sql.NullInt64{} }
