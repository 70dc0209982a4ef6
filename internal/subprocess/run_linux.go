package subprocess

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// niceness is the lowest priority.
const niceness = 19

// isolate starts the process in a group of its own, and has the kernel kill it when this one
// dies, kill -9 included.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills all processes of a group; that it is empty is no error.
func killGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill a process group: %w", err)
	}
	return nil
}

// limit sets the limits of a process that was just started, which its children inherit.
func (c Command) limit(pid int) error {
	if c.Memory > 0 {
		if err := unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: c.Memory, Max: c.Memory}, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("limit a process: %w", err)
		}
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("limit a process: %w", err)
	}
	if err := unix.Setpriority(unix.PRIO_PGRP, pid, niceness); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("lower a process's priority: %w", err)
	}
	return nil
}
