package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// archives writes a tar.gz for each architecture, for systems without Debian's packages.
func archives(r *release, out string) (names []string, err error) {
	for _, b := range r.builds {
		base := "lectern_" + r.revision.packageVersion() + "_linux_" + b.architecture
		content, err := r.archiveOf(b, base)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(out, base+".tar.gz"), content, 0o644); err != nil {
			return nil, err
		}
		names = append(names, base+".tar.gz")
	}
	return names, nil
}

// archiveOf is the programs with everything that docs/deployment.md installs, below one
// folder.
func (r *release) archiveOf(b *buildOf, base string) ([]byte, error) {
	t := &tree{source: r.source}
	for _, program := range programs {
		t.add(base+"/bin/"+program, 0o755, b.programs[program])
		t.add(base+"/man/"+program+".1", 0o644, r.documents[program+".1"])
		for _, shell := range []string{"bash", "zsh", "fish"} {
			t.add(base+"/completions/"+program+"."+shell, 0o644, r.documents[program+"."+shell])
		}
	}
	for _, folder := range []string{"configs", "docs"} {
		t.copyAll(folder, base+"/"+folder)
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"} {
		t.add(base+"/"+name, 0o644, t.read(name))
	}
	t.add(base+"/third-party-licences.txt", 0o644, b.thirdPartyLicences())
	bom, err := b.sbom(r.revision)
	t.fail(err)
	t.add(base+"/sbom.cdx.json", 0o644, bom)
	all, err := t.sorted()
	if err != nil {
		return nil, err
	}
	a := newArchive(r.revision.time)
	for _, f := range all {
		if strings.HasSuffix(f.path, "/lectern-run") {
			f.mode = 0o755
		}
		a.file(f)
	}
	content, err := a.close()
	if err != nil {
		return nil, err
	}
	var compressed bytes.Buffer
	w, err := gzip.NewWriterLevel(&compressed, r.level)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err = w.Close()
	return compressed.Bytes(), err
}

// checksums writes SHA256SUMS of all files that were written, as sha256sum -c reads it.
func checksums(r *release, out string) ([]string, error) {
	var lines strings.Builder
	names := slices.Sorted(slices.Values(r.written))
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(content), name)
	}
	return []string{"SHA256SUMS"}, os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(lines.String()), 0o644)
}
