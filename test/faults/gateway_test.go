package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/s3"
	"github.com/lectiospace/lectern/internal/proxy"
)

const (
	chunkSize = 64 << 10
	// slots is how many reads of the origin may run at a time.
	slots = 4
	// stall is how long an origin may send nothing. It is 15 s in production.
	stall = 5 * time.Second
)

// The keys of the objects, and the recordings that they are of.
const (
	lessonKey     = "lesson"
	otherKey      = "other"
	lessonID      = 1
	otherID       = 2
	firstSlotID   = 10
	slotObjectLen = 100_000
)

func keyOf(recording int64) string {
	switch {
	case recording == lessonID:
		return lessonKey
	case recording == otherID:
		return otherKey
	default:
		return fmt.Sprintf("slot-%d", recording-firstSlotID)
	}
}

// gatewayConfig is what differs between cells.
type gatewayConfig struct {
	dir       string
	cacheSize int64
	memory    int64
	recheck   time.Duration
	timeout   time.Duration // of the origin, as viewers see it; 0 = 40 s
	origin    string        // URL
	kind      upstreamKind
	log       io.Writer
}

// gateway is everything that serves recordings, as the command assembles it, on a real
// listener. Who may watch what is not its subject: everybody may.
type gateway struct {
	cfg     gatewayConfig
	addr    string
	metrics *prometheus.Registry
	chunks  *cache.Cache
	proxy   *proxy.Server
	served  chan error
	closers []func() error
}

func startGateway(cfg gatewayConfig) (_ *gateway, err error) {
	g := &gateway{cfg: cfg, metrics: prometheus.NewRegistry(), served: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(cfg.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	remote, provider, err := g.openOrigin(log)
	if err != nil {
		return nil, err
	}
	observer := origin.NewObserver(g.metrics)
	hardened := origin.Harden(remote, origin.Options{Provider: provider, Observer: observer, Hedge: 2, Concurrent: slots, Stall: stall})
	peeker, _ := remote.(origin.Peeker)
	if peeker != nil {
		peeker = observer.ObservePeeks(provider, peeker)
	}
	router := origin.NewRouter(map[string]origin.Origin{provider: origin.NewSpeculativeReader(hardened, peeker)})
	g.chunks, err = cache.New(cache.Config{
		Dir: filepath.Join(cfg.dir, "cache"), Size: media.Size(cfg.cacheSize), ChunkSize: chunkSize, Streams: 4, Memory: media.Size(cfg.memory),
	}, router, log, g.metrics)
	if err != nil {
		return nil, err
	}
	g.onClose(g.chunks.Close)
	stats := origin.NewStatCache(router, cfg.recheck, time.Now)
	g.onClose(stats.Close)
	if err := stats.OpenJournal(filepath.Join(cfg.dir, "objects.jsonl"), log); err != nil {
		return nil, err
	}
	opener := origin.NewSpeculativeOpener(stats, router, g.chunks)
	g.onClose(opener.Close)
	readers := origin.NewReaders(nil, func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
		return g.chunks.Open(ctx, obj, span)
	})
	settings := proxy.DefaultConfig()
	settings.OriginTimeout = cmp.Or(cfg.timeout, 40*time.Second)
	settings.Limit.StreamsPerUser = 0
	if g.proxy, err = proxy.New(settings, proxy.Deps{Access: anybody{provider}, Origins: opener, Store: readers, Log: log, Metrics: g.metrics}); err != nil {
		return nil, err
	}
	g.onClose(g.stopServing)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g.addr = ln.Addr().String()
	go func() { g.served <- g.proxy.Serve(ln) }()
	return g, g.chunks.Ready(context.Background())
}

// openOrigin connects to the upstream.
func (g *gateway) openOrigin(log *slog.Logger) (origin.Origin, string, error) {
	if g.cfg.kind == s3Bucket {
		place := s3.Place{Bucket: s3BucketName, Region: "eu-central-1", Endpoint: g.cfg.origin, PathStyle: true}
		o, err := s3.New(context.Background(), s3.Config{URL: place.String(), Credentials: "AKIDEXAMPLE:a-secret"})
		if err != nil {
			return nil, "", err
		}
		g.onClose(func() error { o.Stop(); return nil })
		return o, media.ProviderS3, nil
	}
	o, err := drive.New(context.Background(), drive.Config{Credentials: "none", Endpoint: g.cfg.origin}, log)
	if err != nil {
		return nil, "", err
	}
	g.onClose(func() error { o.Stop(); return nil })
	return o, media.ProviderDrive, nil
}

func (g *gateway) onClose(f func() error) { g.closers = append(g.closers, f) }

// close ends everything, the last first.
func (g *gateway) close() (err error) {
	for i := len(g.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, g.closers[i]())
	}
	g.closers = nil
	return err
}

