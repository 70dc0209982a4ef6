package main

import (
	"log/slog"

	"github.com/lectiospace/lectern/internal/config"
)

// reload reads the settings again, as SIGHUP asks for: secrets and the log level. No job
// ends. The key of the tenants' secrets stays: what is stored is sealed with it.
func (s *service) reload(cli *CLI, level *slog.LevelVar) {
	live, files := s.live(level)
	config.Apply(cli, func() *CLI { return &CLI{} }, live, files, s.log)
}

// live are the settings that a running syncer can change, and those of them that name
// files whose content may have changed.
func (s *service) live(level *slog.LevelVar) (live config.Live[*CLI], files []string) {
	live = config.Live[*CLI]{
		"log-level":           func(next *CLI) error { level.Set(next.Log.SlogLevel()); return nil },
		"zoom-webhook-secret": func(next *CLI) error { s.syncer.SetWebhookSecrets(next.Zoom.Secrets()); return nil },
		"alert-urls":          func(next *CLI) error { s.alerts.SetTargets(next.Alert); return nil },
		"database-url":        func(next *CLI) error { return s.store.SetPassword(next.DatabaseURL) },
	}
	for _, r := range s.remotes {
		files = append(files, r.credentials)
		live[r.credentials] = func(next *CLI) error { return r.setCredentials(next.Origin) }
	}
	return live, files
}
