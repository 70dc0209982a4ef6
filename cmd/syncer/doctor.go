package main

import (
	"context"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/doctor"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"Print an array of {check, status, detail, fix} instead of lines."`
}

// doctorTimeout bounds all checks together.
const doctorTimeout = 90 * time.Second

// Run checks what a syncer needs, a line each, and exits 0 only without FAIL.
func (c *doctorCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	s, r := &cli.SyncerSettings, &doctor.Report{}
	if err := s.ValidateFiles(); err != nil {
		return err
	}
	checkConfiguration(r, s)
	r.SecretFiles(s.CleanedSecrets())
	running := doctor.Running(ctx, s.AdminListen)
	r.Listener("listen", "listen", s.Listen, running)
	r.Listener("admin listen", "admin-listen", s.AdminListen, running)
	r.WorkDir(s.Sync.Config)
	r.FFmpeg(ctx)
	if s.Sync.Provider == media.ProviderLocal {
		r.LocalArchive(s.Origin.Local)
	} else {
		r.DriveArchive(ctx, s.Origin.Drive, s.Sync.Drive)
	}
	if store := r.SyncerCatalog(ctx, s.DatabaseURL); store != nil {
		defer store.Close()
		r.Tenants(ctx, store, s.SecretsKey != "")
		r.Syncers(ctx, store, s.Sync.ReconcileEvery)
		r.ZoomTeachers(ctx, store, s.Zoom, s.Sync.DeleteFromZoom)
	}
	r.ZoomClock(ctx, s.Zoom)
	const alerts = "alerts"
	if n := len(s.Alert.URLs); n == 0 {
		r.Warn(alerts, "set alert-urls, or watch the metrics with configs/prometheus/alerts.yml", "failures are reported nowhere")
	} else {
		r.Pass(alerts, "sent to %d URL(s)", n)
	}
	return r.Finish(t.Out, c.JSON)
}

// checkConfiguration reports each setting that is missing or wrong.
func checkConfiguration(r *doctor.Report, s *config.SyncerSettings) {
	const check = "configuration"
	ok := true
	for _, f := range []func() error{s.Zoom.Check, s.Sync.Check, s.Sync.Drive.Check, s.Alert.Check, func() error { _, err := syncer.ParseSecretsKey(s.SecretsKey); return err }} {
		if err := f(); err != nil {
			name, problem, _ := strings.Cut(err.Error(), ": ")
			r.Fail(check, "set "+name+": see `syncer --help`", "%s: %s", name, problem)
			ok = false
		}
	}
	if ok {
		r.Pass(check, "complete; %d webhook secret(s), archiving into %s", len(s.Zoom.Secrets()), s.Sync.Provider)
	}
}
