package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/demo"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/telemetry"
)

type demoCommand struct {
	Keep       bool `help:"Keep the demo's data directory after Ctrl-C and print where it is."`
	WithSyncer bool `help:"Emulate Zoom too: a meeting ends, its webhook comes, and the recorded lesson appears and plays."`
	WithS3     bool `name:"with-s3" help:"Emulate S3 too, and read the lessons from a bucket of it instead of a folder."`
	WithOIDC   bool `name:"with-oidc" help:"Emulate a provider of OpenID Connect too: people sign in there by choosing who they are."`
}

// Run prepares everything in a new directory, serves it, and removes it.
func (c *demoCommand) Run(ctx context.Context, cli *CLI, term terminal) (err error) {
	dir, err := os.MkdirTemp("", "lectern-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if c.Keep {
			fmt.Fprintln(term.Out, "kept:", dir)
		} else if rmErr := os.RemoveAll(dir); err == nil {
			err = rmErr
		}
	}()
	settings := demoSettings(cli.Settings, dir)
	log := telemetry.NewLogger(settings.Log, term.Err)
	sync := config.SyncerDefaults().Sync.Config
	sync.WorkDir = filepath.Join(dir, "sync")
	var bucket *demo.Bucket // nil means a local folder
	if c.WithS3 {
		if bucket, err = demo.StartBucket(log); err != nil {
			return err
		}
		defer bucket.Stop()
		settings.Origin.S3 = bucket.Config()
	}
	var signIn *demo.SignIn // nil means by links only
	if c.WithOIDC {
		if signIn, err = demo.StartSignIn(); err != nil {
			return err
		}
		defer signIn.Stop()
		settings.OIDC = signIn.Config()
	}
	version, _ := config.Version()
	d, err := demo.New(ctx, demo.Config{
		DatabaseURL: settings.DatabaseURL, Local: settings.Origin.Local, Bucket: bucket, SignIn: signIn, Auth: settings.Auth, PublicURL: settings.PublicURL, Sync: sync, Version: version,
	}, log)
	if err != nil {
		return err
	}
	svc, err := assemble(ctx, &settings, log)
	if err != nil {
		return err
	}
	defer svc.close()
	public, admin, err := demo.Listen(settings.Listen, settings.AdminListen)
	if err != nil {
		return err
	}
	if err := d.PrintWelcome(term.Out, public.Addr(), admin.Addr()); err != nil {
		return err
	}
	defer d.Stop()
	if c.WithSyncer {
		if err := d.StartMeeting(ctx, public.Addr(), term.Out, term.Err); err != nil {
			return err
		}
	}
	return svc.serve(ctx, public, admin)
}

// demoSettings are the given settings with everything that must be prepared
// replaced by something in dir: the demo never touches a real catalog.
func demoSettings(s config.Settings, dir string) config.Settings {
	s.DataDir = dir
	s.DatabaseURL = "sqlite://" + filepath.Join(dir, "lectern.db")
	s.Cache.Dir = filepath.Join(dir, "cache")
	s.Origin = config.Origins{Local: local.Config{Root: filepath.Join(dir, "recordings")}}
	s.Auth = auth.Config{
		JWTSecret:    rand.Text() + rand.Text(),
		QueryTokens:  "any",
		AccessRule:   s.Auth.AccessRule,
		OutageGrace:  s.Auth.OutageGrace,
		MaxStaleness: s.Auth.MaxStaleness,
	}
	return s
}
