package tcpmemory

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// GroupLimit is how many bytes the process's control group may use, its sockets included; 0 where
// nothing bounds it. It is the least memory.max of the group and those that it is in, of the kernel's
// control groups version 2; groups of version 1 do not count sockets with other memory.
func GroupLimit() int64 { return groupLimit("/proc/self/cgroup", "/sys/fs/cgroup") }

// groupLimit reads a file as /proc/PID/cgroup, cgroups(7), and the groups below root.
func groupLimit(membership, root string) int64 {
	text, err := os.ReadFile(membership)
	if err != nil {
		return 0
	}
	group := ""
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			group = filepath.Join("/", strings.TrimSuffix(path, "\n"))
		}
	}
	if group == "" {
		return 0
	}
	least := int64(0)
	for {
		// The file is missing in the root group, which has no limit.
		text, err := os.ReadFile(filepath.Join(root, group, "memory.max"))
		if limit, parseErr := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && parseErr == nil && (least == 0 || limit < least) {
			least = limit
		}
		if group == "/" {
			return least
		}
		group = filepath.Dir(group)
	}
}
