//go:build !linux

package subprocess

import "os/exec"

// isolate, limited and lowerPriority do nothing elsewhere than on Linux, where the services run; the limits of
// time and output hold everywhere.
func isolate(*exec.Cmd, bool) {}

func killGroup(int) error { return nil }

func watchGroup(int) (end func(), err error) { return func() {}, nil }

func (c Command) limited(program string) ([]string, error) {
	return append([]string{program}, c.Args[1:]...), nil
}

func (Command) lowerPriority(int) error { return nil }
