package config_test

import (
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/proxy"
)

// TestStalenessOfARunningStream: an entry's age, the pause between two checks and the
// time of one check together do not exceed auth-max-staleness where that is possible.
func TestStalenessOfARunningStream(t *testing.T) {
	const oneCheck = 100 * time.Millisecond
	for _, c := range []struct {
		limit   string
		recheck time.Duration
	}{
		{"30s", proxy.DefaultConfig().Recheck},
		{"600ms", 300 * time.Millisecond},
		{"200ms", 100 * time.Millisecond},
		{"50ms", 100 * time.Millisecond}, // checked as often as is allowed
		{"0s", 100 * time.Millisecond},
	} {
		s, _, err := parse(t, []string{"LECTERN_AUTH_MAX_STALENESS=" + c.limit, "LECTERN_TRUSTED_PROXIES=192.0.2.0/24"})
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := s.Proxy()
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Recheck != c.recheck {
			t.Errorf("%s: checked every %v, want %v", c.limit, cfg.Recheck, c.recheck)
		}
		staleness := s.CatalogStaleness(cfg.Recheck)
		if total := staleness + cfg.Recheck + oneCheck; staleness != 0 && total != s.Auth.MaxStaleness || staleness == 0 && total < s.Auth.MaxStaleness {
			t.Errorf("%s: entries of %v, checked every %v", c.limit, staleness, cfg.Recheck)
		}
		if len(cfg.TrustedProxies) != 1 || cfg.TrustedProxies[0].String() != "192.0.2.0/24" {
			t.Errorf("trusted proxies %v", cfg.TrustedProxies)
		}
	}
}
