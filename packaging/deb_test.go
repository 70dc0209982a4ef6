package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/blakesmith/ar"
)

// unpacked is a Debian package that was read back.
type unpacked struct {
	control map[string]string // the files of control.tar.gz
	files   map[string]entry  // those of data.tar.gz, without directories
}

type entry struct {
	tar.Header
	content []byte
}

// TestDeb reads the package back: what it declares, and the files with their owners,
// modes and times.
func TestDeb(t *testing.T) {
	r := fixture(t)
	dir, names := written(t, r, debs)
	if want := "lectern_" + r.revision.packageVersion() + "_" + runtime.GOARCH + ".deb"; len(names) != 1 || names[0] != want {
		t.Fatalf("wrote %q, want %s", names, want)
	}
	p := unpack(t, r, read(t, filepath.Join(dir, names[0])))

	for field, want := range map[string]string{
		"Package": "lectern", "Version": r.revision.packageVersion(), "Architecture": runtime.GOARCH,
		"Recommends": "ffmpeg", "Depends": "systemd (>= 250), init-system-helpers (>= 1.54), ca-certificates",
	} {
		if !strings.Contains("\n"+p.control["control"], "\n"+field+": "+want+"\n") {
			t.Errorf("no %s: %s in\n%s", field, want, p.control["control"])
		}
	}
	if got := strings.TrimSpace(p.control["conffiles"]); got != "/etc/lectern/lectern.yaml" {
		t.Errorf("conffiles: %q", got)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		command(t, "", p.control[script], "sh", "-n")
	}
	for path, mode := range map[string]int64{
		"usr/bin/gateway": 0o755, "usr/bin/syncer": 0o755, "usr/bin/lectern-run": 0o755, "etc/lectern/lectern.yaml": 0o640,
		"usr/lib/systemd/system/lectern-gateway.service": 0o644, "usr/lib/systemd/system/lectern-gateway.socket": 0o644,
		"usr/lib/systemd/system/lectern-syncer.service": 0o644, "usr/lib/systemd/system/lectern-syncer.socket": 0o644,
		"usr/lib/sysusers.d/lectern.conf": 0o644, "usr/lib/tmpfiles.d/lectern.conf": 0o644,
		"usr/share/man/man1/gateway.1.gz": 0o644, "usr/share/man/man1/syncer.1.gz": 0o644, "usr/share/man/man1/lectern-run.1.gz": 0o644,
		"usr/share/bash-completion/completions/gateway": 0o644, "usr/share/zsh/vendor-completions/_syncer": 0o644, "usr/share/fish/vendor_completions.d/syncer.fish": 0o644,
		"usr/share/doc/lectern/copyright": 0o644, "usr/share/doc/lectern/changelog.gz": 0o644, "usr/share/doc/lectern/sbom.cdx.json.gz": 0o644,
		"usr/share/doc/lectern/docs/deployment.md": 0o644,
	} {
		if f, ok := p.files[path]; !ok || f.Mode != mode || len(f.content) == 0 {
			t.Errorf("%s: there: %v, mode %o, want %o", path, ok, f.Mode, mode)
		}
	}
	sums := regexp.MustCompile(`(?m)^([0-9a-f]{32})  (.+)$`).FindAllStringSubmatch(p.control["md5sums"], -1)
	for _, sum := range sums {
		if got := fmt.Sprintf("%x", md5.Sum(p.files[sum[2]].content)); got != sum[1] {
			t.Errorf("md5sums of %s: %s, want %s", sum[2], sum[1], got)
		}
	}
	if len(sums) != len(p.files) {
		t.Errorf("%d sums of %d files", len(sums), len(p.files))
	}
	units(t, p)
	documents(t, p)
}

// units checks that what the units and lectern-run start is in the package.
func units(t *testing.T, p unpacked) {
	started := 0
	for path, f := range p.files {
		if !strings.HasPrefix(path, "usr/lib/") && path != "usr/bin/lectern-run" {
			continue
		}
		if bytes.Contains(f.content, []byte("/usr/local/")) {
			t.Errorf("%s names /usr/local", path)
		}
		for _, m := range regexp.MustCompile(`(?m)^ExecStart=/(\S+)`).FindAllSubmatch(f.content, -1) {
			started++
			if _, ok := p.files[string(m[1])]; !ok {
				t.Errorf("%s starts /%s, which is not in the package", path, m[1])
			}
		}
	}
	if started != 2 {
		t.Errorf("%d programs are started by units", started)
	}
	for _, unit := range []string{"lectern-gateway.service", "lectern-gateway.socket", "lectern-syncer.service", "lectern-syncer.socket"} {
		if !bytes.Contains(p.files["usr/lib/systemd/system/"+unit+".d/configured.conf"].content, []byte("\nConditionDirectoryNotEmpty=/etc/lectern/credentials\n")) {
			t.Errorf("%s starts without secrets", unit)
		}
	}
}

// documents checks that manual pages and completions are those of the programs.
func documents(t *testing.T, p unpacked) {
	for program, command := range map[string]string{"gateway": "healthcheck", "syncer": "backfill"} {
		page := gunzip(t, p.files["usr/share/man/man1/"+program+".1.gz"].content)
		for _, want := range []string{".TH " + strings.ToUpper(program) + " 1", ".SS " + program + " " + command, `\fB\-\-database\-url\fR`, "LECTERN_DATABASE_URL_FILE"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %s has no %q", program, want)
			}
		}
		for _, path := range []string{"bash-completion/completions/" + program, "zsh/vendor-completions/_" + program, "fish/vendor_completions.d/" + program + ".fish"} {
			if script := p.files["usr/share/"+path].content; !bytes.Contains(script, []byte(command)) || !bytes.Contains(script, []byte("database-url")) {
				t.Errorf("%s does not complete %s and database-url", path, command)
			}
		}
	}
	for _, program := range programs {
		command(t, "", string(p.files["usr/share/bash-completion/completions/"+program].content), "bash", "-n")
	}
}

// unpack reads a Debian package, and checks what every file of it has: root as its owner,
// and the commit's time.
func unpack(t *testing.T, r *release, content []byte) unpacked {
	t.Helper()
	p := unpacked{map[string]string{}, map[string]entry{}}
	members := ar.NewReader(bytes.NewReader(content))
	for {
		member, err := members.Next()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		if !member.ModTime.Equal(r.revision.time) {
			t.Errorf("%s has the time %s, not the commit's %s", member.Name, member.ModTime, r.revision.time)
		}
		if !strings.HasSuffix(member.Name, ".tar.gz") {
			continue
		}
		compressed, err := gzip.NewReader(members)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range untar(t, compressed) {
			if member.Name == "control.tar.gz" {
				p.control[strings.TrimPrefix(f.Name, "./")] = string(f.content)
				continue
			}
			if f.Uid != 0 || f.Gid != 0 || f.Uname != "root" || f.Gname != "root" || !f.ModTime.Equal(r.revision.time) {
				t.Errorf("%s belongs to %s:%s, and is of %s", f.Name, f.Uname, f.Gname, f.ModTime)
			}
			if f.Typeflag != tar.TypeDir {
				p.files[strings.TrimPrefix(f.Name, "./")] = f
			}
		}
	}
}

// untar reads a tar file.
func untar(t *testing.T, from io.Reader) (all []entry) {
	t.Helper()
	for r := tar.NewReader(from); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry{*header, content})
	}
}

func gunzip(t *testing.T, compressed []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
