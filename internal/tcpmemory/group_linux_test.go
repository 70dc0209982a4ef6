package tcpmemory

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGroupLimit(t *testing.T) {
	for name, c := range map[string]struct {
		membership string
		limits     map[string]string // by group
		want       int64
	}{
		"a unit":                  {"0::/system.slice/gateway.service\n", map[string]string{"system.slice/gateway.service": "805306368\n", "system.slice": "max\n"}, 805306368},
		"a slice has less":        {"0::/system.slice/gateway.service\n", map[string]string{"system.slice/gateway.service": "805306368\n", "system.slice": "4096\n"}, 4096},
		"a container":             {"0::/\n", map[string]string{"": "1048576\n"}, 1048576},
		"beside groups version 1": {"4:memory:/a\n1:name=systemd:/a\n0::/b\n", map[string]string{"a": "1\n", "b": "2\n"}, 2},
		"no limit":                {"0::/a\n", map[string]string{"a": "max\n"}, 0},
		"groups of version 1":     {"4:memory:/a\n", map[string]string{"a": "1\n"}, 0},
		"outside of the root":     {"0::/../../a\n", map[string]string{"a": "7\n"}, 7},
		"nothing is known":        {"", nil, 0},
		"no file":                 {"0::/a\n", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			membership, root := filepath.Join(dir, "cgroup"), filepath.Join(dir, "groups")
			write(t, membership, c.membership)
			for group, limit := range c.limits {
				write(t, filepath.Join(root, group, "memory.max"), limit)
			}
			if got := groupLimit(membership, root); got != c.want {
				t.Errorf("%d, want %d", got, c.want)
			}
		})
	}
	if got := groupLimit(filepath.Join(t.TempDir(), "missing"), t.TempDir()); got != 0 {
		t.Errorf("%d without groups", got)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
