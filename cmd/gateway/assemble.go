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
	"github.com/lectiospace/lectern/internal/gctrigger"
	"github.com/lectiospace/lectern/internal/library"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/oidc"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/local"
	atzoom "github.com/lectiospace/lectern/internal/origin/zoom"
	"github.com/lectiospace/lectern/internal/prewarm"
	"github.com/lectiospace/lectern/internal/proxy"
	"github.com/lectiospace/lectern/internal/proxy/api"
	"github.com/lectiospace/lectern/internal/proxy/pages"
	"github.com/lectiospace/lectern/internal/proxy/playbacks"
	"github.com/lectiospace/lectern/internal/proxy/sessions"
	"github.com/lectiospace/lectern/internal/proxy/signin"
	"github.com/lectiospace/lectern/internal/proxy/stream"
	"github.com/lectiospace/lectern/internal/telemetry"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
	"github.com/lectiospace/lectern/internal/zoom"
)

// service is the assembled gateway, the one place where concrete types meet.
type service struct {
	settings *config.Settings
	log      *slog.Logger
	store    *catalog.Store
	verifier *auth.Verifier
	minter   *auth.Minter
	remotes  []*remote
	proxy    *proxy.Server
	admin    *telemetry.Admin
	// probes are what the watchdog watches.
	probes   []telemetry.Probe
	draining atomic.Bool
	cache    *cache.Cache
	// closers close what was opened, last first.
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

	cfg, err := settings.Proxy()
	if err != nil {
		return nil, err
	}
	traced, err := s.tracePlaybacks(ctx, version, metrics)
	if err != nil {
		return nil, err
	}
	changed := make(changeSignal, 1)
	store, directory, err := s.openCatalog(ctx, metrics, settings.CatalogStaleness(cfg.Recheck), changed)
	if err != nil {
		return nil, err
	}
	reader := library.NewReader(store, settings.Auth.AccessRule != string(auth.RulePlatform), time.Now)
	views := library.NewViews(store, log)
	s.onClose(func() error { views.Stop(); return nil })
	watched := library.NewWatchStates(store, log, time.Now)
	s.onClose(func() error { watched.Stop(); return nil })
	verifier, err := auth.NewVerifier(settings.Auth, log, time.Now)
	if err != nil {
		return nil, err
	}
	s.verifier = verifier
	verifier.Start(context.WithoutCancel(ctx)) // ends with Stop: draining streams still need it
	s.onClose(func() error { verifier.Stop(); return nil })
	if err := errors.Join(store.RegisterMetrics(metrics), telemetry.RegisterDirectories(metrics, map[string]string{"cache": settings.Cache.Dir, "data": settings.DataDir})); err != nil {
		return nil, err
	}
	gate, err := auth.NewAuthorizer(settings.Auth, verifier, directory, metrics, time.Now)
	if err != nil {
		return nil, err
	}
	s.onClose(func() error { gate.Close(); return nil })
	minter, err := auth.NewMinter(settings.Auth, time.Now)
	if err != nil {
		return nil, err
	}
	s.minter = minter

	sources, err := s.openByteSources(ctx, store, metrics)
	if err != nil {
		return nil, err
	}
	prewarmer := prewarm.New(prewarm.Deps{
		List: arrivals(store), Origin: sources.origins, Cache: sources.chunks,
		Uncached: sources.readers.Direct, Log: log, Now: time.Now,
		Others: func(ctx context.Context) (int, error) { return store.OtherGateways(ctx, time.Now()) },
	})
	prewarmer.Start(ctx)
	s.onClose(func() error { prewarmer.Stop(); return nil })

	onGrant, err := prewarm.NewOnGrant(sources.chunks, sources.readers.Direct, log, metrics, time.Now)
	if err != nil {
		return nil, err
	}
	s.onClose(func() error { onGrant.Stop(); return nil })

	documents, err := pages.Embedded()
	if err != nil {
		return nil, err
	}
	player, err := pages.Player(cfg.Embed.Origins)
	if err != nil {
		return nil, err
	}
	database := schema.NewReadiness(store, directory.Outage, settings.Auth.OutageGrace, time.Now)
	checks := telemetry.Checks{"schema": databaseCheck(database), "draining": s.notDraining}
	if err := checks.Register(metrics); err != nil {
		return nil, err
	}
	used := catalog.NewUsedCodes(store)
	signIn, err := s.signIn(store, used)
	if err != nil {
		return nil, err
	}
	s.proxy, err = proxy.New(cfg, proxy.Deps{
		Access:   gate,
		API:      s.recordingsAPI(gate, reader, views, watched, func() { directory.InvalidateAll(); changed.notify() }),
		Grants:   minter,
		Starts:   auth.NewPlaybackLimiter(settings.Limit.PlaybacksPerHour, library.NewPlaybackStarts(store), directory.Unavailable, log, time.Now),
		Captions: reader,
		Sessions: &sessions.Services{
			Signer: minter, Names: store,
			Codes: auth.CodeRedeemer{Authorizer: gate, Used: used},
		},
		SignIn:     signIn,
		Prefetch:   onGrant,
		Companions: directory,
		Changed:    changed,
		Playbacks:  traced,
		Origins:    sources.speculative,
		Store:      sources.readers,
		Pages:      append(documents, player...),
		Ready:      func(ctx context.Context) bool { return checks.Run(ctx).Ready },
		Log:        log,
		Metrics:    metrics,
		Now:        time.Now,
	})
	if err != nil {
		return nil, err
	}
	s.admin = telemetry.NewAdmin(s.settings.AdminListen, metrics, log, checks)
	cacheadmin.Handle(cacheadmin.Local{Cache: sources.chunks, Recordings: store, Origin: sources.origins}, s.admin.Handle)
	collections := new(gctrigger.Trigger)
	collections.Start()
	s.onClose(func() error { collections.Stop(); return nil })
	s.cache = sources.chunks
	s.probes = []telemetry.Probe{{Name: "cache", Responsive: sources.chunks.Responsive}, {Name: "proxy", Responsive: s.proxy.Responsive}}
	return s, nil
}

