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
	r.Configuration(refused, "complete; %d webhook secret(s), archiving into %s", len(s.Zoom.Secrets()), s.Sync.Provider)
	r.Mode(s.Sync.Config)
	r.SecretFiles(s.CleanedSecrets())
	r.SecretFlags(s.SecretFlags())
	checks := []doctor.Check{
		doctor.ListenersCheck(s.Listen, s.AdminListen, running),
		doctor.WorkDirCheck(s.Sync.Config),
		doctor.FFmpegCheck(),
		doctor.TranscribeCheck(s.Sync.Config),
	}
	checks = append(checks, archiveChecks(s)...)
	checks = append(checks,
		doctor.SyncerCatalogCheck(s.DatabaseURL, limit, func(store *catalog.Store) []doctor.Check {
			return []doctor.Check{
				doctor.TenantsCheck(store, s.SecretsKey != ""),
				doctor.GatewaysCheck(store, version),
				doctor.SyncersCheck(store, s.Sync.ReconcileEvery, version),
				doctor.ZoomTeachersCheck(store, s.Zoom, s.Sync.DeleteFromZoom),
			}
		}),
		doctor.ZoomClockCheck(s.Zoom))
	r.Run(ctx, checks...)
	r.Alerts(len(s.Alert.URLs))
	return r.Finish(t.Out, c.JSON, refused)
}

// archiveChecks check where new recordings are archived, and that the other configured
// archives can be read: `syncer move` copies between them, and the purge removes from them.
func archiveChecks(s *config.SyncerSettings) (checks []doctor.Check) {
	limit := s.Zoom.WebhookTolerance
	switch s.Sync.Provider {
	case media.ProviderDrive:
		checks = append(checks, doctor.DriveArchiveCheck(s.Origin.Drive, s.Sync.Drive, limit))
	case media.ProviderS3:
		checks = append(checks, doctor.S3ArchiveCheck(s.Origin.S3, limit))
	case media.ProviderAzure:
		checks = append(checks, doctor.AzureArchiveCheck(s.Origin.Azure, limit))
	default:
		checks = append(checks, doctor.LocalArchiveCheck(s.Origin.Local))
	}
	if s.Origin.Drive.Credentials != "" && s.Sync.Provider != media.ProviderDrive {
		checks = append(checks, doctor.DriveOriginCheck(s.Origin.Drive, limit))
	}
	if s.Origin.S3.URL != "" && s.Sync.Provider != media.ProviderS3 {
		checks = append(checks, doctor.S3OriginCheck(s.Origin.S3, limit))
	}
	if s.Origin.Azure.URL != "" && s.Sync.Provider != media.ProviderAzure {
		checks = append(checks, doctor.AzureOriginCheck(s.Origin.Azure, limit))
	}
	return checks
}
