package ffmpeg

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// isolate has the kernel kill the process when this one dies, kill -9 included.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// apply sets the limits of a process that was just started. It has run for some
// microseconds by then, which is less than it takes to load its libraries.
func (l limits) apply(pid int) error {
	seconds := uint64((l.cpu + time.Second - 1) / time.Second)
	for _, limit := range []struct {
		resource int
		value    unix.Rlimit
	}{
		{unix.RLIMIT_AS, unix.Rlimit{Cur: l.memory, Max: l.memory}},
		{unix.RLIMIT_CPU, unix.Rlimit{Cur: seconds, Max: seconds + 5}},
		{unix.RLIMIT_CORE, unix.Rlimit{}},
	} {
		if err := unix.Prlimit(pid, limit.resource, &limit.value, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("limit a process: %w", err)
		}
	}
	nice := niceness
	if l.idle {
		nice = idleNiceness
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, pid, nice); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("lower a process's priority: %w", err)
	}
	return nil
}
