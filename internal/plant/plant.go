// Package plant makes copies of source files with a fault in them and compiles them in place of
// the originals, which stay as they are. Tests use it to show that a campaign finds what it is
// made to find.
package plant

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// Fault is a text that a source file has once, and what it is replaced by.
type Fault struct{ File, Text, By string }

// Source is the file with the fault. File is relative to root. It fails where the file does not
// have the text once, since it has changed.
func (f Fault) Source(root string) (string, error) {
	data, err := os.ReadFile(filepath.Join(root, f.File))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(data), f.Text); n != 1 {
		return "", fmt.Errorf("%s has the text %d times: %q", f.File, n, f.Text)
	}
	return strings.Replace(string(data), f.Text, f.By, 1), nil
}

// Overlay writes sources, by the paths of the files that they replace, into dir, with a list for
// the -overlay flag of go build, whose path it returns. further are replacements that are files
// already.
func Overlay(dir string, sources, further map[string]string) (string, error) {
	replace := map[string]string{}
	maps.Copy(replace, further)
	for original, source := range sources {
		original, err := filepath.Abs(original)
		if err != nil {
			return "", err
		}
		replace[original] = filepath.Join(dir, fmt.Sprintf("planted-%d-%s", len(replace), filepath.Base(original)))
		if err := os.WriteFile(replace[original], []byte(source), 0o600); err != nil {
			return "", err
		}
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o600)
}

// Overlay is the list that compiles root with this one fault.
func (f Fault) Overlay(dir, root string) (string, error) {
	source, err := f.Source(root)
	if err != nil {
		return "", err
	}
	return Overlay(dir, map[string]string{filepath.Join(root, f.File): source}, nil)
}
