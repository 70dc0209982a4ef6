package main

import (
	"os/exec"
	"testing"
	"time"
)

// TestPackageVersion: versions are Debian's, and sort in the order of development.
func TestPackageVersion(t *testing.T) {
	at := time.Date(2026, 11, 26, 15, 40, 25, 0, time.UTC)
	older := ""
	for _, c := range []struct{ described, want string }{
		{"411b1fe", "0~git20261126154025.411b1fe"},
		{"411b1fe-dirty", "0~git20261126154025.411b1fe+dirty"},
		{"v1.2.0-rc1", "1.2.0~rc1"},
		{"v1.2.0-rc1-3-g411b1fe", "1.2.0~rc1+3.g411b1fe"},
		{"v1.2.0", "1.2.0"},
		{"v1.2.0-dirty", "1.2.0+dirty"},
		{"v1.2.0-4-g411b1fe-dirty", "1.2.0+4.g411b1fe+dirty"},
		{"v1.2.1", "1.2.1"},
	} {
		got := revision{version: c.described, time: at}.packageVersion()
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.described, got, c.want)
		}
		if older != "" && c.described != "v1.2.0-4-g411b1fe-dirty" {
			if err := exec.Command("dpkg", "--compare-versions", older, "lt", got).Run(); err != nil {
				t.Errorf("%s is not before %s: %v", older, got, err)
			}
		}
		older = got
	}
}

// TestArchivedRevision: a source archive says what it was made from, a repository's file
// does not.
func TestArchivedRevision(t *testing.T) {
	const hash = "1f372a8b9c0d1e2f3a4b5c6d7e8f9a0b1c2d3e4f"
	at := time.Unix(1764170000, 0).UTC()
	for _, c := range []struct {
		archived string
		want     revision
		ok       bool
	}{
		{"v1.2.0 " + hash + " 1764170000\n", revision{"v1.2.0", hash, at}, true},
		{" " + hash + " 1764170000\n", revision{"1f372a8", hash, at}, true},
		{"$Format:%(describe:tags=true) %H %ct$\n", revision{}, false},
		{"", revision{}, false},
	} {
		if got, ok := archivedRevision(c.archived); ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %v %v", c.archived, got, ok)
		}
	}
}
