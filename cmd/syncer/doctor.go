package main

import (
	"context"
	"sync"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/doctor"
	"github.com/lectiospace/lectern/internal/media"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"Print an array of {check, status, detail, fix} instead of lines."`
}

// Run checks what a syncer needs, a line each, and changes nothing. It ends with 1 when a check
// fails, and with 2, after the report, when serve refuses the settings.
func (c *doctorCommand) Run(ctx context.Context, cli *CLI, t terminal) error {
	s, r := &cli.SyncerSettings, &doctor.Report{}
	refused := s.ValidateServe()
	version, _ := config.Version()
	running := sync.OnceValue(func() bool { return doctor.Running(ctx, s.AdminListen) })
	limit := s.Zoom.WebhookTolerance
	var archive doctor.Check
	switch s.Sync.Provider {
	case media.ProviderDrive:
		archive = doctor.DriveArchiveCheck(s.Origin.Drive, s.Sync.Drive, limit)
	case media.ProviderS3:
		archive = doctor.S3ArchiveCheck(s.Origin.S3, limit)
	case media.ProviderAzure:
		archive = doctor.AzureArchiveCheck(s.Origin.Azure, limit)
	default:
		archive = doctor.LocalArchiveCheck(s.Origin.Local)
	}
	r.Configuration(refused, "complete; %d webhook secret(s), archiving into %s", len(s.Zoom.Secrets()), s.Sync.Provider)
	r.Mode(s.Sync.Config)
	r.SecretFiles(s.CleanedSecrets())
	r.SecretFlags(s.SecretFlags())
	r.Run(ctx,
		doctor.ListenersCheck(s.Listen, s.AdminListen, running),
		doctor.WorkDirCheck(s.Sync.Config),
		doctor.FFmpegCheck(),
		archive,
		doctor.SyncerCatalogCheck(s.DatabaseURL, limit, func(store *catalog.Store) []doctor.Check {
			return []doctor.Check{
				doctor.TenantsCheck(store, s.SecretsKey != ""),
				doctor.GatewaysCheck(store, version),
				doctor.SyncersCheck(store, s.Sync.ReconcileEvery, version),
				doctor.ZoomTeachersCheck(store, s.Zoom, s.Sync.DeleteFromZoom),
			}
		}),
		doctor.ZoomClockCheck(s.Zoom))
	r.Alerts(len(s.Alert.URLs))
	return r.Finish(t.Out, c.JSON, refused)
}
