package meter

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Machine is the processor time of all cores together, since the start of the machine.
type Machine struct {
	All, Idle time.Duration
}

// MachineTime reads it. Waiting for disks counts as idle.
func MachineTime() (Machine, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, err
	}
	return parseMachine(string(raw))
}

// parseMachine reads the first line of proc(5)'s stat: user, nice, system, idle, iowait, irq,
// softirq, steal; what follows is part of the first two.
func parseMachine(raw string) (m Machine, err error) {
	line, _, _ := strings.Cut(raw, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return m, errors.New("/proc/stat is not understood")
	}
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return m, fmt.Errorf("/proc/stat: %w", err)
		}
		d := time.Duration(ticks) * time.Second / ticksPerSecond
		m.All += d
		if i == 3 || i == 4 {
			m.Idle += d
		}
	}
	return m, nil
}

// Self is the processor time of this process, without its children.
func Self() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, err
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}
