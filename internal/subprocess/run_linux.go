package subprocess

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
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
	watch := exec.Command(posixShell, "-c", `read -r _ || kill -s KILL -- "-$1"`, "sh", strconv.Itoa(pid))
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

// posixShell sets the limits of programs, and watches over their groups.
const posixShell = "/bin/sh"

// limited are a program and its arguments behind a shell that limits itself and then becomes the
// program, whose children inherit the limits. If this process set them, the program would already run,
// and on a busy machine might have ended. A limit that this process has itself is not raised; one that is
// refused ends the shell with statusNotExecutable.
func (c Command) limited(program string) ([]string, error) {
	limits := []string{"ulimit -c 0"}
	if c.Memory > 0 {
		most, err := atMost(unix.RLIMIT_AS, c.Memory)
		if err != nil {
			return nil, err
		}
		limits = append(limits, fmt.Sprintf("ulimit -v %d", most/1024))
	}
	if c.Processor > 0 {
		seconds := uint64((c.Processor + time.Second - 1) / time.Second)
		most, err := atMost(unix.RLIMIT_CPU, seconds+5)
		if err != nil {
			return nil, err
		}
		limits = append(limits, fmt.Sprintf("ulimit -S -t %d", min(seconds, most)), fmt.Sprintf("ulimit -H -t %d", most))
	}
	script := fmt.Sprintf(`{ %s; } || exit %d; exec "$@"`, strings.Join(limits, " && "), statusNotExecutable)
	return append([]string{posixShell, "-c", script, "sh", program}, c.Args[1:]...), nil
}

// atMost is a limit, or this process's own hard one where that is lower.
func atMost(resource int, want uint64) (uint64, error) {
	var own unix.Rlimit
	if err := unix.Getrlimit(resource, &own); err != nil {
		return 0, fmt.Errorf("read a limit: %w", err)
	}
	return min(want, own.Max), nil
}

// lowerPriority gives a process that was just started its priority, and those that it starts.
func (c Command) lowerPriority(pid int) error {
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
