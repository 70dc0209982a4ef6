package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed switch.go.txt
var switchSource string

// result is what became of a mutant.
type result struct {
	mutant
	killed  bool
	reached bool // by any test
}

// campaign is the run of one target.
type campaign struct {
	target
	root     string // of the module
	tmp      string
	mutants  []mutant
	binaries []binary
}

// binary is the compiled tests of one package, with the mutants in it.
type binary struct {
	path, dir string
	flags     []string
	tests     []test
}

// test is one test function, and the mutants that it reaches.
type test struct {
	name    string
	took    time.Duration
	reaches map[int]bool
}

// build compiles the tests with all mutants. What does not compile is left out, line by
// line.
func (c *campaign) build() error {
	s, err := load(c.dir)
	if err != nil {
		return err
	}
	dropped := map[string]map[int]bool{}
	for range 20 {
		texts, mutants := s.mutate(c.files, dropped)
		if len(mutants) == 0 {
			return errors.New("no mutants")
		}
		c.mutants = mutants
		output, err := c.compile(s, texts)
		if err == nil {
			return nil
		}
		if !dropLines(output, texts, c.root, dropped) {
			return fmt.Errorf("%w\n%s", err, output)
		}
	}
	return errors.New("the mutants do not compile")
}

// compile builds the test binaries with texts in place of the files.
func (c *campaign) compile(s *source, texts map[string][]byte) (output []byte, err error) {
	overlay := map[string]string{}
	add := func(path string, text []byte) error {
		mutated := filepath.Join(c.tmp, strconv.Itoa(len(overlay))+".go")
		overlay[path] = mutated
		return os.WriteFile(mutated, text, 0o600)
	}
	for path, text := range texts {
		if err := add(path, text); err != nil {
			return nil, err
		}
	}
	if err := add(filepath.Join(s.dir, "mutant_switch.go"), []byte(strings.Replace(switchSource, "PACKAGE", s.name, 1))); err != nil {
		return nil, err
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(c.tmp, "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		return nil, err
	}
	c.binaries = nil
	for i, dir := range c.tests {
		b := binary{path: filepath.Join(c.tmp, strconv.Itoa(i)+".test"), dir: filepath.Join(c.root, dir)}
		// All errors are listed, not the first ten of them.
		output, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", file, "-o", b.path, "-gcflags="+"./"+c.dir+"=-e", "./"+dir).CombinedOutput()
		if err != nil {
			// The compiler may name the file that stands in for another.
			for path, mutated := range overlay {
				output = bytes.ReplaceAll(output, []byte(mutated), []byte(path))
			}
			return output, err
		}
		c.binaries = append(c.binaries, b)
	}
	return nil, nil
}

var compilerMessage = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):\d+: `)

// dropLines reads which lines do not compile, and reports whether any is new.
func dropLines(output []byte, texts map[string][]byte, root string, dropped map[string]map[int]bool) (more bool) {
	for _, m := range compilerMessage.FindAllStringSubmatch(string(output), -1) {
		path := m[1]
		if !filepath.IsAbs(path) {
			path = filepath.Join(root, path)
		}
		line, _ := strconv.Atoi(m[2])
		if texts[path] == nil || dropped[path][line] {
			continue
		}
		if dropped[path] == nil {
			dropped[path] = map[int]bool{}
		}
		dropped[path][line], more = true, true
	}
	return more
}

// survey runs every test by itself, and records how long it takes and which mutants it
// reaches. A test that fails without a mutant is left out.
func (c *campaign) survey() error {
	for i := range c.binaries {
		b := &c.binaries[i]
		b.findFlags()
		out, err := b.command(context.Background(), "-test.list", ".").Output()
		if err != nil {
			return fmt.Errorf("list the tests of %s: %w", b.dir, err)
		}
		for name := range strings.FieldsSeq(string(out)) {
			if !regexp.MustCompile("^(Test|Fuzz|Example)").MatchString(name) {
				continue
			}
			seen := filepath.Join(c.tmp, "seen")
			_ = os.Remove(seen)
			cmd := b.command(context.Background(), "-test.run", c.pattern(name), "-test.timeout", "2m")
			cmd.Env = append(cmd.Env, "LECTERN_MUTANTS_SEEN="+seen)
			began := time.Now()
			if output, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s fails without a mutant: %w\n%s", name, err, output)
			}
			t := test{name: name, took: time.Since(began), reaches: map[int]bool{}}
			ids, err := os.ReadFile(seen)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			for id := range strings.FieldsSeq(string(ids)) {
				n, _ := strconv.Atoi(id)
				t.reaches[n] = true
			}
			b.tests = append(b.tests, t)
		}
		slices.SortFunc(b.tests, func(x, y test) int { return int(x.took - y.took) })
	}
	return nil
}

// pattern is what -test.run takes for some tests.
func (c *campaign) pattern(names ...string) string {
	all := "^(" + strings.Join(names, "|") + ")$"
	if c.subtests != "" {
		all += "/" + c.subtests
	}
	return all
}

// batchTime is how much of the tests' time one process takes, so that a mutant that fast
// tests kill costs no more.
const batchTime = time.Second

// try runs the tests that reach a mutant until one of them fails.
func (c *campaign) try(m mutant) result {
	r := result{mutant: m}
	for i := range c.binaries {
		b := &c.binaries[i]
		var names []string
		var took time.Duration
		flush := func() bool {
			if len(names) == 0 {
				return false
			}
			r.reached = true
			killed := b.kills(m, c.pattern(names...), took)
			names, took = nil, 0
			return killed
		}
		for _, t := range b.tests {
			if !t.reaches[m.id] {
				continue
			}
			if took+t.took > batchTime && flush() {
				r.killed = true
				return r
			}
			names, took = append(names, t.name), took+t.took
		}
		if flush() {
			r.killed = true
			return r
		}
	}
	return r
}

// kills reports whether tests fail with a mutant, or take much longer than without.
func (b *binary) kills(m mutant, tests string, took time.Duration) bool {
	limit := 20*time.Second + 10*took
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := b.command(ctx, "-test.run", tests, "-test.failfast")
	cmd.Env = append(cmd.Env, "LECTERN_MUTANT="+strconv.Itoa(m.id))
	return cmd.Run() != nil
}

// findFlags has property tests draw the same inputs every time, and leave no trace of a
// failure: their package has flags, if it is linked in.
func (b *binary) findFlags() {
	rapid := []string{"-rapid.seed=1", "-rapid.nofailfile", "-rapid.shrinktime=1ms"}
	if b.command(context.Background(), append(rapid, "-test.list", "^$")...).Run() == nil {
		b.flags = rapid
	}
}

// command runs the tests in a process group of their own, with bounded memory: a loop
// that does not end may append.
func (b *binary) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", slices.Concat([]string{"-c", `ulimit -v 8000000; exec "$0" "$@"`, b.path}, b.flags, args)...)
	cmd.Dir, cmd.Env = b.dir, os.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// moduleRoot is the directory of go.mod.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	return string(bytes.TrimSpace(out)), err
}
