package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lectiospace/lectern/internal/requestline"
)

// checkTimeout bounds one readiness check; probes have timeouts little longer.
const checkTimeout = 2 * time.Second

// Admin is the listener for operators: metrics, probes, profiles. It is not for
// the public: profiles expose the memory of the process.
type Admin struct {
	log    *slog.Logger
	mux    *http.ServeMux
	guard  *guard
	server *http.Server
	ended  chan struct{}
	stop   sync.Once
}

// NewAdmin makes the admin server, which is ready when all checks pass. listen is the
// setting of its address: a name in it is accepted in Host.
func NewAdmin(listen string, metrics prometheus.Gatherer, log *slog.Logger, checks Checks) *Admin {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", checks.serve)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	// A secret may have come as a flag.
	mux.Handle("/debug/pprof/cmdline", http.NotFoundHandler())
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	guard := newGuard(mux, listen)
	return &Admin{log: log, mux: mux, guard: guard, server: &http.Server{Handler: guard, MaxHeaderBytes: 16 << 10, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}}
}

// Handle adds a page for operators; before Start.
func (a *Admin) Handle(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// HandlePage adds a page for operators whose scripts send changes without a content
// type, below prefix; before Start.
func (a *Admin) HandlePage(prefix string, h http.Handler) {
	a.guard.scripted = append(a.guard.scripted, prefix)
	a.Handle(prefix, h)
}

// Start serves on ln until Stop.
func (a *Admin) Start(ln net.Listener) {
	a.ended = make(chan struct{})
	go func() {
		defer close(a.ended)
		if err := a.server.Serve(requestline.Listener{Listener: ln}); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("admin: listener failed", slog.Any("error", err))
		}
	}()
}

// Stop ends it and waits; it may be called twice.
func (a *Admin) Stop() {
	a.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if a.server.Shutdown(ctx) != nil {
			a.server.Close()
		}
	})
	if a.ended != nil {
		<-a.ended
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the prober may be gone
}
