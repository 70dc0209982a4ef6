package peers

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Tools are the programs that the benchmark has built.
type Tools struct {
	// Dir is the folder of all of them; the syncer is there too.
	Dir       string
	Gateway   string
	Syncbench string
	Rclone    string
	// RcloneError is why there is no rclone; nil where there is.
	RcloneError error
}

// rcloneVersion is the release of rclone that is compared.
const rcloneVersion = "v1.76.0"

// packages are Debian's names of the peers that come from there, by program.
var packages = map[string]string{"nginx": "nginx", "varnishd": "varnish", "haproxy": "haproxy", "psql": "postgresql"}

// Install installs nginx, Varnish, HAProxy and PostgreSQL where they are missing, and builds
// rclone and the programs of the working tree into dir. It writes its steps to progress.
func Install(ctx context.Context, dir, module string, progress io.Writer) (Tools, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Tools{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Tools{}, err
	}
	if err := installPackages(ctx, progress); err != nil {
		return Tools{}, err
	}
	t := Tools{Dir: dir, Gateway: filepath.Join(dir, "gateway"), Syncbench: filepath.Join(dir, "syncbench"), Rclone: filepath.Join(dir, "rclone")}
	build := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "./cmd/gateway", "./cmd/syncer", "./bench/cmd/syncbench")
	build.Dir = module
	if err := runLogged(build, progress); err != nil {
		return t, err
	}
	if version, err := t.rcloneVersion(ctx); err == nil && version == rcloneVersion {
		return t, nil
	}
	if err := buildRclone(ctx, t.Rclone, progress); err != nil {
		// The module is a large one that others serve: the report goes without it and says why.
		t.RcloneError = err
		fmt.Fprintln(progress, err)
	}
	return t, ctx.Err()
}

//go:embed rclone/main.go.txt
var rcloneMain []byte

// buildRclone builds rclone in a module of its own, so that its requirements stay out of
// ours.
func buildRclone(ctx context.Context, to string, progress io.Writer) error {
	dir, err := os.MkdirTemp("", "lectern-bench-rclone-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	mod := "module rclone\n\ngo 1.26\n\nrequire github.com/rclone/rclone " + rcloneVersion + "\n"
	for name, data := range map[string][]byte{"main.go": rcloneMain, "go.mod": []byte(mod)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	build := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-o", to, ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	return runLogged(build, progress)
}

func installPackages(ctx context.Context, progress io.Writer) error {
	var missing []string
	for program, name := range packages {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("missing: %s, and there is no apt-get to install them", strings.Join(missing, ", "))
	}
	for _, args := range [][]string{{"update", "-q"}, append([]string{"install", "-q", "-y", "--no-install-recommends"}, missing...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		// RUNLEVEL=1 keeps the packages from starting services of their own.
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if err := runLogged(cmd, progress); err != nil {
			return err
		}
	}
	return nil
}

// runLogged runs a command, writes its name to progress, and its output only when it fails.
func runLogged(cmd *exec.Cmd, progress io.Writer) error {
	fmt.Fprintln(progress, strings.Join(cmd.Args, " "))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// Versions returns the releases that are compared.
func (t Tools) Versions(ctx context.Context) map[string]string {
	versions := map[string]string{}
	for name, args := range map[string][]string{
		"nginx": {"nginx", "-v"}, "varnish": {"varnishd", "-V"}, "haproxy": {"haproxy", "-v"}, "gateway": {t.Gateway, "--version"},
	} {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		if err != nil {
			out = []byte("unknown: " + err.Error())
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		versions[name] = first
	}
	versions["kernel TLS"] = "none: programs encrypt themselves"
	if KernelTLS() {
		versions["kernel TLS"] = "nginx uses it"
	}
	versions["rclone"], _ = t.rcloneVersion(ctx)
	return versions
}

func (t Tools) rcloneVersion(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, t.Rclone, "--version").Output()
	first, _, _ := strings.Cut(string(out), "\n")
	version, _, _ := strings.Cut(strings.TrimPrefix(first, "rclone "), "-") // "-DEV" where it is built from its module
	return version, err
}
