package main

import (
	"log/slog"

	"github.com/lectiospace/lectern/internal/config"
)

// reload reads the settings again, as SIGHUP asks for: secrets, the log level, and the
// keys that a JWKS publishes. No stream ends.
func (s *service) reload(cli *CLI, level *slog.LevelVar) {
	live, files := s.live(level)
	config.Apply(cli, func() *CLI { return &CLI{} }, live, files, s.log)
	s.verifier.RefreshKeys()
}

// live are the settings that a running gateway can change, and those of them that name
// files whose content may have changed.
func (s *service) live(level *slog.LevelVar) (live config.Live[*CLI], files []string) {
	secrets := func(next *CLI) error {
		if err := s.verifier.SetSecrets(next.Auth); err != nil {
			return err
		}
		return s.minter.SetSecrets(next.Auth)
	}
	live = config.Live[*CLI]{
		"log-level":            func(next *CLI) error { level.Set(next.Log.SlogLevel()); return nil },
		"auth-jwt-secret":      secrets,
		"auth-playback-secret": secrets,
		"database-url":         func(next *CLI) error { return s.store.SetPassword(next.DatabaseURL) },
	}
	for _, r := range s.remotes {
		files = append(files, r.credentials)
		live[r.credentials] = func(next *CLI) error { return r.setCredentials(next.Origin) }
	}
	return live, files
}
