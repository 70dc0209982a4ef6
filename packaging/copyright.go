package main

import (
	"fmt"
	"regexp"
	"strings"
)

// debianNames are the short names that Debian's format uses where they differ from SPDX,
// see https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/.
var debianNames = map[string]string{"MIT": "Expat", "BSD-3-Clause": "BSD-3-clause", "BSD-2-Clause": "BSD-2-clause", "blessing": "public-domain"}

// commonLicences are the texts that every Debian system has, which packages refer to
// instead of repeating.
var commonLicences = map[string]bool{"Apache-2.0": true, "MPL-2.0": true, "CC0-1.0": true}

// debianCopyright is the file copyright of the package in Debian's machine-readable form:
// a paragraph for Lectern and one for each module, with the texts.
func (b *buildOf) debianCopyright(ours string) []byte {
	var out strings.Builder
	out.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n" +
		"Upstream-Name: Lectern\nSource: https://github.com/lectiospace/lectern\n" +
		"Comment: The programs are statically linked. A path is that of a Go module and its version.\n")
	own := module{path: "Lectern", licences: []licence{{file: "LICENSE", ids: identify(ours), text: ours}}}
	paragraph(&out, "*", own)
	common := map[string]bool{}
	for _, m := range b.modules {
		paragraph(&out, m.path+"@"+m.version+"/*", m)
		for _, id := range m.licenceIDs() {
			common[id] = common[id] || commonLicences[id] && len(m.inlined()) == 0
		}
	}
	for _, id := range []string{"Apache-2.0", "CC0-1.0", "MPL-2.0"} {
		if common[id] {
			fmt.Fprintf(&out, "\nLicense: %[1]s\n On Debian systems the full text is in /usr/share/common-licenses/%[1]s.\n", id)
		}
	}
	return []byte(out.String())
}

// apacheText matches the Apache License in a file that has other licences too. Debian
// wants it referred to.
var apacheText = regexp.MustCompile(`(?s)Apache License\s+Version 2\.0, January 2004.*?END OF TERMS AND CONDITIONS`)

// inlined are the texts of a module that have to be repeated.
func (m module) inlined() (texts []string) {
	for _, l := range m.licences {
		for _, id := range l.ids {
			if !commonLicences[id] {
				texts = append(texts, apacheText.ReplaceAllString(l.text, "[The Apache License 2.0, which is in /usr/share/common-licenses/Apache-2.0]"))
				break
			}
		}
	}
	return texts
}

// paragraph writes the paragraph of some files.
func paragraph(out *strings.Builder, files string, m module) {
	var names []string
	for _, id := range m.licenceIDs() {
		if name, ok := debianNames[id]; ok {
			id = name
		}
		names = append(names, id)
	}
	fmt.Fprintf(out, "\nFiles: %s\nCopyright: %s\nLicense: %s\n", files, strings.Join(m.copyrights(), "\n           "), strings.Join(names, " and "))
	for _, text := range m.inlined() {
		out.WriteString(continued(text))
	}
	for _, l := range m.licences {
		if len(l.ids) == 0 {
			fmt.Fprintf(out, "Comment: The file %s says:\n%s", l.file, continued(l.text))
		}
	}
}

// continued is text in the continuation lines of a field.
func continued(text string) string {
	var out strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		if line = strings.TrimRight(line, " \t\r\n\f"); line == "" {
			line = "."
		}
		out.WriteString(" " + line + "\n")
	}
	return out.String()
}
