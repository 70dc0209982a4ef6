package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func files(t *testing.T) map[string]Page {
	t.Helper()
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]Page{}
	for _, f := range all {
		if _, twice := byPath[f.Path]; twice {
			t.Fatalf("%s is there twice", f.Path)
		}
		byPath[f.Path] = f
	}
	return byPath
}

func TestNothingFromElsewhere(t *testing.T) {
	foreign := regexp.MustCompile(`https?:|//[a-z0-9.-]+\.[a-z]|@import|\burl\(`)
	digested := regexp.MustCompile(`(?s)<(?:script|style)>(.*?)</(?:script|style)>`)
	inline := regexp.MustCompile(`(?i)<style|<script>|\son[a-z]+=|style="|javascript:`)
	code := regexp.MustCompile(`\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function`)
	for name, f := range files(t) {
		for _, body := range append([][]byte{f.Body}, values(f.Others)...) {
			text := strings.NewReplacer("http://www.w3.org/2000/svg", "", "http:%2F%2Fwww.w3.org%2F2000%2Fsvg", "").Replace(string(body)) // a name, never fetched
			if m := foreign.FindString(text); m != "" {
				t.Errorf("%s points elsewhere: %q", name, m)
			}
			for _, m := range digested.FindAllStringSubmatch(text, -1) { // the policy names its digest
				digest := sha256.Sum256([]byte(m[1]))
				if strings.Contains(f.Header["Content-Security-Policy"], " 'sha256-"+base64.StdEncoding.EncodeToString(digest[:])+"'") {
					text = strings.Replace(text, m[0], "", 1)
				}
			}
			if m := inline.FindString(text); m != "" && strings.Contains(f.ContentType, "html") {
				t.Errorf("%s has inline code or style, which its policy forbids: %q", name, m)
			}
			if m := code.FindString(text); m != "" {
				t.Errorf("%s makes code of text: %q", name, m)
			}
		}
		if !strings.Contains(f.Header["Content-Security-Policy"], "default-src 'none'") {
			t.Errorf("%s has no strict policy", name)
		}
	}
}

func values(m map[string][]byte) (out [][]byte) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// TestLinksLead follows what the documents name, and what the scripts import. What a script imports
// before it runs is named by its document, else it would cost another round trip.
func TestLinksLead(t *testing.T) {
	served := files(t)
	page := served["/"]
	if len(page.Body) == 0 || string(page.Body) != string(served["/watch/{id}"].Body) {
		t.Fatal("the library and the player are not one document")
	}
	for lang, body := range map[string][]byte{page.Language: page.Body, "ru": page.Others["ru"]} {
		if !strings.Contains(string(body), `<html lang="`+lang+`">`) {
			t.Errorf("the document in %q does not say so", lang)
		}
		links := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(string(body), -1)
		if len(links) != 5 {
			t.Errorf("%d links were found, want three scripts, and the style with and without scripts", len(links))
		}
		if !strings.Contains(string(body), `<link rel="icon" href="data:image/svg`) {
			t.Error("browsers will request an icon while a lesson begins: none is in the document")
		}
		for _, m := range links {
			if _, ok := served[m[1]]; !ok {
				t.Errorf("the document wants %s, which is not served", m[1])
			}
			for _, i := range regexp.MustCompile(`(import\(|from|import) ?"\.(/[^"]+)"`).FindAllStringSubmatch(string(served[m[1]].Body), -1) {
				if imported := "/assets" + i[2]; len(served[imported].Body) == 0 || !strings.Contains(string(body), imported) {
					t.Errorf("%s imports %s, which is not served or not in the document", m[1], imported)
				}
			}
		}
	}
	for name, f := range served {
		if strings.HasPrefix(name, "/assets/") != strings.Contains(f.Header["Cache-Control"], "immutable") {
			t.Errorf("%s: Cache-Control is %q", name, f.Header["Cache-Control"])
		}
	}
}

// TestBundlesAreCurrent bundles the sources again.
func TestBundlesAreCurrent(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "../../../scripts/pages", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	committed, err := filepath.Glob("bundles/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != 10 || len(committed) != len(made) {
		t.Errorf("%d bundles are made, %d are committed", len(made), len(committed))
	}
	for _, name := range made {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("bundles", filepath.Base(name)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what its sources say, %v: run `make pages`", filepath.Base(name), err)
		}
	}
}

// script is one of the scripts by its name.
func script(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile("assets/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// operators are reasons of the syncer's own machine, for which people see a general
// sentence.
var operators = map[string]bool{"internal": true, "ffmpeg_missing": true, "disk_full": true, "work_dir_full": true}

// TestEveryCodeHasASentence reads the codes from where they are defined, in all languages.
func TestEveryCodeHasASentence(t *testing.T) {
	for _, c := range []struct {
		source, pattern string
		least           int
		entry           string // what a language's module has for each
	}{
		{"../../media/refusal.go", `Code\s+= "([a-z_]+)"`, 18, "\n  %: ['"},
		{"../../syncer/store/reasons.go", `Reason[A-Z]\w+\s+= "([a-z_]+)"`, 10, "\n  %: '"},
	} {
		source, err := os.ReadFile(c.source)
		if err != nil {
			t.Fatal(err)
		}
		codes := regexp.MustCompile(c.pattern).FindAllStringSubmatch(string(source), -1)
		if len(codes) < c.least {
			t.Fatalf("%s: only %d codes were found", c.source, len(codes))
		}
		for _, lang := range []string{"words.en.js", "words.ru.js"} {
			words := script(t, lang)
			for _, code := range codes {
				if !operators[code[1]] && !strings.Contains(words, strings.Replace(c.entry, "%", code[1], 1)) {
					t.Errorf("%s has no sentence for %s", lang, code[1])
				}
			}
		}
	}
}

// TestLanguagesSayTheSame compares the keys of the languages, and what is filled in.
func TestLanguagesSayTheSame(t *testing.T) {
	key := regexp.MustCompile(`(?m)^  (\w+): (.*)$`)
	en, ru := key.FindAllStringSubmatch(script(t, "words.en.js"), -1), key.FindAllStringSubmatch(script(t, "words.ru.js"), -1)
	if len(en) < 80 || len(en) != len(ru) {
		t.Fatalf("%d and %d words", len(en), len(ru))
	}
	for i := range en {
		if en[i][1] != ru[i][1] {
			t.Fatalf("after %s: %s and %s", en[max(0, i-1)][1], en[i][1], ru[i][1])
		}
		if strings.Count(en[i][2], "{") != strings.Count(ru[i][2], "{") {
			t.Errorf("%s is not filled in alike: %s and %s", en[i][1], en[i][2], ru[i][2])
		}
	}
	used := regexp.MustCompile(`\bt\.(\w+)`)
	known := map[string]bool{"codes": true, "reasons": true}
	for _, k := range en {
		known[k[1]] = true
	}
	sources, err := filepath.Glob("assets/*.js")
	if err != nil || len(sources) < 15 {
		t.Fatalf("%d sources, %v", len(sources), err)
	}
	for _, name := range sources {
		for _, m := range used.FindAllStringSubmatch(script(t, filepath.Base(name)), -1) {
			if !known[m[1]] {
				t.Errorf("%s uses t.%s, which no language has", name, m[1])
			}
		}
	}
}
