package config

import (
	_ "embed"
	"runtime/debug"
	"strings"
)

// version and commit are set by the linker: -X …/internal/config.version=v1.
var version, commit string

// archived is what `git archive` writes in place of the placeholders: the version by
// tags, where there are any, the commit and its time, between blanks. It names the version of a build from a
// source archive, which has no repository.
//
//go:embed archived.txt
var archived string

// Version is what --version and lectern_build_info say.
func Version() (v, c string) {
	info, _ := debug.ReadBuildInfo()
	return versionOf(version, commit, archived, info)
}

// versionOf returns the version and the commit by the best source that knows them: the
// linker, the source archive, and what the build recorded, which is the version of the
// module for `go install …@v1` and the repository's state for `go build`.
func versionOf(linkedVersion, linkedCommit, archived string, info *debug.BuildInfo) (v, c string) {
	v, c = linkedVersion, linkedCommit
	tag, rest, _ := strings.Cut(archived, " ")
	revision, _, _ := strings.Cut(rest, " ")
	if strings.Contains(archived, "$Format:") {
		tag, revision = "", "" // not an archive
	}
	if v == "" {
		if v = tag; v == "" && len(revision) >= 7 {
			v = revision[:7]
		}
	}
	if c == "" {
		c = revision
	}
	if info != nil && v == "" && info.Main.Version != "(devel)" {
		v = info.Main.Version
	}
	if info != nil && c == "" {
		c = revisionOf(info)
	}
	if v == "" {
		v = "dev"
	}
	if c == "" {
		c = "unknown"
	}
	return v, c
}

// revisionOf returns the commit of a build: of its repository, else the beginning that a
// module's pseudo-version ends with.
func revisionOf(info *debug.BuildInfo) string {
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	version, _, _ := strings.Cut(info.Main.Version, "+")
	if parts := strings.Split(version, "-"); len(parts) >= 3 && len(parts[len(parts)-1]) == 12 {
		return parts[len(parts)-1]
	}
	return ""
}
