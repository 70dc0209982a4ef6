package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/requestline"
	"github.com/lectiospace/lectern/internal/telemetry"
)

type serveCommand struct{}

// Run serves until a signal.
func (*serveCommand) Run(ctx context.Context, cli *CLI, term terminal) error {
	if cli.PrintConfig {
		return config.PrintSyncer(term.Out, &cli.SyncerSettings)
	}
	if err := cli.ValidateServe(); err != nil {
		return err
	}
	log := telemetry.NewLogger(cli.Log, term.Err)
	svc, err := assemble(ctx, &cli.SyncerSettings, log)
	if err != nil {
		return err
	}
	defer svc.close()
	public, admin, err := telemetry.Listen(cli.Listen, cli.AdminListen)
	if err != nil {
		return err
	}
	return svc.serve(ctx, public, admin)
}

// serve takes webhooks and works jobs until ctx ends, then stops from the top down:
// no new webhooks first, then the jobs, which go back into the queue.
func (s *service) serve(ctx context.Context, public, admin net.Listener) error {
	var draining atomic.Bool
	operators := telemetry.NewAdmin(s.metrics, s.log, map[string]telemetry.Check{
		"schema": func(ctx context.Context) error { return schema.Ready(ctx, s.store) },
		"draining": func(context.Context) error {
			if draining.Load() {
				return errors.New("the syncer is shutting down")
			}
			return nil
		},
	})
	jobs, err := s.syncer.JobsPage("/jobs")
	if err != nil {
		return fmt.Errorf("the queue's page: %w", err)
	}
	operators.Handle("/jobs/", jobs)
	operators.Start(admin)
	defer operators.Stop()
	systemd := telemetry.NewSystemd(s.log, s.probes...)

	if err := s.syncer.Start(ctx); err != nil {
		return err
	}
	defer s.syncer.Stop()
	server := &http.Server{
		Handler: s.syncer.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(requestline.Listener{Listener: public}); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	// "public" and "admin" tell tests and people what ":0" became.
	s.log.Info("listening", slog.String("public", public.Addr().String()), slog.String("admin", admin.Addr().String()))
	systemd.Ready()
	defer systemd.Stop()
	group.Go(func() error {
		<-running.Done()
		draining.Store(true)
		systemd.Stopping()
		s.log.Info("draining")
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return server.Shutdown(limit)
	})
	return group.Wait()
}