// signIn wires the sign-in at a provider of OpenID Connect; nil where none is configured.
func (s *service) signIn(users signin.Users, used signin.UsedCodes) (*signin.Services, error) {
	if !s.settings.OIDC.On() {
		return nil, nil
	}
	provider, err := oidc.New(s.settings.OIDC, time.Now)
	if err != nil {
		return nil, err
	}
	return &signin.Services{Provider: provider, Signer: s.minter, Users: users, Used: used}, nil
}

// byteSources are where the bytes of recordings come from.
type byteSources struct {
	origins     *origin.Router
	chunks      *cache.Cache
	speculative *origin.SpeculativeOpener
	readers     *origin.Readers
}

// openByteSources opens the origins, the chunk cache and the stat cache in front of them, and
// what reads through both.
func (s *service) openByteSources(ctx context.Context, store *catalog.Store, metrics *prometheus.Registry) (byteSources, error) {
	origins, files, err := s.openOrigins(ctx, store, metrics)
	if err != nil {
		return byteSources{}, err
	}
	chunks, err := cache.New(s.settings.Cache, origins, s.log, metrics)
	if err != nil {
		return byteSources{}, err
	}
	s.onClose(chunks.Close)
	stats := origin.NewStatCache(origins, s.settings.Objects.Recheck, time.Now)
	s.onClose(stats.Close)
	if err := stats.OpenJournal(filepath.Join(s.settings.DataDir, "objects.jsonl"), s.log); err != nil {
		return byteSources{}, fmt.Errorf("data-dir: %w", err)
	}
	speculative := origin.NewSpeculativeOpener(stats, origins, chunks)
	s.onClose(speculative.Close)
	readers := origin.NewReaders(map[string]origin.OpenReaderFunc{media.ProviderLocal: files.Reader}, func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
		return chunks.Open(ctx, obj, span)
	})
	return byteSources{origins, chunks, speculative, readers}, nil
}

