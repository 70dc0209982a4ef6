package syncer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer"
)

// TestConfigOfMatching: what cannot work is refused, by the setting's name.
func TestConfigOfMatching(t *testing.T) {
	good := syncer.Config{
		ReconcileEvery: time.Minute, Lookback: time.Hour, UsageEvery: time.Hour, CleanupAt: "03:00", Workers: 1, Unmatched: "archive",
	}
	for name, c := range map[string]struct {
		change func(*syncer.Config)
		want   string
	}{
		"as it is":       {func(*syncer.Config) {}, ""},
		"no time around": {func(c *syncer.Config) { c.MatchEarly, c.MatchLate = 0, 0 }, ""},
		"wait":           {func(c *syncer.Config) { c.Unmatched = "wait" }, ""},
		"early":          {func(c *syncer.Config) { c.MatchEarly = -time.Second }, "sync-match-early: -1s is too short"},
		"late":           {func(c *syncer.Config) { c.MatchLate = -time.Hour }, "sync-match-late: -1h0m0s is too short"},
		"unmatched":      {func(c *syncer.Config) { c.Unmatched = "drop" }, `sync-unmatched: "drop" is not one of archive, wait`},
	} {
		in := good
		c.change(&in)
		err := in.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
