package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/cacheadmin"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/local"
	atzoom "github.com/lectiospace/lectern/internal/origin/zoom"
	"github.com/lectiospace/lectern/internal/prewarm"
	"github.com/lectiospace/lectern/internal/proxy"
	"github.com/lectiospace/lectern/internal/proxy/api"
	"github.com/lectiospace/lectern/internal/proxy/pages"
	"github.com/lectiospace/lectern/internal/proxy/stream"
	"github.com/lectiospace/lectern/internal/telemetry"
	"github.com/lectiospace/lectern/internal/zoom"
)

// service is the gateway put together: the one place where concrete things meet.
type service struct {
	settings *config.Settings
	log      *slog.Logger
	proxy    *proxy.Server
	admin    *telemetry.Admin
	// probes are what the watchdog watches.
	probes   []telemetry.Probe
	draining atomic.Bool
	// recordOwner writes the admin listener's address where `gateway cache` looks for
	// the owner of the cache directory.
	recordOwner func(admin string) error
	// closers undo what was opened, last first.
	closers []func() error
}

// The proxy discovers these optional interfaces at run time; here a renamed method
// fails to compile.
var (
	_ stream.StatPrefetcher = (*origin.SpeculativeOpener)(nil)
	_ stream.Invalidator    = (*origin.SpeculativeOpener)(nil)
)

// assemble wires the gateway from the bottom up. On an error everything opened
// so far is closed again.
func assemble(ctx context.Context, settings *config.Settings, log *slog.Logger) (_ *service, err error) {
	s := &service{settings: settings, log: log}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	version, commit := config.Version()
	metrics := telemetry.NewRegistry(version, commit)

	cfg, err := proxyConfig(settings)
	if err != nil {
		return nil, err
	}
	changed := make(chan struct{}, 1)
	store, directory, err := s.openCatalog(ctx, metrics, staleness(settings, cfg), changed)
	if err != nil {
		return nil, err
	}
	reader := library.NewReader(store, settings.Auth.AccessRule != string(auth.RulePlatform), time.Now)
	views := library.NewViews(store, log)
	s.onClose(func() error { views.Stop(); return nil })
	verifier, err := auth.NewVerifier(settings.Auth, log, time.Now)
	if err != nil {
		return nil, err
	}
	verifier.Start(context.WithoutCancel(ctx)) // ends with Stop: streams that drain still need it
	s.onClose(func() error { verifier.Stop(); return nil })
	gate, err := auth.NewAuthorizer(settings.Auth, verifier, directory, metrics, time.Now)
	if err != nil {
		return nil, err
	}
	s.onClose(func() error { gate.Close(); return nil })
	minter, err := auth.NewMinter(settings.Auth, time.Now)
	if err != nil {
		return nil, err
	}

	origins, files, err := s.openOrigins(ctx, store, metrics)
	if err != nil {
		return nil, err
	}
	chunks, err := cache.New(settings.Cache, origins, log, metrics)
	if err != nil {
		return nil, err
	}
	s.onClose(chunks.Close)
	remembered := origin.NewStatCache(origins, settings.Origin.Recheck, time.Now)
	s.onClose(remembered.Close)
	if err := remembered.OpenJournal(filepath.Join(settings.DataDir, "objects.jsonl"), log); err != nil {
		return nil, fmt.Errorf("data-dir: %w", err)
	}
	beside := origin.NewSpeculativeOpener(remembered, origins, chunks)
	s.onClose(beside.Close)
	direct := map[string]opener{media.ProviderLocal: openerFunc(files.Reader)}
	prewarmer := prewarm.New(prewarm.Deps{
		List: arrivals(store), Origin: origins, Cache: chunks,
		Uncached: func(provider string) bool { return direct[provider] != nil },
		Log:      log, Now: time.Now,
	})
	prewarmer.Start(ctx)
	s.onClose(func() error { prewarmer.Stop(); return nil })

	documents, err := pages.Embedded()
	if err != nil {
		return nil, err
	}
	s.proxy, err = proxy.New(cfg, proxy.Deps{
		Access:   gate,
		API:      recordingsAPI(gate, store, reader, views, func() { directory.InvalidateAll(); tell(changed) }),
		Grants:   minter,
		Starts:   auth.NewPlaybackLimiter(settings.Limit.PlaybacksPerHour, library.NewPlaybackStarts(store), directory.Unavailable, log, time.Now),
		Captions: reader,
		Changed:  changed,
		Origins:  beside,
		Store:    shelves{direct: direct, cached: chunks},
		Pages:    documents,
		Log:      log,
		Metrics:  metrics,
		Now:      time.Now,
	})
	if err != nil {
		return nil, err
	}
	s.admin = telemetry.NewAdmin(metrics, log, map[string]telemetry.Check{
		"schema":   func(ctx context.Context) error { return schema.Ready(ctx, store) },
		"draining": s.notDraining,
	})
	cacheadmin.Handle(cacheadmin.Local{Cache: chunks, Recordings: store, Origin: origins}, s.admin.Handle)
	s.recordOwner = chunks.RecordOwner
	s.probes = []telemetry.Probe{{Name: "cache", Responsive: chunks.Responsive}, {Name: "proxy", Responsive: s.proxy.Responsive}}
	return s, nil
}

