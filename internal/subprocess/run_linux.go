package subprocess

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
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

// watchGroup starts a process that kills a group when this one dies: the kernel would kill
// only the program itself, and not what that has started. The function ends the watch.
func watchGroup(pid int) (end func(), err error) {
	watch := exec.Command("/bin/sh", "-c", `read -r _ || kill -s KILL -- "-$1"`, "sh", strconv.Itoa(pid))
	watch.Env = []string{}
	watch.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal to our group is none to it
	alive, err := watch.StdinPipe()
	if err != nil {
		return func() {}, err
	}
	if err := watch.Start(); err != nil {
		return func() {}, fmt.Errorf("watch over a process group: %w", err)
	}
	return func() {
		_, _ = alive.Write([]byte("\n")) // it does not read where it was killed
		_ = watch.Wait()
	}, nil
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
