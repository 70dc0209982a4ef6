package config

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// TestVersionOf: whichever way a program is built, it says what it was built from.
func TestVersionOf(t *testing.T) {
	const hash = "1f372a8b9c0d1e2f3a4b5c6d7e8f9a0b1c2d3e4f"
	const repository = "$Format:%(describe:tags=true) %H %ct$\n"
	built := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: hash}
	for _, c := range []struct {
		name             string
		linked, commit   string
		archived         string
		info             *debug.BuildInfo
		version, builtOf string
	}{
		{"make build", "v1.2.0-3-g1f372a8", hash, repository, built("(devel)"), "v1.2.0-3-g1f372a8", hash},
		{"make build without a repository", "", "", "v1.2.0 " + hash + " 1764170000\n", built("(devel)"), "v1.2.0", hash},
		{"go build", "", "", repository, built("v0.0.0-20261126152233-1f372a8b9c0d", revision), "v0.0.0-20261126152233-1f372a8b9c0d", hash},
		{"go build of a changed tree", "", "", repository, built("v1.2.1-0.20261126152233-1f372a8b9c0d+dirty", revision), "v1.2.1-0.20261126152233-1f372a8b9c0d+dirty", hash},
		{"go install of a version", "", "", repository, built("v1.2.0"), "v1.2.0", "unknown"},
		{"go install of a commit", "", "", repository, built("v0.0.0-20261126152233-1f372a8b9c0d"), "v0.0.0-20261126152233-1f372a8b9c0d", "1f372a8b9c0d"},
		{"archive of a tag", "", "", "v1.2.0 " + hash + " 1764170000\n", built("(devel)"), "v1.2.0", hash},
		{"archive without tags", "", "", " " + hash + " 1764170000\n", built("(devel)"), "1f372a8", hash},
		{"archive inside another repository", "", "", "v1.2.0 " + hash + " 1764170000\n", built("v9.0.0+dirty", debug.BuildSetting{Key: "vcs.revision", Value: "other"}), "v1.2.0", hash},
		{"nothing known", "", "", repository, built("(devel)"), "dev", "unknown"},
		{"no build information", "", "", repository, nil, "dev", "unknown"},
	} {
		v, commit := versionOf(c.linked, c.commit, c.archived, c.info)
		if v != c.version || commit != c.builtOf {
			t.Errorf("%s: %q, %q, want %q, %q", c.name, v, commit, c.version, c.builtOf)
		}
	}
}

// TestArchivedIsSubstituted: `git archive` substitutes in files that .gitattributes names.
func TestArchivedIsSubstituted(t *testing.T) {
	attributes, err := os.ReadFile("../../.gitattributes")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(attributes), "\ninternal/config/archived.txt export-subst\n") {
		t.Errorf("archived.txt is not substituted:\n%s", attributes)
	}
}
