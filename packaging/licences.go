package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licence is a file of a module that says under which terms it may be used.
type licence struct {
	file string
	ids  []string // SPDX identifiers of the licences in the text; none for a notice
	text string
}

// licenceFile matches the names of files with terms and with the notices that
// Apache-2.0 (section 4d) has distributors pass on.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)([-.].*)?$`)

// pictureLicence names the source of a picture in modernc.org/memory, which is not linked.
const pictureLicence = "LICENSE-LOGO"

// licencesIn reads the licences at the top of a module. A module without one, or with one
// that is not known here, is an error: nobody may distribute it before somebody has looked.
func licencesIn(dir string) (found []licence, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	licensed := false
	for _, entry := range entries {
		if entry.IsDir() || !licenceFile.MatchString(entry.Name()) || filepath.Ext(entry.Name()) == ".go" || entry.Name() == pictureLicence {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		l := licence{file: entry.Name(), text: strings.ToValidUTF8(string(content), "?")}
		l.ids = identify(l.text)
		if notice := strings.HasPrefix(strings.ToLower(l.file), "notice"); len(l.ids) == 0 && !notice {
			return nil, fmt.Errorf("the licence in %s is not known", l.file)
		}
		licensed = licensed || len(l.ids) > 0
		found = append(found, l)
	}
	if !licensed {
		return nil, errors.New("it has no licence")
	}
	return found, nil
}

// phrases identify a licence by what its text alone says; without excludes what another
// one's text says too.
var phrases = []struct{ id, phrase, without string }{
	{"Apache-2.0", "apache license version 2.0", ""},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy", ""},
	{"ISC", "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that", ""},
	{"ISC", "permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted, provided that", ""},
	{"0BSD", "for any purpose with or without fee is hereby granted. the software", ""},
	{"BSD-3-Clause", "may be used to endorse or promote products derived from", "acknowledgment"},
	{"BSD-2-Clause", "redistributions in binary form must reproduce the above copyright notice", "endorse or promote"},
	{"MPL-2.0", "mozilla public license version 2.0", ""},
	{"MPL-2.0", "mozilla public license, version 2.0", ""},
	{"Unlicense", "this is free and unencumbered software released into the public domain", ""},
	{"CC0-1.0", "cc0 1.0 universal", ""},
	{"blessing", "has been dedicated to the public domain by the authors", ""},
}

// identify returns the SPDX identifiers of the licences that a text contains, sorted.
func identify(text string) (ids []string) {
	plain := strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, p := range phrases {
		if strings.Contains(plain, p.phrase) && (p.without == "" || !strings.Contains(plain, p.without)) {
			ids = append(ids, p.id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// licenceIDs are the identifiers of all licences of a module, sorted.
func (m module) licenceIDs() (ids []string) {
	for _, l := range m.licences {
		ids = append(ids, l.ids...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// copyrightLine matches a line that names a holder. Placeholders of templates are none.
var copyrightLine = regexp.MustCompile(`(?im)^\W*((?:portions )?copyright (?:\(c\)|©|[0-9]).*)$`)

// copyrights are the lines of a module's licences that name the holders.
func (m module) copyrights() (lines []string) {
	for _, l := range m.licences {
		for _, match := range copyrightLine.FindAllStringSubmatch(l.text, -1) {
			line := strings.Join(strings.Fields(match[1]), " ")
			if !strings.ContainsAny(line, "[{<") || strings.Contains(line, "@") {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		lines = []string{"The authors of " + m.path}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// thirdPartyLicences is every licence text of a build, for those that are not a Debian
// package.
func (b *buildOf) thirdPartyLicences() []byte {
	var out strings.Builder
	out.WriteString("The programs are linked from Lectern, whose licence is in LICENSE, and from the following.\n")
	for _, m := range b.modules {
		for _, l := range m.licences {
			fmt.Fprintf(&out, "\n%s\n%s %s, %s\n\n%s\n", strings.Repeat("=", 80), m.path, m.version, l.file, strings.TrimSpace(l.text))
		}
	}
	return []byte(out.String())
}
