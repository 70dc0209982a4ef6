package main

import (
	"log/slog"

	"github.com/lectiospace/lectern/internal/config"
)

// reload reads the settings again, as SIGHUP asks for: secrets and the log level. No job
// ends. The key of the tenants' secrets stays: what is stored is sealed with it.
func (s *service) reload(cli *CLI, level *slog.LevelVar) {
	live := config.Live[*CLI]{
		"log-level":           func(next *CLI) error { level.Set(next.Log.SlogLevel()); return nil },
		"zoom-webhook-secret": func(next *CLI) error { s.syncer.SetWebhookSecrets(next.Zoom.Secrets()); return nil },
		"alert-urls":          func(next *CLI) error { s.alerts.SetTargets(next.Alert); return nil },
		"database-url":        func(next *CLI) error { return s.store.SetPassword(next.DatabaseURL) },
	}
	var files []string
	if s.drive != nil {
		files = []string{"origin-drive-credentials"}
		live[files[0]] = func(next *CLI) error { return s.drive.SetCredentials(next.Origin.Drive) }
	}
	config.Apply(cli, func() *CLI { return &CLI{} }, live, files, s.log)
}
