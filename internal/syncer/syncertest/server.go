// Package syncertest runs a whole syncer for tests, between an emulated Zoom and an
// archive that is local, an emulated Drive or an emulated bucket of S3.
package syncertest

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
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
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	s3emu "github.com/lectiospace/lectern/internal/emulator/s3"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/origin/s3"
	"github.com/lectiospace/lectern/internal/syncer"
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
	S3      *s3emu.Server    // nil with another archive
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
	// alsoLocal: the local archive is configured beside Drive.
	alsoLocal bool
}

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
	archives := s.openArchives(log)
	if s.wrap != nil {
		s.Deps.Target = s.wrap(s.Deps.Target)
		archives[s.Deps.Target.Provider()] = s.Deps.Target
	}
	s.Deps.Store, s.Deps.Zoom, s.Deps.Zooms, s.Deps.Archives = db, client, zooms, archives
	s.Deps.Alerts = alert.NewSender(alert.Config{URLs: []string{s.Alerts.server.URL}})
	s.Deps.SecretsKey = bytes.Repeat([]byte{7}, 32)
	s.Deps.Log, s.Deps.Metrics = log, s.Metrics
	if s.Deps.Parts == nil {
		s.Deps.Parts = rememberingTool{s.Deps.Tool}
	}
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

// openArchives opens the archives, and makes one of them the target.
func (s *Server) openArchives(log *slog.Logger) archive.Set {
	t := s.t
	t.Helper()
	archives := archive.Set{}
	add := func(a archive.Archive, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		archives[a.Provider()] = a
		if s.Deps.Target == nil || len(archives) == 1 {
			s.Deps.Target = a
		}
	}
	if s.Drive != nil {
		s.Drive.SpoolIn(t.TempDir())
		add(openDrive(t, s.Drive, log))
	}
	if s.S3 != nil {
		add(openS3(t, s.S3))
	}
	if s.Drive == nil && s.S3 == nil || s.alsoLocal {
		files, err := local.NewArchive(local.Config{Root: s.Root})
		if err == nil {
			t.Cleanup(func() { files.Close() })
		}
		add(files, err)
	}
	return archives
}

func openDrive(t *testing.T, emulator http.Handler, log *slog.Logger) (archive.Archive, error) {
	server := httptest.NewServer(emulator)
	t.Cleanup(server.Close)
	remote, err := drive.New(t.Context(), drive.Config{Credentials: "none", Endpoint: server.URL}, log)
	if err != nil {
		return nil, err
	}
	t.Cleanup(remote.Stop)
	return drive.NewArchive(remote, drive.ArchiveConfig{}), nil
}

func openS3(t *testing.T, emulator http.Handler) (archive.Archive, error) {
	server := httptest.NewServer(emulator)
	t.Cleanup(server.Close)
	place := s3.Place{Bucket: "lessons", Region: "us-east-1", Endpoint: server.URL, PathStyle: true, Prefix: "school/"}
	remote, err := s3.New(t.Context(), s3.Config{URL: place.String(), Credentials: "none", PartSize: 16 << 10})
	if err != nil {
		return nil, err
	}
	t.Cleanup(remote.Stop)
	return s3.NewArchive(remote), nil
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

// SpeakerView is Zoom's best view.
const SpeakerView = "shared_screen_with_speaker_view"

// Attempts is how often a webhook is sent again that was not stored.
const Attempts = 20
