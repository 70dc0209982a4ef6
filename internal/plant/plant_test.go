package plant

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOverlay: a program is compiled with the fault, and its source stays.
func TestOverlay(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module planted\n\ngo 1.26\n",
		"main.go": "package main\n\nfunc main() {\n\tprint(\"right\")\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := Fault{File: "main.go", Text: "right", By: "wrong"}.Overlay(t.TempDir(), root)
	if err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{"right": {"run", "."}, "wrong": {"run", "-overlay", overlay, "."}} {
		run := exec.Command("go", args...)
		run.Dir = root
		if out, err := run.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("go %s: %q, %v, want %q", strings.Join(args, " "), out, err, want)
		}
	}
	for _, text := range []string{"left", "main"} { // nowhere, twice
		if _, err := (Fault{File: "main.go", Text: text}).Source(root); err == nil {
			t.Errorf("%q was replaced", text)
		}
	}
}