// openCatalog opens the database and the cache in front of it, whose entries are no
// older than maxStaleness. changed is notified after every invalidation.
func (s *service) openCatalog(ctx context.Context, metrics *prometheus.Registry, maxStaleness time.Duration, changed changeSignal) (*catalog.Store, *catalog.Cache, error) {
	store, err := openDatabase(ctx, &s.settings.Base, s.log)
	if err != nil {
		return nil, nil, err
	}
	s.store = store
	s.onClose(store.Close)
	if err := schema.EnsureReady(ctx, store, s.log); err != nil {
		return nil, nil, schemaError(&s.settings.Base, err)
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
	cached.Follow(store, changed.notify)
	return store, cached, nil
}

// changeSignal is a channel of capacity 1. A receiver that has not begun its round yet sees
// every change before it, so notifications need no queue.
type changeSignal chan struct{}

// notify sends without blocking.
func (s changeSignal) notify() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// openOrigins opens the configured origins, each behind its decorators.
func (s *service) openOrigins(ctx context.Context, store *catalog.Store, metrics prometheus.Registerer) (*origin.Router, *local.Origin, error) {
	files, err := local.New(s.settings.Origin.Local)
	if err != nil {
		return nil, nil, err
	}
	s.onClose(files.Close)
	observer := origin.NewObserver(metrics)
	routes := map[string]origin.Origin{media.ProviderLocal: observer.Observe(media.ProviderLocal, files)}
	if err := s.openRemotes(ctx, routes, observer); err != nil {
		return nil, nil, err
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

// zoomConcurrent bounds the concurrent reads from Zoom, whose rate limits all of a
// teacher's apps share.
const zoomConcurrent = 16

// zoomAccounts looks teachers' Zoom apps up in the catalog.
type zoomAccounts struct{ store *catalog.Store }

// ZoomAccount implements the origin's Accounts.
func (a zoomAccounts) ZoomAccount(ctx context.Context, teacher int64) (zoom.Account, error) {
	id, client, secret, err := a.store.ZoomApp(ctx, teacher)
	return zoom.Account{ID: id, ClientID: client, ClientSecret: secret}, err
}

// recordingsAPI wires the recordings API; changed is called after each of its edits.
func (s *service) recordingsAPI(gate *auth.Authorizer, reader *library.Reader, views *library.Views, watched *library.WatchStates, changed func()) *api.Services {
	editor := library.NewEditor(s.store, time.Now, changed)
	return &api.Services{
		Viewability: gate, Recordings: reader, Editor: editor, Quotas: editor, Views: views, Captions: reader, Companions: s.store, Chapters: reader, Search: reader,
		WatchStates: watched, Audience: library.NewAudience(reader, watched), Analytics: s.settings.Analytics,
	}
}

// databaseCheck reports a database that is unavailable within the grace as degraded.
func databaseCheck(database *schema.Readiness) telemetry.Check {
	return func(ctx context.Context) error {
		err := database.Check(ctx)
		if err != nil && database.Bridged(err) {
			return telemetry.Degraded{What: "database", Err: err}
		}
		return err
	}
}

// tracePlaybacks starts the export of traces; nil where the environment names no collector.
func (s *service) tracePlaybacks(ctx context.Context, version string, metrics prometheus.Registerer) (stream.PlaybackTracer, error) {
	tracer, err := trace.Start(ctx, "lectern-gateway", version, s.log, metrics)
	if err != nil {
		return nil, &config.Error{Problem: err.Error()}
	}
	if tracer == nil {
		return nil, nil
	}
	s.onClose(func() error { tracer.Stop(); return nil })
	tracker := playbacks.NewTracker(tracer, s.log)
	tracker.Start()
	s.onClose(func() error { tracker.Stop(); return nil })
	return tracker, nil
}

func (s *service) notDraining(context.Context) error {
	if s.draining.Load() {
		return fmt.Errorf("the gateway is shutting down")
	}
	return nil
}

func (s *service) onClose(f func() error) { s.closers = append(s.closers, f) }

// close closes everything that assemble opened, last first.
func (s *service) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i](); err != nil {
			s.log.Warn("gateway: closing failed", slog.Any("error", err))
		}
	}
	s.closers = nil
}
