package results

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Machine is where, when and what of a run.
type Machine struct {
	Date     string            `json:"date"`
	Commit   string            `json:"commit"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Memory   string            `json:"memory"`
	Kernel   string            `json:"kernel"`
	System   string            `json:"system"`
	Go       string            `json:"go"`
	Network  string            `json:"network"` // congestion control and buffers
	Versions map[string]string `json:"versions"`
	Quick    bool              `json:"quick"`
}

// ThisMachine finds out what can be found out; what cannot is "unknown".
func ThisMachine(ctx context.Context, module string) Machine {
	read := func(path string) string {
		raw, err := os.ReadFile(path)
		if err != nil {
			return "unknown"
		}
		return strings.Join(strings.Fields(string(raw)), " ")
	}
	field := func(path, name string) string {
		raw, _ := os.ReadFile(path)
		for line := range strings.Lines(string(raw)) {
			if value, ok := strings.CutPrefix(line, name); ok {
				return strings.Trim(value, " \t\n:=\"")
			}
		}
		return "unknown"
	}
	return Machine{
		Date: time.Now().UTC().Format("2006-01-02 15:04 MST"), Commit: commit(ctx, module),
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(),
		Memory: field("/proc/meminfo", "MemTotal"), Kernel: read("/proc/sys/kernel/osrelease"),
		System: field("/etc/os-release", "PRETTY_NAME"), Go: runtime.Version(),
		Network: "loopback, " + read("/proc/sys/net/ipv4/tcp_congestion_control") +
			", tcp_wmem " + read("/proc/sys/net/ipv4/tcp_wmem") + ", tcp_rmem " + read("/proc/sys/net/ipv4/tcp_rmem"),
	}
}

// commit names the commit, and says when the tree was not clean.
func commit(ctx context.Context, module string) string {
	git := func(args ...string) string {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", module}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	id := git("rev-parse", "--short=12", "HEAD")
	if id == "" {
		return "unknown"
	}
	if git("status", "--porcelain", "--untracked-files=no") != "" {
		id += " with changes"
	}
	return id
}
