package subprocess

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lowest is the lowest priority.
const lowest = 19

// isolate has the kernel kill the process when this one dies, kill -9 included, and starts it
// in a group of its own unless it starts no other.
func isolate(cmd *exec.Cmd, alone bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !alone, Pdeathsig: syscall.SIGKILL}
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

// limit sets the limits of a process that was just started, which its children inherit. It
// has run for some microseconds by then, which is less than it takes to load its libraries.
func (c Command) limit(pid int) error {
	limits := map[int]unix.Rlimit{unix.RLIMIT_CORE: {}}
	if c.Memory > 0 {
		limits[unix.RLIMIT_AS] = unix.Rlimit{Cur: c.Memory, Max: c.Memory}
	}
	if c.Processor > 0 {
		seconds := uint64((c.Processor + time.Second - 1) / time.Second)
		limits[unix.RLIMIT_CPU] = unix.Rlimit{Cur: seconds, Max: seconds + 5}
	}
	for resource, limit := range limits {
		if err := unix.Prlimit(pid, resource, &limit, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("limit a process: %w", err)
		}
	}
	which, nice := unix.PRIO_PGRP, c.Niceness
	if c.Alone {
		which = unix.PRIO_PROCESS
	}
	if nice == 0 {
		nice = lowest
	}
	if err := unix.Setpriority(which, pid, nice); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("lower a process's priority: %w", err)
	}
	return nil
}
