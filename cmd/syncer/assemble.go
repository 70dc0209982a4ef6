package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/alert"
	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/telemetry"
	"github.com/lectiospace/lectern/internal/telemetry/trace"
	"github.com/lectiospace/lectern/internal/zoom"
)

// service is the assembled syncer, the one place where concrete types meet.
type service struct {
	log         *slog.Logger
	alerts      *alert.Sender
	remotes     []*remote
	adminListen string
	store       *catalog.Store
	syncer      *syncer.Syncer
	archives    archive.Set
	metrics     *prometheus.Registry
	probes      []telemetry.Probe // what the watchdog watches
	delay       time.Duration     // how long serve goes on while it is not ready
	grace       time.Duration     // how long serve may take to stop
	// closers close what was opened, last first.
	closers []func() error
}

// assemble wires the syncer from the bottom up. On an error everything opened so far
// is closed again.
func assemble(ctx context.Context, settings *config.SyncerSettings, log *slog.Logger) (_ *service, err error) {
	s := &service{log: log, alerts: alert.NewSender(settings.Alert), adminListen: settings.AdminListen, delay: settings.ShutdownDelay, grace: settings.ShutdownGrace}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	version, commit := config.Version()
	s.metrics = telemetry.NewRegistry(version, commit)
	tracer, err := trace.Start(ctx, "lectern-syncer", version, log, s.metrics)
	if err != nil {
		return nil, &config.Error{Problem: err.Error()}
	}
	s.onClose(func() error { tracer.Stop(); return nil })
	if err := s.openCatalog(ctx, settings); err != nil {
		return nil, err
	}
	if err := s.store.RegisterMetrics(s.metrics); err != nil {
		return nil, err
	}
	if err := telemetry.RegisterDirectories(s.metrics, map[string]string{"work": settings.Sync.WorkDir}); err != nil {
		return nil, err
	}
	archives, err := s.openArchives(ctx, settings)
	if err != nil {
		return nil, err
	}
	s.archives = archives
	key, err := syncer.ParseSecretsKey(settings.SecretsKey)
	if err != nil {
		return nil, err
	}
	client := zoom.NewClient(settings.Zoom, log)
	s.onClose(client.Close)
	s.syncer, err = syncer.New(settings.Sync.Config, syncer.Deps{
		Store:        s.store,
		Zoom:         client,
		Zooms:        settings.Zoom,
		Target:       archives[settings.Sync.Provider],
		Archives:     archives,
		Tool:         ffmpeg.Tool{},
		Alerts:       s.alerts,
		SecretsKey:   key,
		PlatformRule: settings.AccessRule == "platform",
		Version:      version,
		Tracer:       tracer,
		Log:          log,
		Metrics:      s.metrics,
		Now:          time.Now,
	})
	if err != nil {
		return nil, err
	}
	s.probes = []telemetry.Probe{{Name: "syncer", Responsive: s.syncer.Responsive}}
	return s, nil
}

func (s *service) openCatalog(ctx context.Context, settings *config.SyncerSettings) error {
	store, err := catalog.Open(ctx, settings.DatabaseURL, s.log)
	switch {
	case media.KindOf(err) == media.Invalid:
		return settings.WithSource(fmt.Errorf("database-url: %w", err))
	case err != nil:
		return fmt.Errorf("database-url: %w", err)
	}
	s.store = store
	s.onClose(store.Close)
	err = schema.EnsureReady(ctx, store, s.log)
	var newer *schema.NewerError
	if errors.As(err, &newer) { // no restart mends it
		return settings.WithSource(fmt.Errorf("database-url: %w", newer))
	}
	return err
}

// openArchives opens the configured archives, by provider.
func (s *service) openArchives(ctx context.Context, settings *config.SyncerSettings) (archive.Set, error) {
	files, err := local.NewArchive(settings.Origin.Local)
	if err != nil {
		return nil, err
	}
	s.onClose(files.Close)
	out := archive.Set{media.ProviderLocal: files}
	if err := s.openRemotes(ctx, settings, out); err != nil {
		return nil, err
	}
	if out[settings.Sync.Provider] == nil {
		return nil, &config.Error{Setting: "sync-provider", Problem: fmt.Sprintf("%q is not configured", settings.Sync.Provider)}
	}
	return out, nil
}

func (s *service) onClose(f func() error) { s.closers = append(s.closers, f) }

// close closes everything that assemble opened, last first.
func (s *service) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		if err := s.closers[i](); err != nil {
			s.log.Warn("syncer: closing failed", slog.Any("error", err))
		}
	}
	s.closers = nil
}
