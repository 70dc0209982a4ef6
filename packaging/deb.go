package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

const (
	maintainer  = "Lectern authors <lectern@lectiospace.invalid>"
	homepage    = "https://github.com/lectiospace/lectern"
	summary     = "streaming gateway for recorded lessons, and archiver of Zoom recordings"
	description = summary + `
 The gateway checks who may watch a recorded lesson and serves byte ranges of it
 from a disk cache or from where it is archived. The syncer receives Zoom's
 webhooks and archives each cloud recording exactly once.
 .
 Nothing starts before it is configured: see
 /usr/share/doc/lectern/docs/deployment.md.`
)

// debs writes a Debian package for each architecture.
func debs(r *release, out string) (names []string, err error) {
	for _, b := range r.builds {
		name := "lectern_" + r.revision.packageVersion() + "_" + b.architecture + ".deb"
		if err := r.writeDeb(b, filepath.Join(out, name)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		names = append(names, name)
	}
	return names, nil
}

// writeDeb writes one package. nfpm reads its contents from files.
func (r *release) writeDeb(b *buildOf, path string) error {
	content, err := r.debTree(b)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "lectern-deb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	scripts := filepath.Join(r.source, "packaging", "deb")
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "lectern", Arch: b.architecture, Platform: "linux", Version: r.revision.packageVersion(), VersionSchema: "none",
		Section: "web", Priority: "optional", Maintainer: maintainer, Homepage: homepage, Description: description,
		MTime: r.revision.time,
		Overridables: nfpm.Overridables{
			// systemd has the accounts, the directories and what lectern-run calls.
			Depends:    []string{"systemd (>= 250)", "init-system-helpers (>= 1.54)", "ca-certificates"},
			Recommends: []string{"ffmpeg"},
			Suggests:   []string{"postgresql", "nginx | haproxy | caddy"},
			Scripts: nfpm.Scripts{
				PostInstall: filepath.Join(scripts, "postinst"),
				PreRemove:   filepath.Join(scripts, "prerm"),
				PostRemove:  filepath.Join(scripts, "postrm"),
			},
			Deb: nfpm.Deb{Compression: fmt.Sprintf("gzip:%d", r.level)},
		},
	})
	for i, f := range content {
		source := filepath.Join(work, fmt.Sprint(i))
		if err := os.WriteFile(source, f.content, 0o600); err != nil {
			return err
		}
		kind := files.TypeFile
		if f.config {
			kind = files.TypeConfig
		}
		info.Contents = append(info.Contents, &files.Content{
			Source: source, Destination: "/" + f.path, Type: kind,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: f.mode, MTime: r.revision.time},
		})
	}
	target, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := deb.Default.Package(info, target); err != nil {
		target.Close()
		return err
	}
	return target.Close()
}

// debTree is the files of the package.
func (r *release) debTree(b *buildOf) ([]file, error) {
	t := &tree{source: r.source}
	for _, program := range programs {
		t.add("usr/bin/"+program, 0o755, b.programs[program])
		t.addGzip("usr/share/man/man1/"+program+".1", r.documents[program+".1"])
		t.add("usr/share/bash-completion/completions/"+program, 0o644, r.documents[program+".bash"])
		t.add("usr/share/zsh/vendor-completions/_"+program, 0o644, r.documents[program+".zsh"])
		t.add("usr/share/fish/vendor_completions.d/"+program+".fish", 0o644, r.documents[program+".fish"])
		unit := "lectern-" + program
		for _, kind := range []string{".service", ".socket"} {
			t.add("usr/lib/systemd/system/"+unit+kind, 0o644, installed(t.read("configs/systemd/"+unit+kind)))
			t.add("usr/lib/systemd/system/"+unit+kind+".d/configured.conf", 0o644, t.read("packaging/deb/configured.conf"))
		}
	}
	t.add("usr/bin/lectern-run", 0o755, installed(t.read("configs/systemd/lectern-run")))
	t.addGzip("usr/share/man/man1/lectern-run.1", t.read("packaging/deb/lectern-run.1"))
	t.add("usr/lib/sysusers.d/lectern.conf", 0o644, t.read("configs/sysusers.d/lectern.conf"))
	t.add("usr/lib/tmpfiles.d/lectern.conf", 0o644, t.read("configs/tmpfiles.d/lectern.conf"))
	t.files = append(t.files, file{path: "etc/lectern/lectern.yaml", mode: 0o640, content: t.read("configs/lectern.yaml"), config: true})

	const doc = "usr/share/doc/lectern/"
	t.add(doc+"copyright", 0o644, b.debianCopyright(string(t.read("LICENSE"))))
	t.addGzip(doc+"changelog", r.debianChangelog())
	t.addGzip(doc+"CHANGELOG.md", t.read("CHANGELOG.md"))
	bom, err := b.sbom(r.revision)
	t.fail(err)
	t.addGzip(doc+"sbom.cdx.json", bom)
	t.copyAll("docs", doc+"docs")
	t.copyAll("configs", doc+"configs") // which the documentation refers to
	t.add("usr/share/lintian/overrides/lectern", 0o644, t.read("packaging/deb/lintian-overrides"))
	return t.sorted()
}

// debianChangelog names the version and where the changes are, in the format that tools
// like apt-listchanges read.
func (r *release) debianChangelog() []byte {
	return fmt.Appendf(nil, "lectern (%s) stable; urgency=medium\n\n  * Built from %s.\n  * The changes are in CHANGELOG.md.gz beside this file.\n\n -- %s  %s\n",
		r.revision.packageVersion(), strings.TrimSpace(r.revision.version+" "+r.revision.commit), maintainer, r.revision.time.Format(time.RFC1123Z))
}
