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
	"github.com/lectiospace/lectern/internal/connlimit"
	"github.com/lectiospace/lectern/internal/requestline"
	"github.com/lectiospace/lectern/internal/telemetry"
)

// The connections of the webhook listener. Zoom opens a few at a time; who
// opens many and sends nothing takes descriptors and memory.
const (
	maxConns           = 1024
	maxConnsPerAddress = 128
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
	hangups := telemetry.CatchHangups()
	defer hangups.Stop()
	log, level := telemetry.NewAdjustableLogger(cli.Log, term.Err)
	svc, err := assemble(ctx, &cli.SyncerSettings, log)
	if err != nil {
		return err
	}
	defer svc.close()
	public, admin, err := telemetry.Listen(cli.Listen, cli.AdminListen)
	if err != nil {
		return err
	}
	hangups.Start(func() { svc.reload(cli, level) })
	defer hangups.Stop() // before what it reloads closes
	telemetry.WarnOfExposure(log, cli.SecretFlags(), admin)
	return svc.serve(ctx, public, admin)
}

// serve receives webhooks and works jobs until ctx ends, then stops from the top down
// within the shutdown grace: the webhooks first, then the jobs, which return to the
// queue.
func (s *service) serve(ctx context.Context, public, admin net.Listener) error {
	var draining atomic.Bool
	// Without its database a syncer does nothing useful, so that there is no grace.
	database := schema.NewReadiness(s.store, func() time.Duration { return 0 }, 0, time.Now)
	if err := s.store.RegisterUp(s.metrics, database.Check); err != nil {
		return err
	}
	checks := telemetry.Checks{
		"schema": database.Check,
		"draining": func(context.Context) error {
			if draining.Load() {
				return errors.New("the syncer is shutting down")
			}
			return nil
		},
	}
	if err := checks.Register(s.metrics); err != nil {
		return err
	}
	operators := telemetry.NewAdmin(s.adminListen, s.metrics, s.log, checks)
	jobs, err := s.syncer.JobsPage("/jobs")
	if err != nil {
		return fmt.Errorf("the queue's page: %w", err)
	}
	operators.HandlePage("/jobs/", jobs)
	operators.Start(admin)
	defer operators.Stop()
	systemd := telemetry.NewSystemd(s.log, s.probes...)

	s.syncer.SetAddress(public.Addr().String())
	if err := s.syncer.Start(ctx); err != nil {
		return err
	}
	defer s.syncer.Stop()
	server := newWebhookServer(&http.Server{
		Handler: requestline.Handler(s.syncer.Handler()), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}, requestline.Listener{Listener: connlimit.New(public, maxConns, maxConnsPerAddress)})
	group, running := errgroup.WithContext(ctx)
	group.Go(server.serve)
	// Scripts wait for this line; "public" and "admin" are what ":0" became.
	s.log.Info("listening", slog.String("public", public.Addr().String()), slog.String("admin", admin.Addr().String()))
	systemd.Ready()
	defer systemd.Stop()
	group.Go(func() error {
		<-running.Done()
		draining.Store(true)
		systemd.Stopping()
		if s.delay > 0 && ctx.Err() != nil {
			s.log.Info("syncer: not ready, still serving", slog.String("delay", s.delay.String()))
			time.Sleep(s.delay) // load balancers see meanwhile that it is not ready
		}
		s.log.Info("syncer: draining", slog.String("grace", s.grace.String()))
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
		defer cancel()
		// Half of the grace is for the jobs: they lose more when they are cut off than Zoom
		// does, which sends an unanswered webhook again.
		webhooks, cancelWebhooks := context.WithTimeout(limit, s.grace/2)
		defer cancelWebhooks()
		server.stop(webhooks, s.log)
		s.syncer.Shutdown(limit)
		return nil
	})
	return group.Wait()
}
