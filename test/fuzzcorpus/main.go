// Command fuzzcorpus commits the inputs that fuzzing has found: for each fuzz target of the
// given directories it copies from Go's build cache into testdata/fuzz the smallest ones that
// run statements which the seeds and the committed inputs do not.
//
//	go run ./test/fuzzcorpus [-least 8] [-most 20] [-largest 2048] DIR...
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var c collector
	flag.IntVar(&c.least, "least", 8, "how many inputs a target has at least, where as many were found")
	flag.IntVar(&c.most, "most", 20, "how many it has at most")
	flag.Int64Var(&c.largest, "largest", 2048, "the largest input, in bytes")
	flag.Parse()
	if err := c.run(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "fuzzcorpus:", err)
		os.Exit(1)
	}
}

// collector copies inputs.
type collector struct {
	least, most int
	largest     int64

	cache string // where Go keeps what fuzzing has found
	work  string // a temporary directory, in which a test binary finds one input at a time
}

func (c *collector) run(ctx context.Context, dirs []string) error {
	cache, err := output(ctx, "go", "env", "GOCACHE")
	if err != nil {
		return err
	}
	c.cache = filepath.Join(cache, "fuzz")
	if c.work, err = os.MkdirTemp("", "fuzzcorpus-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.work)
	for _, dir := range dirs {
		if err := c.collect(ctx, filepath.Clean(dir)); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	return nil
}

var targets = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(`)

// collect does one package.
func (c *collector) collect(ctx context.Context, dir string) error {
	path, err := output(ctx, "go", "list", "./"+dir)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return err
	}
	binary := filepath.Join(c.work, "fuzz.test")
	if _, err := output(ctx, "go", "test", "-c", "-cover", "-o", binary, "./"+dir); err != nil {
		return err
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range targets.FindAllSubmatch(source, -1) {
			t := target{collector: c, binary: binary, name: string(m[1]), found: filepath.Join(c.cache, path, string(m[1])), committed: filepath.Join(dir, "testdata", "fuzz", string(m[1]))}
			copied, all, err := t.commit(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			fmt.Printf("%-32s %-22s %3d found, %2d copied\n", dir, t.name, all, copied)
		}
	}
	return nil
}

// target is a fuzz target of one package.
type target struct {
	*collector
	binary, name     string
	found, committed string // directories of inputs
}

type input struct {
	path string
	size int64
}

func (t target) commit(ctx context.Context) (copied, all int, err error) {
	present, err := t.inputs(t.committed, 1<<40)
	if err != nil {
		return 0, 0, err
	}
	found, err := t.inputs(t.found, t.largest)
	if err != nil || len(found) == 0 {
		return 0, 0, err
	}
	covered, err := t.cover(ctx, present...)
	if err != nil {
		return 0, 0, err
	}
	var more []input // that run nothing new
	for _, in := range found {
		if len(present)+copied >= t.most {
			break
		}
		blocks, err := t.cover(ctx, in)
		if err != nil {
			return copied, len(found), err
		}
		if !addAll(covered, blocks) {
			more = append(more, in)
			continue
		}
		if err := t.copy(in); err != nil {
			return copied, len(found), err
		}
		copied++
	}
	// The fuzzer counts how often statements run, and so found them interesting: small and
	// large ones of them make up the rest.
	lacking := min(t.least-len(present)-copied, len(more))
	for i := range max(0, lacking) {
		if err := t.copy(more[i*len(more)/lacking]); err != nil {
			return copied, len(found), err
		}
		copied++
	}
	return copied, len(found), nil
}

// inputs are those of a directory, the smallest first.
func (t target) inputs(dir string, largest int64) (out []input, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if info.Size() <= largest {
			out = append(out, input{filepath.Join(dir, e.Name()), info.Size()})
		}
	}
	slices.SortStableFunc(out, func(a, b input) int { return cmp.Compare(a.size, b.size) })
	return out, nil
}

func (t target) copy(in input) error {
	data, err := os.ReadFile(in.path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.committed, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(t.committed, filepath.Base(in.path)), data, 0o644)
}

// cover runs the target's seeds and some inputs, and returns the blocks of statements that
// they ran.
func (t target) cover(ctx context.Context, inputs ...input) (map[string]bool, error) {
	dir := filepath.Join(t.work, "testdata", "fuzz", t.name)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, in := range inputs {
		data, err := os.ReadFile(in.path)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(in.path)), data, 0o600); err != nil {
			return nil, err
		}
	}
	profile := filepath.Join(t.work, "profile")
	run := exec.CommandContext(ctx, t.binary, "-test.run", "^"+t.name+"$", "-test.coverprofile", profile)
	run.Dir = t.work
	if out, err := run.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	blocks := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		// file:from,to statements count
		if fields := strings.Fields(line); len(fields) == 3 && fields[2] != "0" {
			blocks[fields[0]] = true
		}
	}
	return blocks, nil
}

// addAll adds blocks to others, and reports whether one of them is new.
func addAll(to, blocks map[string]bool) (added bool) {
	for b := range blocks {
		added = added || !to[b]
		to[b] = true
	}
	return added
}

// output is what a program writes.
func output(ctx context.Context, name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	run := exec.CommandContext(ctx, name, args...)
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(run.Args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
