package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

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
	lines := telemetry.NewBatchWriter(term.Err)
	defer lines.Close()
	log := telemetry.NewLogger(cli.Log, lines)
	svc, err := assemble(ctx, &cli.Settings, log)
	if err != nil {
		return err
	}
	defer svc.close()
	public, admin, err := listen(&cli.Settings)
	if err != nil {
		return err
	}
	return svc.serve(ctx, public, admin)
}

// listen opens both listeners, or takes them over from systemd.
func listen(s *config.Settings) (public, admin net.Listener, err error) {
	sockets, err := telemetry.Activated()
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	if public, err = sockets.Listen("http", s.Listen); err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	if admin, err = sockets.Listen("admin", s.AdminListen); err != nil {
		public.Close()
		return nil, nil, fmt.Errorf("admin-listen: %w", err)
	}
	return public, admin, nil
}

// serve runs the assembled service on its listeners until ctx ends, then stops
// it from the top down: readiness goes first, then the streams drain.
func (s *service) serve(ctx context.Context, public, admin net.Listener) error {
	s.admin.Start(admin)
	if err := s.recordOwner(admin.Addr().String()); err != nil {
		s.log.Warn("commands will not find this gateway", slog.Any("error", err))
	}
	defer s.admin.Stop()
	defer public.Close()

	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.proxy.Serve(public) })
	// "public" and "admin" tell tests and people what ":0" became.
	s.log.Info("listening", slog.String("public", public.Addr().String()), slog.String("admin", admin.Addr().String()))
	systemd := telemetry.NewSystemd(s.log, s.probes...)
	systemd.Ready()
	defer systemd.Stop()
	group.Go(func() error {
		<-running.Done()
		s.draining.Store(true)
		systemd.Stopping()
		s.log.Info("draining", slog.Int("streams", s.proxy.Active()), slog.String("grace", s.settings.ShutdownGrace.String()))
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settings.ShutdownGrace)
		defer cancel()
		began := time.Now()
		err := s.proxy.Shutdown(limit)
		if errors.Is(err, context.DeadlineExceeded) {
			s.log.Warn("streams were cut at the end of the grace", slog.String("after", time.Since(began).String()))
			err = nil
		}
		return err
	})
	return group.Wait()
}
