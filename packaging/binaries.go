package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// buildOf is the programs of one architecture and what belongs to them.
type buildOf struct {
	architecture string
	programs     map[string][]byte // by name
	modules      []module          // that are linked in, sorted by path
}

// newBuild builds the programs for an architecture, or reads them from binaries.
func newBuild(ctx context.Context, r *release, architecture, binaries, dir string) (*buildOf, error) {
	b := &buildOf{architecture: architecture, programs: map[string][]byte{}}
	if binaries == "" {
		binaries = dir
		if err := compile(ctx, r, architecture, dir); err != nil {
			return nil, err
		}
	}
	for _, program := range programs {
		content, err := os.ReadFile(filepath.Join(binaries, program))
		if err != nil {
			return nil, err
		}
		b.programs[program] = content
	}
	var err error
	if b.modules, err = linkedModules(ctx, r.source, b.programs); err != nil {
		return nil, err
	}
	return b, nil
}

// compile builds both programs: static, stripped, without the paths of this machine and
// with the zones of time, which a container does not have. The repository's state is not
// recorded by Go, and what git archive wrote into the source is left out, so that a build
// from a source archive has the same bytes; the linker writes the version. Flags from the
// environment would change the bytes.
func compile(ctx context.Context, r *release, architecture, dir string) error {
	const config = "github.com/lectiospace/lectern/internal/config"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	overlay, err := withoutArchived(r.source, dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-overlay="+overlay, "-trimpath", "-buildvcs=false", "-tags=timetzdata",
		"-ldflags=-s -w -buildid= -X "+config+".version="+r.revision.version+" -X "+config+".commit="+r.revision.commit,
		"-o", dir+string(filepath.Separator), "./cmd/gateway", "./cmd/syncer")
	cmd.Dir = r.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture, "GOFLAGS=-mod=readonly", "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off", "GOEXPERIMENT=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building for %s: %w\n%s", architecture, err, out)
	}
	return nil
}

// withoutArchived writes an overlay of `go build` in which internal/config/archived.txt is
// empty, below dir, and returns its path.
func withoutArchived(source, dir string) (string, error) {
	empty, overlay := filepath.Join(dir, "archived.txt"), filepath.Join(dir, "overlay.json")
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(source, "internal", "config", "archived.txt"): empty}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, replaced, 0o600)
}

// documentsOf has the programs print their manual pages and completions. The names are
// gateway.1, and gateway.bash, gateway.zsh and gateway.fish.
func documentsOf(ctx context.Context, binaries string) (map[string][]byte, error) {
	documents := map[string][]byte{}
	for _, program := range programs {
		for suffix, args := range map[string][]string{
			"1": {"manual"}, "bash": {"completion", "bash"}, "zsh": {"completion", "zsh"}, "fish": {"completion", "fish"},
		} {
			path, err := filepath.Abs(filepath.Join(binaries, program))
			if err != nil {
				return nil, err
			}
			cmd := exec.CommandContext(ctx, path, args...)
			cmd.Env = []string{} // nothing that the settings could come from
			var errs bytes.Buffer
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w: %s", program, args[0], err, errs.String())
			}
			documents[program+"."+suffix] = out
		}
	}
	return documents, nil
}

// buildInfoOf reads what the Go linker recorded in a program.
func buildInfoOf(name string, content []byte) (*buildinfo.BuildInfo, error) {
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return info, nil
}
