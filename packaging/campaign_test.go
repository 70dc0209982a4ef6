package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// campaign skips a test that builds whole releases or boots systems; make packages-test
// runs it.
func campaign(t *testing.T) {
	t.Helper()
	if os.Getenv("PACKAGES_CAMPAIGN") == "" {
		t.Skip("runs in make packages-test")
	}
}

// clone clones the repository's last commit into a new folder.
func clone(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lectern")
	command(t, "..", "", "git", "clone", "--quiet", ".", dir)
	return dir
}

// unarchived unpacks a source archive of the last commit into a new folder.
func unarchived(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "some", "where", "else")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, dir, command(t, "..", "", "git", "archive", "HEAD"), "tar", "x")
	return dir
}

// TestReproducible: a release that is built from a clone and one that is built from a
// source archive, in two folders, have the same bytes. It checks what only the real builds
// have: no paths, no symbols, no loader, and an image of at most 60 MB.
func TestReproducible(t *testing.T) {
	campaign(t)
	first, second := filepath.Join(clone(t), "dist"), filepath.Join(unarchived(t), "dist")
	for _, dist := range []string{first, second} {
		began := time.Now()
		t.Logf("%s\n%s", dist, command(t, filepath.Dir(dist), "", "make", "dist"))
		t.Logf("built in %s", time.Since(began).Round(time.Second))
	}
	one, two := string(read(t, filepath.Join(first, "SHA256SUMS"))), string(read(t, filepath.Join(second, "SHA256SUMS")))
	if one != two {
		t.Errorf("two builds differ:\n%s\n%s", one, two)
	}
	t.Logf("\n%s", one)
	command(t, first, "", "sha256sum", "--check", "--strict", "SHA256SUMS")
	if strings.Count(one, "\n") != 7 {
		t.Errorf("%d files, want 7: two packages, two archives, two lists and an image", strings.Count(one, "\n"))
	}

	path, err := filepath.Glob(filepath.Join(first, "*.oci.tar"))
	if err != nil || len(path) != 1 {
		t.Fatal(path, err)
	}
	images := imagesIn(t, read(t, path[0]))
	for _, architecture := range []string{"amd64", "arm64"} {
		layers, err := images[architecture].Layers()
		if err != nil {
			t.Fatal(err)
		}
		size, err := layers[0].Size()
		if err != nil || size > 60e6 {
			t.Errorf("the image of %s has %d bytes, at most 60 MB: %v", architecture, size, err)
		}
		files := rootOf(t, images[architecture])
		unpacked := 0
		for _, f := range files {
			unpacked += len(f.content)
		}
		t.Logf("image for %s: %.1f MB compressed, %.1f MB unpacked", architecture, float64(size)/1e6, float64(unpacked)/1e6)
		for _, program := range programs {
			content := files["usr/bin/"+program].content
			static(t, architecture+"'s "+program, content)
			for _, path := range []string{filepath.Dir(first), command(t, "..", "", "go", "env", "GOROOT"), command(t, "..", "", "go", "env", "GOMODCACHE")} {
				if bytes.Contains(content, []byte(strings.TrimSpace(path))) {
					t.Errorf("%s's %s names %s", architecture, program, path)
				}
			}
		}
		if architecture == runtime.GOARCH {
			runImage(t, files)
		}
	}
	t.Logf("skopeo: %s", command(t, first, "", "skopeo", "inspect", "--format", "{{.Architecture}} {{.Labels}}", "oci-archive:"+path[0]))
	lint(t, first)
}

// runImage runs programs of the image as its account, with nothing but its files.
func runImage(t *testing.T, files map[string]entry) {
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, f := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			continue
		}
		if err := os.WriteFile(path, f.content, os.FileMode(f.Mode)); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range programs {
		out := command(t, "/", "", "chroot", fmt.Sprintf("--userspec=%[1]d:%[1]d", imageUser), root, "/usr/bin/"+program, "--version")
		if !strings.HasPrefix(out, program+" ") || strings.Contains(out, "dev") {
			t.Errorf("in the image: %q", out)
		}
	}
}

// lint has lintian read the packages: no error that deb/lintian-overrides does not give a
// reason for, and no override without effect. mandoc reads the manual pages.
func lint(t *testing.T, dist string) {
	packages, err := filepath.Glob(filepath.Join(dist, "*.deb"))
	if err != nil || len(packages) != 2 {
		t.Fatal(packages, err)
	}
	for _, path := range packages {
		out, err := exec.CommandContext(t.Context(), "lintian", "--allow-root", "--fail-on=error,warning", "--suppress-tags=unused-override", path).CombinedOutput()
		t.Logf("lintian %s\n%s", filepath.Base(path), out)
		if err != nil {
			t.Errorf("lintian: %v", err)
		}
		dir := t.TempDir()
		command(t, dir, "", "dpkg-deb", "--extract", path, ".")
		pages, err := filepath.Glob(filepath.Join(dir, "usr/share/man/man1/*.gz"))
		if err != nil || len(pages) != 3 {
			t.Errorf("%d pages, %v", len(pages), err)
		}
		for _, page := range pages {
			out, err := exec.CommandContext(t.Context(), "mandoc", "-T", "lint", "-W", "error", page).CombinedOutput()
			if err != nil {
				t.Errorf("mandoc: %v\n%s", err, out)
			}
		}
	}
}

