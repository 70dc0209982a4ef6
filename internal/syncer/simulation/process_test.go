package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sqlitedriver "modernc.org/sqlite"

	"github.com/lectiospace/lectern/internal/alert"
	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/zoom"
)

const webhookSecret = "the-secret-token-of-the-zoom-app"

// process is one life of the syncer.
type process struct {
	w       *world
	machine *machine
	number  int
	dead    atomic.Bool // what it does changes nothing any more
	store   *catalog.Store
	client  *zoom.Client
	syncer  *syncer.Syncer
}

// errDead is what a process sees of the outside once it is dead.
var errDead = media.Faultf(media.Unavailable, "simulated", "the process is dead")

// step is called before and after everything that changes something outside. It fails once
// the process is dead, and may be where it dies.
func (p *process) step(kind, name string) error {
	if p.dead.Load() {
		return errDead
	}
	if p.w.faults.crash() {
		p.w.note("crash at %s %s", kind, name)
		p.die()
		return errDead
	}
	return p.w.faults.call(kind, name)
}

// die ends the process; the world buries it.
func (p *process) die() {
	if p.dead.CompareAndSwap(false, true) {
		p.w.died <- p
	}
}

// processes are those that live, by the folder in which they see the database.
var processes sync.Map

// hookCommits makes the commits of a simulated process steps of it: the commit of a dead
// process is rolled back. It concerns no other database.
var hookCommits = sync.OnceFunc(func() {
	sqlitedriver.RegisterConnectionHook(func(conn sqlitedriver.ExecQuerierContext, dsn string) error {
		path := strings.TrimPrefix(dsn, "file://")
		path, _, _ = strings.Cut(path, "?")
		found, ok := processes.Load(filepath.Dir(path))
		if !ok {
			return nil
		}
		hooks, ok := conn.(sqlitedriver.HookRegisterer)
		if !ok {
			return errors.New("connections of SQLite have no hooks")
		}
		p := found.(*process)
		hooks.RegisterCommitHook(func() int32 {
			if p.step("commit", "") != nil {
				return 1
			}
			return 0
		})
		return nil
	})
})

// start begins a life of a machine's syncer.
func (w *world) start(m *machine) {
	w.t.Helper()
	w.number++
	w.faults.begin()
	p := &process{w: w, machine: m, number: w.number}
	// A link of its own to the database's folder tells its connections from those before.
	view := filepath.Join(w.dir, fmt.Sprintf("process-%d", p.number))
	if err := os.Symlink(filepath.Join(w.dir, "database"), view); err != nil {
		w.t.Fatal(err)
	}
	processes.Store(view, p)
	log := slog.New(slog.NewTextHandler(logWriter{w, p.number}, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "syncer" { // the process's name is random
			return slog.Attr{}
		}
		return a
	}}))
	var err error
	if p.store, err = catalog.Open(w.ctx, "sqlite://"+filepath.Join(view, "lectern.db"), slog.New(slog.DiscardHandler)); err != nil {
		w.t.Fatal(err)
	}
	zooms := zoom.Config{
		WebhookSecret: webhookSecret, WebhookTolerance: 5 * time.Minute, APIURL: w.zoom.APIURL(),
		FetchConfig: zoom.FetchConfig{OAuthURL: w.zoom.OAuthURL(), DownloadHosts: []string{"127.0.0.1"}},
	}
	p.client = zoom.NewClientOver(zooms, log, transport{p, w.net})
	target := memoryArchive{w.objects, p}
	config := w.config
	config.WorkDir = filepath.Join(w.dir, fmt.Sprintf("work-%d", m.number))
	p.syncer, err = syncer.New(config, syncer.Deps{
		Store: p.store, Zoom: p.client, Zooms: zooms, Target: target, Archives: archive.Set{target.Provider(): target}, Parts: tool{},
		Alerts: alert.NewSender(alert.Config{}), SecretsKey: []byte(strings.Repeat("k", 32)), Log: log, Metrics: prometheus.NewRegistry(), Now: w.now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.syncer.Start(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	w.note("process %d started on machine %d", p.number, m.number)
	m.process = p
}

// runs reports whether a machine has a process.
func (w *world) runs() bool {
	return slices.ContainsFunc(w.machines, func(m *machine) bool { return m.process != nil })
}

// end stops a machine's process and releases what it has. One that is not dead stops by
// itself.
func (w *world) end(m *machine) {
	p := m.process
	m.process = nil
	p.syncer.Stop()
	p.dead.Store(true)
	if err := errors.Join(p.store.Close(), p.client.Close()); err != nil {
		w.t.Fatal(err)
	}
	w.note("process %d ended", p.number)
}

// transport is Zoom as a process reaches it.
type transport struct {
	p  *process
	to http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.Method + " " + r.URL.Path
	if err := t.p.step("request", name); err != nil {
		return nil, err
	}
	resp, err := t.p.w.faults.roundTrip(t.to, r)
	if stepErr := t.p.step("answer", name); stepErr != nil {
		if err == nil {
			resp.Body.Close()
		}
		return nil, stepErr
	}
	return resp, err
}

type logWriter struct {
	w      *world
	number int
}

func (l logWriter) Write(b []byte) (int, error) {
	l.w.note("[%d] %s", l.number, strings.TrimSpace(string(b)))
	return len(b), nil
}

var _ io.Writer = logWriter{}

// deliver sends a webhook to one of the syncers and returns the status, 0 where nobody
// answers.
func (w *world) deliver(r *http.Request, to int) int {
	p := w.machines[to%len(w.machines)].process
	if p == nil || p.dead.Load() {
		return 0
	}
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second) // as long as Zoom waits
	defer cancel()
	return serve(p.syncer.Handler(), r.WithContext(ctx))
}
