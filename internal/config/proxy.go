package config

import (
	"time"

	"github.com/lectiospace/lectern/internal/proxy"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

const (
	// shortestRecheck bounds how often running streams are checked again when
	// auth-max-staleness is short, or 0.
	shortestRecheck = 100 * time.Millisecond
	// recheckTime is allowed for one round of checks.
	recheckTime = 100 * time.Millisecond
)

// Proxy returns the configuration of the public listener.
func (s *Settings) Proxy() (proxy.Config, error) {
	cfg := proxy.DefaultConfig()
	cfg.Limit, cfg.CORS, cfg.Embed, cfg.PublicURL = s.Limit, s.CORS, s.Embed, s.PublicURL
	cfg.DirectStreamThreshold, cfg.AccessLog = s.DirectStreamThreshold, s.AccessLog
	cfg.SessionTTL = s.Session.TTL
	if s.OIDC.On() {
		cfg.SignIn = &respond.SignIn{URL: "/signin", Label: s.OIDC.Label}
	}
	prefixes, err := s.TrustedPrefixes()
	if err != nil {
		return cfg, err
	}
	cfg.TrustedProxies = prefixes
	cfg.Recheck = min(max(s.Auth.MaxStaleness/2, shortestRecheck), cfg.Recheck)
	return cfg, nil
}

// CatalogStaleness returns how old a cached entry of the catalog may be, so that a
// running stream, whose access is checked again every recheck, is aborted within
// auth-max-staleness of the change.
func (s *Settings) CatalogStaleness(recheck time.Duration) time.Duration {
	return max(0, s.Auth.MaxStaleness-recheck-recheckTime)
}