// stopServing aborts what is running.
func (g *gateway) stopServing() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = g.proxy.Shutdown(ctx) // an error says that something was aborted
	if g.addr == "" {
		return nil
	}
	select {
	case err := <-g.served:
		return err
	case <-time.After(hang):
		return errors.New("Serve does not return after Shutdown")
	}
}

// metric is the value of a gauge without labels.
func (g *gateway) metric(name string) float64 {
	families, err := g.metrics.Gather()
	if err != nil {
		return -1
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

// diskState is the state of the cache's disk.
func (g *gateway) diskState() string {
	families, _ := g.metrics.Gather()
	for _, f := range families {
		if f.GetName() != "lectern_cache_state" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetGauge().GetValue() == 1 {
				return m.GetLabel()[0].GetValue()
			}
		}
	}
	return ""
}

// chunkFiles are the paths of the chunk files.
func (g *gateway) chunkFiles() []string {
	files, _ := filepath.Glob(filepath.Join(g.cfg.dir, "cache", "chunks", "*", "*"))
	return files
}

// temporaryFiles are those that a write has left.
func (g *gateway) temporaryFiles() []string {
	files, _ := filepath.Glob(filepath.Join(g.cfg.dir, "cache", "tmp", "*"))
	return files
}

// idle is why the gateway still holds something although nobody watches; "" when it does not.
// unlinked: the test has removed chunk files.
func (g *gateway) idle(unlinked bool) string {
	if n := g.proxy.Active(); n != 0 {
		return fmt.Sprintf("%d streams hold a slot", n)
	}
	if n := g.metric("lectern_streams_active"); n != 0 {
		return fmt.Sprintf("lectern_streams_active is %v", n)
	}
	if n := g.metric("lectern_cache_memory_bytes"); n != 0 {
		return fmt.Sprintf("%v bytes of buffers are in use", n)
	}
	if files := g.temporaryFiles(); len(files) != 0 {
		return fmt.Sprintf("%d temporary files", len(files))
	}
	for _, path := range openFiles(g.cfg.dir) {
		if !unlinked && strings.HasSuffix(path, " (deleted)") && strings.Contains(path, "/chunks/") {
			return "a removed chunk file is still open"
		}
	}
	return ""
}

// openFiles are the paths of this process's descriptors of files below a directory.
func openFiles(dir string) (paths []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if path, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(path, dir+"/") {
			paths = append(paths, path)
		}
	}
	return paths
}

// anybody may watch everything.
type anybody struct{ provider string }

func (anybody) Authenticate(context.Context, media.Token) (media.Viewer, error) {
	return media.Viewer{User: media.User{ID: 1, Role: media.RoleStudent, Active: true}}, nil
}

func (a anybody) Authorize(_ context.Context, _ media.Viewer, id int64) (media.Recording, error) {
	return media.Recording{ID: id, Title: "Lesson", Location: media.Location{Provider: a.provider, Key: keyOf(id)}}, nil
}

func (anybody) Recheck(context.Context, media.Viewer, int64) error { return nil }

// Lasting implements the optional interface by which a connection remembers its last request.
func (anybody) Lasting(media.Token, media.Viewer, media.Recording) func() bool {
	return func() bool { return true }
}
