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
	watch := exec.Command(limiter, "-c", `read -r _ || kill -s KILL -- "-$1"`, "sh", strconv.Itoa(pid))
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

// limiter is the shell that sets the limits of programs; see limited.
const limiter = "/bin/sh"

// limited are the program and its arguments behind a shell that limits itself and then becomes the
// program, whose children inherit the limits. Set from here, once the program has begun, they would come
// too late where this process waits for a processor.
func (c Command) limited() []string {
	limits := []string{"ulimit -c 0"}
	if c.Memory > 0 {
		limits = append(limits, fmt.Sprintf("ulimit -v %d", (c.Memory+1023)/1024))
	}
	if c.Processor > 0 {
		seconds := (c.Processor + time.Second - 1) / time.Second
		limits = append(limits, fmt.Sprintf("ulimit -S -t %d", seconds), fmt.Sprintf("ulimit -H -t %d", seconds+5))
	}
	return append([]string{limiter, "-c", strings.Join(append(limits, `exec "$@"`), " && "), "sh"}, c.Args...)
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
