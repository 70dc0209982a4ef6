package web

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestNothingFromElsewhere(t *testing.T) {
	foreign := regexp.MustCompile(`(?i)https?:|//[a-z0-9.-]+\.[a-z]|@import|url\(`)
	inline := regexp.MustCompile(`(?i)<style|<script>|\son[a-z]+=|style="|javascript:`)
	paths := map[string]bool{}
	for _, f := range Files() {
		paths[f.Path] = true
		body := string(f.Body)
		if m := foreign.FindString(body); m != "" && !strings.HasPrefix(m, "// ") {
			t.Errorf("%s points elsewhere: %q", f.Path, m)
		}
		if m := inline.FindString(body); m != "" && strings.Contains(f.ContentType, "html") {
			t.Errorf("%s has inline code or style, which its policy forbids: %q", f.Path, m)
		}
		if !strings.Contains(f.Header["Content-Security-Policy"], "default-src 'none'") {
			t.Errorf("%s has no strict policy", f.Path)
		}
	}
	for _, f := range Files() {
		for _, m := range regexp.MustCompile(`(?:src|href)="(/[^"]*)"`).FindAllStringSubmatch(string(f.Body), -1) {
			if !paths[m[1]] {
				t.Errorf("%s wants %s, which is not served", f.Path, m[1])
			}
		}
	}
}

// TestEveryCodeHasASentence reads the codes from where they are defined.
func TestEveryCodeHasASentence(t *testing.T) {
	source, err := os.ReadFile("../media/refusal.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`Code\s+= "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 18 {
		t.Fatalf("only %d codes were found", len(codes))
	}
	for _, code := range codes {
		if !strings.Contains(string(watchScript), "\n  "+code[1]+": '") {
			t.Errorf("watch.js has no sentence for %s", code[1])
		}
	}
}
