// Package docs tests that the documentation matches the code and itself.
package docs

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/proxy/openapi/reference"
)

// read returns a file of the repository; name is relative to its root.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages returns the names of all Markdown files, relative to the repository's root.
func pages(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "..":
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
			names = append(names, strings.TrimPrefix(path, "../"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 20 {
		t.Fatalf("only %d pages were found", len(names))
	}
	return names
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
)

// anchors returns the fragments that GitHub gives the headings of a page.
func anchors(text string) (ids []string) {
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		id := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, h[1])
		ids = append(ids, id)
	}
	return ids
}

// TestLinks checks that each relative link of each page leads to a file, and its
// fragment to a heading.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(read(t, page), ""), -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Scheme != "" {
				if err != nil {
					t.Errorf("%s: %v", page, err)
				}
				continue
			}
			target := page
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(page), u.Path)
			}
			if strings.HasPrefix(target, "..") {
				t.Errorf("%s links out of the repository: %s", page, m[1])
				continue
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
				continue
			}
			if u.Fragment != "" && !slices.Contains(anchors(read(t, target)), u.Fragment) {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

// TestIndex checks that docs/README.md links to every page of its directory.
func TestIndex(t *testing.T) {
	index := read(t, "docs/README.md")
	for _, page := range pages(t) {
		dir, name := filepath.Split(page)
		if dir == "docs/" && name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md does not link to %s", name)
		}
		if dir == "docs/adr/" && name != "README.md" && !strings.Contains(read(t, "docs/adr/README.md"), "]("+name+")") {
			t.Errorf("docs/adr/README.md does not link to %s", name)
		}
	}
}

// TestDecisionRecords checks the form of each decision record.
func TestDecisionRecords(t *testing.T) {
	for _, page := range pages(t) {
		if !strings.HasPrefix(page, "docs/adr/0") {
			continue
		}
		text := read(t, page)
		for _, part := range []string{"\nStatus: ", "Date: 20", "\n## Context\n", "\n## Decision\n", "\n## Alternatives\n", "\n## Consequences\n"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q", page, strings.TrimSpace(part))
			}
		}
	}
}

var update = flag.Bool("update", false, "write the pages that are made of the code")

// TestReferences checks that configuration-reference.md is what the settings make of it, and
// http-api.md what the description of the API does. With -update they are written.
func TestReferences(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{"configuration-reference.md": config.WriteReference, "http-api.md": reference.Write} {
		var want bytes.Buffer
		if err := write(&want); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if read(t, "docs/"+name) != want.String() {
			t.Errorf("%s is not what the code makes of it: run `make reference`", name)
		}
	}
}

// TestSettingsExist checks that what a page names like a setting is one.
func TestSettingsExist(t *testing.T) {
	known := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^### `([a-z0-9-]+)`$").FindAllStringSubmatch(read(t, "docs/configuration-reference.md"), -1) {
		known[m[1]] = true
	}
	named := regexp.MustCompile("`(?:--)?((?:auth|cache|cors|embed|limit|log|origin|sync|zoom|alert)-[a-z0-9-]+)[=:`]")
	for _, page := range slices.DeleteFunc(pages(t), func(page string) bool { return page == "CHANGELOG.md" }) {
		for _, m := range named.FindAllStringSubmatch(read(t, page), -1) {
			if !known[m[1]] {
				t.Errorf("%s names %s, which is no setting", page, m[1])
			}
		}
	}
}

