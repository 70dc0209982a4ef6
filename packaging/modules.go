package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// module is a Go module, or Go's own library, that is linked into a program.
type module struct {
	path, version, sum string
	programs           []string // that it is linked into
	dir                string   // its source
	licences           []licence
}

// standardLibrary is the path that vulnerability databases and package URLs use for Go's
// own library.
const standardLibrary = "stdlib"

// linkedModules lists what the programs were linked from, with the licence of each, sorted
// by path. Our own module is not in the list.
func linkedModules(ctx context.Context, source string, programs map[string][]byte) ([]module, error) {
	linked := map[string]*module{}
	add := func(program, path, version, sum string) {
		m := linked[path]
		if m == nil {
			m = &module{path: path, version: version, sum: sum}
			linked[path] = m
		}
		m.programs = append(m.programs, program)
	}
	for program, content := range programs {
		info, err := buildInfoOf(program, content)
		if err != nil {
			return nil, err
		}
		add(program, standardLibrary, strings.TrimPrefix(info.GoVersion, "go"), "")
		for _, dependency := range info.Deps {
			if dependency.Replace != nil {
				return nil, fmt.Errorf("%s is replaced by %s: a release has the modules that go.mod names", dependency.Path, dependency.Replace.Path)
			}
			add(program, dependency.Path, dependency.Version, dependency.Sum)
		}
	}
	dirs, err := moduleDirs(ctx, source)
	if err != nil {
		return nil, err
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	dirs[standardLibrary] = strings.TrimSpace(string(root))
	var all []module
	for path, m := range linked {
		m.dir = dirs[path]
		slices.Sort(m.programs)
		if m.licences, err = licencesIn(m.dir); err != nil {
			return nil, fmt.Errorf("%s@%s: %w", path, m.version, err)
		}
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// moduleDirs are the folders of the modules that the main module requires, by path.
func moduleDirs(ctx context.Context, source string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-json", "all")
	cmd.Dir = source
	cmd.Env = append(cmd.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m all: %w", err)
	}
	dirs := map[string]string{}
	for list := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Dir string }
		switch err := list.Decode(&m); {
		case errors.Is(err, io.EOF):
			return dirs, nil
		case err != nil:
			return nil, err
		}
		dirs[m.Path] = m.Dir
	}
}
