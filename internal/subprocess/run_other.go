//go:build !linux

package subprocess

import "os/exec"

// isolate and limit do nothing elsewhere than on Linux, where the services run; the limits of
// time and output hold everywhere.
func isolate(*exec.Cmd, bool) {}

func killGroup(int) error { return nil }

func watchGroup(int) (end func(), err error) { return func() {}, nil }

func (Command) limit(int) error { return nil }
