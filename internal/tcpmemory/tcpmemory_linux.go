package tcpmemory

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Bound is the first bound of tcp_mem, tcp(7), in bytes; 0 where nothing is known. In a
// network namespace without the file it is computed as the kernel does at boot: three quarters of
// a sixteenth of all memory. It counts up to a quarter of all memory.
func Bound() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	all := int64(info.Totalram * uint64(info.Unit))
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_mem")
	if fields := strings.Fields(string(text)); err == nil && len(fields) == 3 {
		if pages, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
			page := int64(os.Getpagesize())
			return min(pages, all/4/page) * page
		}
	}
	return all / 64 * 3
}

// Used is what all connections use, IPv6's included, in bytes; false where that is unknown.
func Used() (used int64, known bool) {
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0, false
	}
	return parseSockstat(text)
}

// parseSockstat finds the memory of TCP in the file sockstat of proc(5), which counts pages.
func parseSockstat(text []byte) (used int64, known bool) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(fields); i += 2 {
			if fields[i] == "mem" {
				pages, err := strconv.ParseInt(fields[i+1], 10, 64)
				return pages * int64(os.Getpagesize()), err == nil
			}
		}
	}
	return 0, false
}
