// Command deterministic prints the path of an overlay (see go help build) with which a
// program's goroutines in a bubble of testing/synctest run in the same order each time: give it
// to go test as -overlay, together with -tags deterministic and GODEBUG=asyncpreemptoff=1.
//
// The overlay replaces files of the Go runtime. Hashes of maps have the same keys in each
// process, and a mutex never notices how long it was waited for. In a bubble, once
// simulationState is set, what the runtime draws (the case that a select takes, the order of
// timers of one moment, the iteration of maps, math/rand/v2) comes from one generator; nobody is
// preempted, a thread keeps its processor during system calls, and the scheduler does not look
// elsewhere after a number of goroutines that depends on the runtime's own; and the wall clock
// can be set. A context cancels its children in the order in which they came.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// change replaces a text of a file below GOROOT/src, which has to be there once.
type change struct{ file, text, by string }

// changes were made for Go 1.26.
var changes = []change{
	{"runtime/rand.go", "\tmp := getg().m\n\tc := &mp.chacha8\n", `	if simulationState != 0 && getg().bubble != nil {
		return simulationNext()
	}
	mp := getg().m
	c := &mp.chacha8
`},
	{"runtime/rand.go", "\tglobalRand.state.Init(*seed)\n", "\t*seed = [32]byte{1}\n\tglobalRand.state.Init(*seed)\n"},
	{"runtime/rand.go", "// mrandinit initializes the random state of an m.\n", `// simulationState is the state of what is drawn in bubbles; 0 = they draw as all others.
//
//go:linkname simulationState
var simulationState uint64

// simulationWall is what the wall clock of bubbles is ahead, in nanoseconds.
//
//go:linkname simulationWall
var simulationWall int64

// simulationNext is splitmix64.
//
//go:nosplit
func simulationNext() uint64 {
	simulationState += 0x9e3779b97f4a7c15
	z := simulationState
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// mrandinit initializes the random state of an m.
`},
	{"runtime/select.go", "\t\tj := cheaprandn(uint32(norder + 1))\n", `		j := cheaprandn(uint32(norder + 1))
		if simulationState != 0 && gp.bubble != nil {
			j = uint32(simulationNext() % uint64(norder+1))
		}
`},
	{"runtime/time.go", "\t\t\tt.rand = cheaprand()\n", `			t.rand = cheaprand()
			if simulationState != 0 {
				t.rand = uint32(simulationNext())
			}
`},
	{"runtime/time.go", `		sec = bubble.now / (1000 * 1000 * 1000)
		nsec = int32(bubble.now % (1000 * 1000 * 1000))
`, `		if simulationState != 0 {
			wall := bubble.now + simulationWall
			return wall / (1000 * 1000 * 1000), int32(wall % (1000 * 1000 * 1000)), bubble.now
		}
		sec = bubble.now / (1000 * 1000 * 1000)
		nsec = int32(bubble.now % (1000 * 1000 * 1000))
`},
	{"runtime/proc.go", "func retake(now int64) uint32 {\n\tn := 0\n", "func retake(now int64) uint32 {\n\tn := 0\n\tif simulationState != 0 {\n\t\treturn 0\n\t}\n"},
	// Its ticks count goroutines of the runtime, too.
	{"runtime/proc.go", "if pp.schedtick%61 == 0 && !sched.runq.empty() {", "if pp.schedtick%61 == 0 && !sched.runq.empty() && simulationState == 0 {"},
	// These two depend on the real time.
	{"runtime/proc.go", "\t\tif scavenger.sysmonWake.Load() != 0 {\n", "\t\tif scavenger.sysmonWake.Load() != 0 && simulationState == 0 {\n"},
	{"internal/sync/mutex.go", "starvationThresholdNs = 1e6\n", "starvationThresholdNs = 1 << 62\n"},
	// Children are keys by their address: they are canceled in the order in which they came.
	{"context/context.go", "children map[canceler]struct{} // set", "added    uint64\n\tchildren map[canceler]uint64 // when each was added; set"},
	{"context/context.go", "make(map[canceler]struct{})", "make(map[canceler]uint64)"},
	{"context/context.go", "\t\t\tp.children[child] = struct{}{}\n", "\t\t\tp.added++\n\t\t\tp.children[child] = p.added\n"},
	{"context/context.go", "\tfor child := range c.children {\n", `	for len(c.children) > 0 {
		var child canceler
		first := ^uint64(0)
		for other, at := range c.children {
			if at < first {
				child, first = other, at
			}
		}
		delete(c.children, child)
`},
}

func main() {
	path, err := overlay()
	if err != nil {
		fmt.Fprintln(os.Stderr, "deterministic:", err)
		os.Exit(1)
	}
	fmt.Println(path)
}

// overlay writes the changed files and their list into a directory that is named for them.
func overlay() (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src")
	files := map[string]string{}
	for _, c := range changes {
		code, ok := files[c.file]
		if !ok {
			data, err := os.ReadFile(filepath.Join(src, c.file))
			if err != nil {
				return "", err
			}
			code = string(data)
		}
		if n := strings.Count(code, c.text); n != 1 {
			return "", fmt.Errorf("%s of %s has a text %d times that is to be replaced: %q", c.file, runtime.Version(), n, c.text)
		}
		files[c.file] = strings.Replace(code, c.text, c.by, 1)
	}
	all, err := json.Marshal(files) // in order of their names
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(all)
	dir := filepath.Join(os.TempDir(), "lectern-simulation-"+hex.EncodeToString(sum[:6]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, code := range files {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(src, name)] = path
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}