// sources returns the text of all Go files below a directory that are no tests.
func sources(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestErrorCodes checks that http-api.md and runbook.md name the codes of refusals
// that exist, and that every refusal of the shared vocabulary is in both.
func TestErrorCodes(t *testing.T) {
	known := map[string]bool{}
	vocabulary := regexp.MustCompile(`(?m)^\s*\w+\s+Code = "(\w+)"`).FindAllStringSubmatch(sources(t, "internal/media"), -1)
	if len(vocabulary) < 15 {
		t.Fatalf("only %d codes were found in internal/media", len(vocabulary))
	}
	api, runbook := section(t, "docs/http-api.md", "Errors"), section(t, "docs/runbook.md", "Error codes")
	for _, m := range vocabulary {
		known[m[1]] = true
		for page, text := range map[string]string{"http-api.md": api, "runbook.md": runbook} {
			if !strings.Contains(text, "`"+m[1]+"`") {
				t.Errorf("%s does not name the code %s", page, m[1])
			}
		}
	}
	for _, m := range regexp.MustCompile(`media\.Code\s+= "(\w+)"`).FindAllStringSubmatch(sources(t, "internal/proxy"), -1) {
		known[m[1]] = true
	}
	for _, m := range regexp.MustCompile("(?m)^\\| \\d[^|]*\\| ([^|]+) \\|").FindAllStringSubmatch(api, -1) {
		for code := range strings.SplitSeq(m[1], ", ") {
			if !known[strings.Trim(code, "`")] {
				t.Errorf("http-api.md names the code %s, which does not exist", code)
			}
		}
	}
}

// section returns the text of a page below a heading, up to the next heading.
func section(t *testing.T, page, title string) string {
	t.Helper()
	_, after, ok := strings.Cut(read(t, page), "\n## "+title+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", page, title)
	}
	text, _, _ := strings.Cut(after, "\n## ")
	return text
}

// TestAlerts checks that the runbook has a heading for every alert, and for no other.
func TestAlerts(t *testing.T) {
	var inRules, inRunbook []string
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(read(t, "configs/monitoring/alerts.yml"), -1) {
		inRules = append(inRules, m[1])
	}
	for _, m := range regexp.MustCompile(`(?m)^### (Lectern\w+)$`).FindAllStringSubmatch(section(t, "docs/runbook.md", "Alerts"), -1) {
		inRunbook = append(inRunbook, m[1])
	}
	slices.Sort(inRules)
	slices.Sort(inRunbook)
	if len(inRules) == 0 || !slices.Equal(inRules, inRunbook) {
		t.Errorf("alerts.yml has %v, the runbook %v", inRules, inRunbook)
	}
}

// TestMetrics checks that each metric that a page names is registered somewhere. The
// changelog also names those of earlier versions.
func TestMetrics(t *testing.T) {
	code := sources(t, "internal")
	for _, page := range slices.DeleteFunc(pages(t), func(page string) bool { return page == "CHANGELOG.md" }) {
		for _, metric := range regexp.MustCompile(`\blectern_[a-z_]+_(?:total|seconds|bytes|state)\b`).FindAllString(read(t, page), -1) {
			if !strings.Contains(code, `"`+metric+`"`) {
				t.Errorf("%s names %s, which does not exist", page, metric)
			}
		}
	}
}

// TestREADME checks that the README is a page, that its measurements are those of the
// report, and that it conceals no goal that is not met.
func TestREADME(t *testing.T) {
	readme := read(t, "README.md")
	if lines := strings.Count(readme, "\n"); lines > 110 {
		t.Errorf("the README has %d lines, more than 110", lines)
	}
	_, goals, _ := strings.Cut(read(t, "bench/report/report.md"), "\n## Goals\n")
	goals, _, _ = strings.Cut(goals, "\n## ")
	for row := range strings.Lines(goals) {
		if strings.Contains(row, "**not met**") && !strings.Contains(readme, row) {
			t.Errorf("the README conceals a goal that is not met: %s", row)
		}
	}
	for row := range strings.Lines(section(t, "README.md", "Measured")) {
		if strings.HasPrefix(row, "| ") && !strings.Contains(goals, row) {
			t.Errorf("the README has a figure that is not the report's: %s", row)
		}
	}
}

// TestArchitecture checks that ARCHITECTURE.md names every package, and that what pages
// name as paths exists.
func TestArchitecture(t *testing.T) {
	architecture := read(t, "ARCHITECTURE.md")
	for _, root := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == "testdata" {
				return fs.SkipDir // no packages of the programs
			}
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			dir := strings.TrimPrefix(filepath.Dir(path), "../")
			if !strings.Contains(architecture, "`"+dir+"`") && !strings.Contains(architecture, "`"+filepath.Base(dir)+"`") {
				t.Errorf("ARCHITECTURE.md does not name the package %s", dir)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range slices.DeleteFunc(pages(t), func(page string) bool { return page == "CHANGELOG.md" }) {
		for _, m := range regexp.MustCompile("`((?:internal|cmd|bench|configs|docs|test|scripts|tools)/\\w[\\w./-]*)`").FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
}

// TestCatalogKeys checks that standalone.md names every key of the catalog's document.
func TestCatalogKeys(t *testing.T) {
	keys := regexp.MustCompile("yaml:\"(\\w+),omitempty\"").FindAllStringSubmatch(read(t, "internal/catalog/document/document.go"), -1)
	if len(keys) < 50 {
		t.Fatalf("only %d keys were found in the document", len(keys))
	}
	page := section(t, "docs/standalone.md", "The catalog file")
	for _, key := range keys {
		if !strings.Contains(page, "`"+key[1]+"`") {
			t.Errorf("standalone.md does not name the key %s", key[1])
		}
	}
}

// TestExamples checks that blocks of JSON and YAML can be read.
func TestExamples(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```(json|yaml)\n(.*?)^```$")
	found := 0
	for _, page := range pages(t) {
		for _, m := range blocks.FindAllStringSubmatch(read(t, page), -1) {
			found++
			next := yaml.NewDecoder(strings.NewReader(m[2])).Decode
			if m[1] == "json" {
				next = json.NewDecoder(strings.NewReader(m[2])).Decode
			}
			var value any
			err := next(&value)
			for err == nil {
				err = next(&value)
			}
			if !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v in:\n%s", page, err, m[2])
			}
		}
	}
	if found == 0 {
		t.Error("no block was found")
	}
}

// TestConformanceTable checks that the tests that clouds.md names exist in the packages of
// their columns.
func TestConformanceTable(t *testing.T) {
	var packages []string
	exist, rows := map[string][]string{}, 0
	for line := range strings.Lines(section(t, "docs/clouds.md", "Conformance")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		switch {
		case len(cells) != 5 || strings.HasPrefix(cells[0], "---"):
		case packages == nil:
			for _, cell := range cells[1:] {
				name := strings.Trim(cell, " `")
				packages, exist[name] = append(packages, name), testFunctions(t, name)
			}
		default:
			rows++
			for i, cell := range cells[1:] {
				if test := strings.TrimSpace(cell); test != "" && !slices.Contains(exist[packages[i]], test) {
					t.Errorf("clouds.md names %s, which %s has not", test, packages[i])
				}
			}
		}
	}
	if rows < 10 {
		t.Errorf("only %d rows were found", rows)
	}
}
