// Package meter reads what a server costs: processor time and memory of its
// whole process tree, and the kernel's memory for sockets.
package meter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/tcpmemory"
)

// ticksPerSecond is USER_HZ, which is 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// Tree is a set of processes: the given ones and all their descendants.
type Tree struct{ roots []int }

// NewTree looks at these processes and what they start.
func NewTree(roots ...int) Tree { return Tree{roots} }

// With is the tree with one more process.
func (t Tree) With(root int) Tree { return Tree{append(t.roots[:len(t.roots):len(t.roots)], root)} }

// Usage is what a tree has used at one moment.
type Usage struct {
	CPU time.Duration // user and system, since the start
	RSS int64         // bytes
}

// Usage sums up over the processes that are there now.
func (t Tree) Usage() (Usage, error) {
	stats, err := allProcesses()
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	for pid, s := range stats {
		if t.holds(stats, pid) {
			u.CPU += time.Duration(s.ticks) * time.Second / ticksPerSecond
			u.RSS += s.pages * int64(os.Getpagesize())
		}
	}
	return u, nil
}

func (t Tree) holds(stats map[int]processStat, pid int) bool {
	for range 64 { // deeper than any tree
		for _, root := range t.roots {
			if pid == root {
				return true
			}
		}
		s, ok := stats[pid]
		if !ok || s.parent <= 1 {
			return false
		}
		pid = s.parent
	}
	return false
}

// Written is how many bytes the processes that are there now have had written to disks, since
// their start: proc(5)'s write_bytes, which counts pages when they become dirty.
func (t Tree) Written() (bytes int64, err error) {
	stats, err := allProcesses()
	if err != nil {
		return 0, err
	}
	for pid := range stats {
		if !t.holds(stats, pid) {
			continue
		}
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/io")
		if errors.Is(err, os.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			return 0, err
		}
		n, err := parseWritten(string(raw))
		if err != nil {
			return 0, err
		}
		bytes += n
	}
	return bytes, nil
}

func parseWritten(raw string) (int64, error) {
	for line := range strings.Lines(raw) {
		if value, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			return strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, errors.New("/proc/PID/io has no write_bytes")
}

type processStat struct {
	parent       int
	ticks, pages int64
}

func allProcesses() (map[int]processStat, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	stats := make(map[int]processStat, len(dirs))
	for _, dir := range dirs {
		raw, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue // it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		if stats[pid], err = parseStat(raw); err != nil {
			return nil, fmt.Errorf("%s/stat: %w", dir, err)
		}
	}
	return stats, nil
}

// parseStat reads proc(5)'s stat: the name in parentheses may hold anything, so
// what counts begins after the last one.
func parseStat(raw []byte) (s processStat, err error) {
	end := bytes.LastIndexByte(raw, ')')
	fields := strings.Fields(string(raw[end+1:]))
	if end < 0 || len(fields) < 22 {
		return s, errors.New("not understood")
	}
	number := func(field int) int64 { // counted as in proc(5), from 1
		n, parseErr := strconv.ParseInt(fields[field-3], 10, 64)
		err = errors.Join(err, parseErr)
		return n
	}
	s.parent = int(number(4))
	s.ticks = number(14) + number(15)
	s.pages = number(24)
	return s, err
}

// SocketMemory returns the kernel's TCP memory of all processes, in bytes.
func SocketMemory() (int64, error) {
	used, known := tcpmemory.Used()
	if !known {
		return 0, errors.New("the kernel does not say how much memory TCP uses")
	}
	return used, nil
}
