package main

import (
	"context"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/doctor"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"Print an array of {check, status, detail, fix} instead of lines."`
}

// clockLimit is the default of zoom-webhook-tolerance, which is the syncer's to set: a clock
// that is further off breaks that program, and tokens.
const clockLimit = 5 * time.Minute

// Run checks everything and changes nothing: it does not even create a database file. Settings
// that serve refuses end it with 2, after the report.
func (c *doctorCommand) Run(ctx context.Context, cli *CLI, term terminal) error {
	s, r := &cli.Settings, &doctor.Report{}
	refused := s.ValidateServe()
	version, _ := config.Version()
	running := sync.OnceValue(func() bool { return doctor.Running(ctx, s.AdminListen) })
	r.Configuration(refused, "complete")
	r.PublicURL(s.PublicURL)
	r.CORS(s.CORS.Origins)
	prefixes, _ := s.TrustedPrefixes() // checked when the settings were read
	r.TrustedProxies(prefixes)
	r.SecretFiles(s.CleanedSecrets())
	r.SecretFlags(s.SecretFlags())
	r.Run(ctx,
		doctor.TokensCheck(s.Auth, clockLimit),
		doctor.OIDCCheck(s.OIDC, s.PublicURL),
		doctor.DataDirCheck(s.DataDir),
		doctor.CacheDirCheck(s.Cache, s.AdminListen, running),
		doctor.ListenersCheck(s.Listen, s.AdminListen, running),
		// A stream holds its connection and a chunk file, or its origin's connection.
		doctor.OpenFilesCheck(2*s.Limit.Streams+1024, "limit-streams"),
		doctor.CatalogCheck(s.DatabaseURL, clockLimit, version),
		doctor.LocalFolderCheck(s.Origin.Local),
		doctor.DriveOriginCheck(s.Origin.Drive, clockLimit),
		doctor.S3OriginCheck(s.Origin.S3, clockLimit),
		doctor.AzureOriginCheck(s.Origin.Azure, clockLimit))
	return r.Finish(term.Out, c.JSON, refused)
}