// openCatalog opens the database, and the cache of facts in front of it, no older
// than maxStaleness. changed gets a value when the facts were dropped.
func (s *service) openCatalog(ctx context.Context, metrics *prometheus.Registry, maxStaleness time.Duration, changed chan<- struct{}) (*catalog.Store, *catalog.Cache, error) {
	store, err := openDatabase(ctx, &s.settings.Base, s.log)
	if err != nil {
		return nil, nil, err
	}
	s.onClose(store.Close)
	if err := schema.EnsureFresh(ctx, store); err != nil {
		return nil, nil, err
	}
	if err := schema.Ready(ctx, store); err != nil {
		if media.KindOf(err) != media.Unavailable {
			return nil, nil, err
		}
		// A database that is away now may be back in a minute: readiness says so.
		s.log.Warn("the database cannot be reached yet", slog.Any("error", err))
	}
	cached, err := catalog.NewCache(store, catalog.CacheConfig{
		MaxStaleness: maxStaleness,
		OutageGrace:  s.settings.Auth.OutageGrace,
	}, s.log, metrics)
	if err != nil {
		return nil, nil, err
	}
	cached.Start(context.WithoutCancel(ctx))
	s.onClose(func() error { cached.Stop(); return nil })

	listening, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		drop := func(table string) {
			cached.InvalidateTable(table)
			tell(changed)
		}
		if err := store.Listen(listening, drop); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Error("changes of the catalog are no longer announced", slog.Any("error", err))
		}
	}()
	s.onClose(func() error { stop(); <-ended; return nil })
	return store, cached, nil
}

// tell leaves a value, unless one waits already: a round that has not begun yet sees
// this change too.
func tell(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

// openOrigins opens what is configured, each origin behind its decorators.
func (s *service) openOrigins(ctx context.Context, store *catalog.Store, metrics prometheus.Registerer) (*origin.Router, *local.Origin, error) {
	files, err := local.New(s.settings.Origin.Local)
	if err != nil {
		return nil, nil, err
	}
	s.onClose(files.Close)
	observer := origin.NewObserver(metrics)
	routes := map[string]origin.Origin{media.ProviderLocal: observer.Observe(media.ProviderLocal, files)}
	if s.settings.Origin.Drive.Credentials != "" {
		remote, err := drive.New(ctx, s.settings.Origin.Drive, s.log)
		if err != nil {
			return nil, nil, s.settings.WithSource(err)
		}
		remote.Start(context.WithoutCancel(ctx)) // ends with Stop: what drains still needs it
		s.onClose(func() error { remote.Stop(); return nil })
		hardened := origin.Harden(remote, origin.Options{Provider: media.ProviderDrive, Observer: observer})
		routes[media.ProviderDrive] = origin.NewSpeculativeReader(hardened, observer.ObservePeeks(media.ProviderDrive, remote))
	}
	client := zoom.NewClient(zoom.Config{FetchConfig: s.settings.Zoom}, s.log)
	s.onClose(client.Close)
	routes[media.ProviderZoom] = origin.Harden(atzoom.New(zoomAccounts{store}, client), origin.Options{
		Provider: media.ProviderZoom, Observer: observer, Concurrent: zoomConcurrent,
	})
	return origin.NewRouter(routes), files, nil
}

// arrivals lists the catalog's new recordings for prewarm.
func arrivals(store *catalog.Store) prewarm.ListFunc {
	return func(ctx context.Context, after time.Time) ([]prewarm.Arrival, error) {
		found, err := store.Arrivals(ctx, after)
		out := make([]prewarm.Arrival, len(found))
		for i, a := range found {
			out[i] = prewarm.Arrival(a)
		}
		return out, err
	}
}

// zoomConcurrent bounds the reads from Zoom, whose limits all of a teacher's apps share.
const zoomConcurrent = 16

// zoomAccounts finds teachers' Zoom apps in the catalog.
type zoomAccounts struct{ store *catalog.Store }

// ZoomAccount implements the origin's Accounts.
func (a zoomAccounts) ZoomAccount(ctx context.Context, teacher int64) (zoom.Account, error) {
	id, client, secret, err := a.store.ZoomApp(ctx, teacher)
	return zoom.Account{ID: id, ClientID: client, ClientSecret: secret}, err
}

// recordingsAPI is what the recordings API works with; changed is called after its
// changes.
func recordingsAPI(gate *auth.Authorizer, store *catalog.Store, reader *library.Reader, views *library.Views, changed func()) *api.Services {
	editor := library.NewEditor(store, time.Now, changed)
	return &api.Services{Viewability: gate, Recordings: reader, Editor: editor, Quotas: editor, Views: views, Captions: reader}
}

// proxyConfig is the proxy's own Config out of the settings.
func proxyConfig(s *config.Settings) (proxy.Config, error) {
	cfg := proxy.DefaultConfig()
	cfg.Limit, cfg.CORS, cfg.PublicURL = s.Limit, s.CORS, s.PublicURL
	cfg.DirectStreamThreshold = s.DirectStreamThreshold
	prefixes, err := s.TrustedPrefixes()
	if err != nil {
		return cfg, err
	}
	cfg.TrustedProxies = prefixes
	cfg.Recheck = min(max(s.Auth.MaxStaleness/2, shortestRecheck), cfg.Recheck)
	return cfg, nil
}

const (
	// shortestRecheck keeps a setting of 0 from asking without pause.
	shortestRecheck = 100 * time.Millisecond
	// recheckTime is allowed for one round of looking at the running streams.
	recheckTime = 100 * time.Millisecond
)

// staleness is how old a fact may be so that a running stream, which is looked at
// every Recheck, is cut within AUTH_MAX_STALENESS of the change.
func staleness(s *config.Settings, cfg proxy.Config) time.Duration {
	return max(0, s.Auth.MaxStaleness-cfg.Recheck-recheckTime)
}

func (s *service) notDraining(context.Context) error {
	if s.draining.Load() {
		return fmt.Errorf("the gateway is shutting down")
	}
	return nil
}

func (s *service) onClose(f func() error) { s.closers = append(s.closers, f) }

// close undoes assemble, last first.
func (s *service) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i](); err != nil {
			s.log.Warn("closing", slog.Any("error", err))
		}
	}
	s.closers = nil
}
