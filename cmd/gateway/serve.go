package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/telemetry"
)

type serveCommand struct{}

// Run serves until a signal, then drains.
func (*serveCommand) Run(ctx context.Context, cli *CLI, term terminal) error {
	if cli.PrintConfig {
		return config.Print(term.Out, &cli.Settings)
	}
	if err := cli.ValidateServe(); err != nil {
		return err
	}
	hangups := telemetry.CatchHangups()
	defer hangups.Stop()
	batches := telemetry.NewBatchWriter(term.Err)
	defer batches.Close()
	log, level := telemetry.NewAdjustableLogger(cli.Log, batches)
	svc, err := assemble(ctx, &cli.Settings, log)
	if err != nil {
		return err
	}
	defer svc.close()
	public, admin, err := telemetry.Listen(cli.Listen, cli.AdminListen)
	if err != nil {
		return err
	}
	telemetry.WarnOfExposure(log, cli.SecretFlags(), admin)
	hangups.Start(func() { svc.reload(cli, level) })
	defer hangups.Stop() // before what it reloads closes
	return svc.serve(ctx, public, admin)
}

// serve runs the assembled service on its listeners until ctx ends, then stops
// it from the top down: readiness goes first, then the streams drain.
func (s *service) serve(ctx context.Context, public, admin net.Listener) error {
	s.admin.Start(admin)
	// `gateway cache` finds the owner of the cache directory by this record.
	if err := s.cache.RecordOwner(admin.Addr().String()); err != nil {
		s.log.Warn("cache: owner not recorded, `gateway cache` will not find this process", slog.Any("error", err))
	}
	defer s.admin.Stop()
	defer public.Close()

	version, _ := config.Version()
	heartbeat := catalog.NewHeartbeat(s.store, version, cmp.Or(s.settings.PublicURL, public.Addr().String()), time.Now)
	heartbeat.Start(ctx)
	defer heartbeat.Stop()

	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.proxy.Serve(public) })
	// Scripts wait for this line; "public" and "admin" are what ":0" became.
	s.log.Info("listening", slog.String("public", public.Addr().String()), slog.String("admin", admin.Addr().String()))
	systemd := telemetry.NewSystemd(s.log, s.probes...)
	systemd.Ready()
	defer systemd.Stop()
	group.Go(func() error {
		<-running.Done()
		s.draining.Store(true)
		systemd.Stopping()
		s.delayShutdown(ctx)
		s.log.Info("gateway: draining", slog.Int("streams", s.proxy.Active()), slog.String("grace", s.settings.ShutdownGrace.String()))
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settings.ShutdownGrace)
		defer cancel()
		began := time.Now()
		err := s.proxy.Shutdown(limit)
		if errors.Is(err, context.DeadlineExceeded) {
			s.log.Warn("gateway: streams aborted at the end of the grace", slog.String("after", time.Since(began).String()))
			err = nil
		}
		return err
	})
	return group.Wait()
}

// delayShutdown goes on serving for shutdown-delay after the signal that ended ctx, in
// which load balancers see that the gateway is not ready. A listener that has failed has
// nothing left to serve.
func (s *service) delayShutdown(ctx context.Context) {
	if s.settings.ShutdownDelay <= 0 || ctx.Err() == nil {
		return
	}
	s.log.Info("gateway: not ready, still serving", slog.String("delay", s.settings.ShutdownDelay.String()))
	time.Sleep(s.settings.ShutdownDelay)
}