// TestVersions: whichever way the gateway is built, it names its commit, and a tree with
// changes says so. What `go install` does is a line of TestVersionOf in internal/config.
func TestVersions(t *testing.T) {
	campaign(t)
	commit := strings.TrimSpace(command(t, "..", "", "git", "rev-parse", "HEAD"))
	version := func(program string) string { return strings.TrimSpace(command(t, "/", "", program, "--version")) }
	build := []string{"env", "CGO_ENABLED=0", "go", "build", "-buildvcs=auto", "-o", "bin/gateway", "./cmd/gateway"}
	work, source := clone(t), unarchived(t)
	command(t, work, "", "git", "tag", "v0.7.0")

	for _, c := range []struct {
		name  string
		dir   string
		build []string
		says  string // a regular expression
	}{
		{"go build", work, build, `^gateway v0\.7\.0 \(` + commit + `\)$`},
		{"make build", work, []string{"make", "build"}, `^gateway v0\.7\.0 \(` + commit + `\)$`},
		{"go build of a source archive", source, build, `^gateway ` + commit[:7] + `[0-9a-f]* \(` + commit + `\)$`},
		{"make build of a source archive", source, []string{"make", "build"}, `^gateway ` + commit[:7] + `[0-9a-f]* \(` + commit + `\)$`},
	} {
		command(t, c.dir, "", c.build[0], c.build[1:]...)
		if got := version(filepath.Join(c.dir, "bin/gateway")); !regexp.MustCompile(c.says).MatchString(got) {
			t.Errorf("%s: %q, want %s", c.name, got, c.says)
		}
	}
	if err := os.WriteFile(filepath.Join(work, "LICENSE"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, build := range map[string][]string{"go build": build, "make build": {"make", "build"}} {
		command(t, work, "", build[0], build[1:]...)
		if got := version(filepath.Join(work, "bin/gateway")); !strings.Contains(got, "dirty") || !strings.Contains(got, commit) {
			t.Errorf("%s of a changed tree: %q", name, got)
		}
	}
	if r, err := revisionOf(t.Context(), work); err != nil || r.version != "v0.7.0-dirty" {
		t.Errorf("a release of a changed tree: %+v %v", r, err)
	}
}

// lifecycleUnit runs the script in the booted system and ends the system with its result.
const lifecycleUnit = `[Unit]
After=basic.target dbus.socket systemd-journald.service
Requires=basic.target
Wants=dbus.socket
[Service]
Type=oneshot
Environment=HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/bash /src/lifecycle.sh
StandardOutput=file:/src/result
StandardError=inherit
ExecStopPost=+/bin/sh -c 'exec systemctl exit $$(test "$EXIT_STATUS" = 0; echo $$?)'
`

// TestLifecycle installs, upgrades, removes and purges the package in a Debian 12 that has
// nothing but what the package depends on: see testdata/lifecycle.sh.
func TestLifecycle(t *testing.T) {
	campaign(t)
	source := clone(t)
	root, src := debian(t), t.TempDir()
	for name, version := range map[string]string{"old.deb": "v0.0.1", "new.deb": "v0.0.2"} {
		r := &release{source: source, level: 1}
		var err error
		if r.revision, err = revisionOf(t.Context(), source); err != nil {
			t.Fatal(err)
		}
		r.revision.version = version
		work := t.TempDir()
		b, err := newBuild(t.Context(), r, runtime.GOARCH, "", work)
		if err != nil {
			t.Fatal(err)
		}
		if r.documents, err = documentsOf(t.Context(), work); err != nil {
			t.Fatal(err)
		}
		if err := r.writeDeb(b, filepath.Join(src, name)); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range map[string][]byte{
		filepath.Join(src, "lifecycle.sh"):                     read(t, "testdata/lifecycle.sh"),
		filepath.Join(root, "etc/systemd/system/test.service"): []byte(lifecycleUnit),
		filepath.Join(root, "etc/machine-id"):                  []byte("0123456789abcdef0123456789abcdef\n"),
	} {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemd-nspawn", "--directory="+root, "--machine=lectern-packages", "--register=no", "--keep-unit", "--private-network", "--link-journal=no",
		"--console=read-only", "--bind="+src+":/src", "--boot", "systemd.unit=test.service", "systemd.log_target=console")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	console, err := cmd.CombinedOutput()
	result, _ := os.ReadFile(filepath.Join(src, "result"))
	if err != nil || !strings.HasSuffix(string(result), "\nPASS\n") {
		t.Fatalf("%v\n%s\nconsole:\n%s", err, result, tail(string(console), 4000))
	}
	t.Logf("\n%s", result)
}

// debian unpacks a Debian 12 with what the package depends on, from the mirror that apt
// is set up for.
func debian(t *testing.T) string {
	t.Helper()
	sources, err := filepath.Glob("/etc/apt/sources.list.d/*.sources")
	if err != nil || len(sources) == 0 {
		sources = []string{"/etc/apt/sources.list"}
	}
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "/", "", "mmdebstrap", append([]string{"--quiet", "--variant=minbase", "--format=directory",
		"--include=systemd,systemd-sysv,dbus,ca-certificates,init-system-helpers,curl,iproute2", "bookworm", root}, sources...)...)
	return root
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
