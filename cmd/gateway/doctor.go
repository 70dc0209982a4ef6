package main

import (
	"context"
	"net/netip"
	"net/url"
	"strings"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/doctor"
)

type doctorCommand struct {
	JSON bool `name:"json" help:"Print an array of {check, status, detail, fix} instead of lines."`
}

// Run checks everything and changes nothing: not even a database file is made.
func (c *doctorCommand) Run(ctx context.Context, cli *CLI, term terminal) error {
	s, r := &cli.Settings, &doctor.Report{}
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
	r.DriveOrigin(ctx, s.Origin.Drive)
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
	switch u, _ := url.Parse(s.PublicURL); {
	case s.PublicURL == "":
		r.Pass("public url", "taken from each request")
	case u.Scheme != "https" && !isLoopback(u.Hostname()):
		r.Warn("public url", "put TLS in front and set public-url to https://…", "%s is not https: tokens and cookies travel in the clear", s.PublicURL)
	default:
		r.Pass("public url", s.PublicURL)
	}
	var insecure []string
	for _, o := range s.CORS.Origins {
		if u, err := url.Parse(o); err == nil && u.Scheme != "https" && !isLoopback(u.Hostname()) {
			insecure = append(insecure, o)
		}
	}
	switch {
	case len(insecure) > 0:
		r.Warn("cors", "use the https form of these origins", "%s may read answers over plain http", strings.Join(insecure, ", "))
	case len(s.CORS.Origins) == 0:
		r.Pass("cors", "no other web origin may read answers")
	default:
		r.Pass("cors", "%s may read answers", strings.Join(s.CORS.Origins, ", "))
	}
	prefixes, _ := s.TrustedPrefixes() // checked when the settings were read
	for _, p := range prefixes {
		if p.Bits() == 0 {
			r.Warn("trusted proxies", "list only the addresses of your own proxies in trusted-proxies", "%s lets anybody write what address they come from", p)
		}
	}
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
