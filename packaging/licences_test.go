package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

// TestLicencesIn: a module without terms, or with terms that nobody has looked at, is not
// distributed.
func TestLicencesIn(t *testing.T) {
	const mit = "Copyright (c) 2020 Ann\n\nPermission is hereby granted, free of charge, to any person\nobtaining a copy of"
	for _, c := range []struct {
		name  string
		files map[string]string
		ids   []string
		fails bool
	}{
		{"one", map[string]string{"LICENSE": mit, "README.md": "x"}, []string{"MIT"}, false},
		{"two in one file", map[string]string{"LICENSE.md": mit + "\n\n  Apache License\n  Version 2.0, January 2004"}, []string{"Apache-2.0", "MIT"}, false},
		{"a notice beside", map[string]string{"COPYING": mit, "NOTICE": "by Ann"}, []string{"MIT"}, false},
		{"three clauses", map[string]string{"LICENSE": "Redistributions in binary form must reproduce the above copyright notice … may be used to endorse or promote products derived from"}, []string{"BSD-3-Clause"}, false},
		{"none", map[string]string{"README.md": mit}, nil, true},
		{"a notice alone", map[string]string{"NOTICE.txt": "by Ann"}, nil, true},
		{"unknown", map[string]string{"LICENSE": "All rights reserved."}, nil, true},
	} {
		dir := t.TempDir()
		for name, text := range c.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		found, err := licencesIn(dir)
		if (err != nil) != c.fails || !slices.Equal((module{licences: found}).licenceIDs(), c.ids) {
			t.Errorf("%s: %v, %v", c.name, found, err)
		}
	}
}

// TestEveryModuleIsNamed: the copyright file and the SBOM name each module that the
// programs were linked from, with its licence.
func TestEveryModuleIsNamed(t *testing.T) {
	r := fixture(t)
	b := r.builds[0]
	copyright := string(b.debianCopyright(string(read(t, "../LICENSE"))))
	content, err := b.sbom(r.revision)
	if err != nil {
		t.Fatal(err)
	}
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(content), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	listed := map[string]cyclonedx.Component{}
	for _, c := range *bom.Components {
		listed[c.PackageURL] = c
	}
	for _, program := range programs {
		info, err := buildInfoOf(program, b.programs[program])
		if err != nil {
			t.Fatal(err)
		}
		if len(info.Deps) < 30 {
			t.Errorf("%s has %d dependencies", program, len(info.Deps))
		}
		for _, dependency := range info.Deps {
			if !strings.Contains(copyright, "\nFiles: "+dependency.Path+"@"+dependency.Version+"/*\nCopyright: ") {
				t.Errorf("copyright has no %s", dependency.Path)
			}
			c, ok := listed["pkg:golang/"+dependency.Path+"@"+strings.ReplaceAll(dependency.Version, "+", "%2B")]
			if !ok || c.Licenses == nil || len(*c.Licenses) == 0 {
				t.Errorf("the SBOM has no %s with a licence: %v", dependency.Path, c)
			}
		}
	}
	if _, ok := listed["pkg:golang/stdlib@"+strings.TrimPrefix(b.modules[slices.IndexFunc(b.modules, func(m module) bool { return m.path == standardLibrary })].version, "go")]; !ok {
		t.Error("the SBOM has no Go")
	}
	if !strings.HasPrefix(bom.SerialNumber, "urn:uuid:") || bom.Metadata.Timestamp == "" {
		t.Errorf("serial number %q, time %q", bom.SerialNumber, bom.Metadata.Timestamp)
	}
	// Each licence that a paragraph only names is explained in one of its own.
	for paragraph := range strings.SplitSeq(copyright, "\n\n") {
		_, name, _ := strings.Cut(paragraph, "\nLicense: ")
		name, text, _ := strings.Cut(name, "\n")
		if strings.HasPrefix(paragraph, "Files: ") && !strings.HasPrefix(text, " ") && !strings.Contains(copyright, "\n\nLicense: "+name+"\n ") {
			t.Errorf("no text of %q in\n%s", name, paragraph)
		}
	}
}
