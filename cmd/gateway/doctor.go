package main

import (
	"context"
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

// Run checks everything and changes nothing: it does not even create a database file.
func (c *doctorCommand) Run(ctx context.Context, cli *CLI, term terminal) error {
	s, r := &cli.Settings, &doctor.Report{}
	if err := s.ValidateFiles(); err != nil {
		return err
	}
	running := doctor.Running(ctx, s.AdminListen)
	checkConfiguration(r, s)
	r.SecretFiles(s.CleanedSecrets())
	r.Tokens(ctx, s.Auth)
	r.WritableDir("data dir", "data-dir", s.DataDir)
	r.CacheDir(s.Cache, s.AdminListen, running)
	r.Listener("listen", "listen", s.Listen, running)
	r.Listener("admin listen", "admin-listen", s.AdminListen, running)
	// A stream holds its connection and a chunk file, or its origin's connection.
	r.OpenFiles(2*s.Limit.Streams+1024, "limit-streams")
	r.Catalog(ctx, s.DatabaseURL)
	r.LocalFolder(s.Origin.Local)
	r.DriveOrigin(ctx, s.Origin.Drive, clockLimit)
	return r.Finish(term.Out, c.JSON)
}

// checkConfiguration reports settings that are missing, and those that work but are
// not safe in public.
func checkConfiguration(r *doctor.Report, s *config.Settings) {
	if err := s.ValidateServe(); err != nil {
		r.Fail("configuration", "set it as `gateway --help` says", "%v", err)
	} else {
		r.Pass("configuration", "complete")
	}
	r.PublicURL(s.PublicURL)
	r.CORS(s.CORS.Origins)
	prefixes, _ := s.TrustedPrefixes() // checked when the settings were read
	r.TrustedProxies(prefixes)
}
