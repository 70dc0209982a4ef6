package simulation

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"log/slog"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer"
)

// world is a school with everything that a syncer works with. What outlives a process is
// here.
type world struct {
	t       *testing.T
	ctx     context.Context
	seed    uint64
	dir     string
	config  syncer.Config
	zoom    *zoomemu.Server
	net     http.RoundTripper // to zoom
	objects *objects
	faults  *faults

	clock atomic.Int64 // by how much the clock of the syncers' machines is ahead

	machines []*machine     // each runs a syncer, or none
	number   int            // of processes so far
	died     chan *process  // those that nobody has buried
	until    time.Time      // when the syncer is to stop
	admin    *catalog.Store // the database, apart from all processes
	agenda   agenda
	meetings []*meeting
	lessons  []*lesson
	// substituted: a lesson has changed its teacher, the last time after the run runsBefore. The
	// platform does not change the accounts then, the next count does.
	substituted bool
	runsBefore  int64
	students    []*student
	teachers    map[int]int64 // their ids
	groups      map[int]int64 // the ids of their groups

	mu           sync.Mutex
	history      []string       // guarded by mu
	acknowledged []acknowledged // guarded by mu
	began        time.Time
}

// machine is one that runs a syncer over the one database.
type machine struct {
	number  int
	process *process // nil = none runs
}

// emptyDatabase is a migrated database without rows, made once.
var emptyDatabase = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "simulation")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "lectern.db")
	db, err := catalog.Open(context.Background(), "sqlite://"+path, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if _, err := schema.Up(context.Background(), db); err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil { // writes its journal back
		return nil, err
	}
	return os.ReadFile(path)
})

// apiHost is Zoom's, the CDN apart.
const apiHost = "127.0.0.1:1"

// memory is where databases and temporary files lie: the disk's speed is not what is tested.
const memory = "/dev/shm"

// newWorld makes a world in which nothing happens yet. It is called within the bubble.
func newWorld(t *testing.T, seed uint64, dir string) *world {
	t.Helper()
	hookCommits()
	setDatabaseClock()
	w := &world{
		t: t, ctx: t.Context(), seed: seed, dir: dir, zoom: zoomemu.New(), objects: newObjects(), died: make(chan *process, 100), began: time.Now().Round(0),
		config: syncer.Config{
			ReconcileEvery: 30 * time.Minute, Lookback: 72 * time.Hour, UsageEvery: 6 * time.Hour, CleanupAt: "03:00", TrashGrace: 24 * time.Hour,
			Settle: 5 * time.Minute, MatchEarly: 30 * time.Minute, MatchLate: 30 * time.Minute, Unmatched: syncer.UnmatchedArchive,
			DeleteFromZoom: true, ZoomTrashAfter: 24 * time.Hour, Companions: []string{"all"}, Derived: []string{"none"}, Workers: 2,
			WorkSize: 1 << 30, ShutdownGrace: 20 * time.Second,
			// Every second round has a heartbeat, and a syncer without one for 30 s is dead.
			SupervisorEvery: 12 * time.Second, BusyPoll: 15 * time.Second, IdlePoll: 90 * time.Second,
		},
	}
	w.faults = newFaults(w)
	w.machines = []*machine{{number: 1}}
	if w.random("machines").IntN(3) == 0 {
		w.machines = append(w.machines, &machine{number: 2})
	}
	w.net = w.zoom.InProcess()
	data, err := emptyDatabase()
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "database"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "database", "lectern.db"), data, 0o600)
	}
	if err == nil {
		w.admin, err = catalog.Open(w.ctx, "sqlite://"+filepath.Join(dir, "database", "lectern.db"), slog.New(slog.DiscardHandler))
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// close ends the world.
func (w *world) close() {
	if err := w.admin.Close(); err != nil {
		w.t.Error(err)
	}
	processes.Range(func(view, p any) bool {
		if p.(*process).w == w {
			processes.Delete(view)
		}
		return true
	})
}

// time is the true time.
func (w *world) time() time.Time { return time.Now().Add(-wallClock()).Round(0) }

// setClock sets by how much the clock of the syncers' machines is ahead.
func (w *world) setClock(ahead time.Duration) {
	if deterministic {
		setWallClock(ahead)
		return
	}
	w.clock.Store(int64(ahead))
}

// now is the clock of the syncers' machines. Where setWallClock works it is that of the whole
// process.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }

// names keeps this process's number, which the names of syncers have, out of the history.
var names = strings.NewReplacer(fmt.Sprintf("-%d-", os.Getpid()), "-PID-")

// note appends to the history.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := names.Replace(strings.ReplaceAll(fmt.Sprintf(format, args...), w.dir, "DIR"))
	w.history = append(w.history, w.time().UTC().Format("2006-01-02 15:04:05 ")+line)
}

// noteRemoval checks that no recording plays from what the archive is about to remove, and that
// nobody waits for the days of one that has been removed to be over.
func (w *world) noteRemoval(key string) {
	w.note("archive: %s is removed", key)
	data := w.objects.get(key)
	if data == nil {
		return
	}
	for _, r := range w.references() {
		switch {
		case r.key != key:
		case r.live:
			w.fail("%s is removed from the archive, and a %s names it", key, r.what)
		case r.gone:
			w.checkExpired(key, r.what, contentOf(data))
		}
	}
}

// checkExpired: what is purged was removed by its teacher, or its days are over.
func (w *world) checkExpired(key, what string, content []string) {
	for _, tag := range content {
		name, _, _ := strings.Cut(tag, "@")
		for _, m := range w.meetings {
			if m.removed == 0 && w.time().Before(m.expiresFrom()) && slices.ContainsFunc(m.files, func(f *file) bool { return f.name() == name }) {
				w.fail("%s, the %s of %s, is purged before its %d days are over", key, what, name, m.keep)
			}
		}
	}
}

// random is a source of its own for a purpose: what is drawn from it does not depend on what
// is drawn for others.
func (w *world) random(purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// serve gives a request to a handler and returns the status.
func serve(h http.Handler, r *http.Request) int {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Code
}
