package config

import "runtime/debug"

// version and commit are set by the linker: -X …/internal/config.version=v1.
var version, commit string

// Version is what --version and lectern_build_info say. Without the linker's
// word it is what the build itself recorded.
func Version() (v, c string) {
	v, c = version, commit
	info, ok := debug.ReadBuildInfo()
	if v == "" {
		v = "dev"
		if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
	}
	if c == "" {
		c = "unknown"
		if ok {
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" {
					c = s.Value
				}
			}
		}
	}
	return v, c
}
