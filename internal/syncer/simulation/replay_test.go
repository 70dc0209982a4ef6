package simulation

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var replays = flag.Int("replays", 0, "live through so many seeds twice, and compare their histories")

// TestReplays says how often two runs of one seed give the same history, line by line. In a
// program that is built without the overlay of the command deterministic they hardly do: waits
// have a random part, and of several goroutines that can run at a moment any may be the first.
func TestReplays(t *testing.T) {
	if *replays == 0 {
		t.Skip("-replays says how many seeds are compared")
	}
	whole, faults, verdict := 0, 0, 0
	for n := range *replays {
		var histories [2][]string
		var failed [2]bool
		for i := range histories {
			seed, path := *fromSeed+uint64(n), filepath.Join(t.TempDir(), "history")
			failed[i] = !t.Run(fmt.Sprintf("%d-%d", seed, i), func(t *testing.T) { apart(t, seed, "-history", path) })
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			histories[i] = strings.Split(string(data), "\n")
		}
		if slices.Equal(histories[0], histories[1]) {
			whole++
		} else {
			at := firstDifference(histories[0], histories[1])
			t.Logf("seed %d differs from line %d on:\n%s\n%s", *fromSeed+uint64(n), at, line(histories[0], at), line(histories[1], at))
		}
		if slices.Equal(happened(histories[0]), happened(histories[1])) {
			faults++
		}
		if failed[0] == failed[1] {
			verdict++
		}
	}
	t.Logf("of %d seeds, %d have the same history, %d the same faults and events, %d the same verdict", *replays, whole, faults, verdict)
}

// line is one of a history, "" behind its end.
func line(history []string, n int) string {
	if n < len(history) {
		return history[n]
	}
	return ""
}

func firstDifference(a, b []string) int {
	for n := range min(len(a), len(b)) {
		if a[n] != b[n] {
			return n
		}
	}
	return min(len(a), len(b))
}

// happened are the lines of a history that are no log, without their times, in order of text.
func happened(history []string) (out []string) {
	const stamp = len("2006-01-02 15:04:05 ")
	for _, line := range history {
		if len(line) < stamp {
			continue
		}
		if line = line[stamp:]; !strings.HasPrefix(line, "[") {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}
