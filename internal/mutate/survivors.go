package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// survivors are the reasons why mutants survive, by target and key.
type survivors map[string]map[string]string

// readSurvivors reads a list of survivors. "[name]" begins those of a target; a line is
// the key of a mutant, " -- " and the reason. Empty lines and comments are left out.
func readSurvivors(path string) (survivors, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	known := survivors{}
	target := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok && strings.HasSuffix(name, "]") {
			target = strings.TrimSuffix(name, "]")
			known[target] = map[string]string{}
			continue
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, ok := strings.Cut(line, " -- ")
		if !ok || target == "" || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("%s: no target or no reason: %s", path, line)
		}
		known[target][key] = reason
	}
	return known, nil
}

// check reports whether everything that is listed for a target exists.
func (s survivors) check(target string, mutants []mutant) (ok bool) {
	ok = true
	for key := range s[target] {
		if !slices.ContainsFunc(mutants, func(m mutant) bool { return m.key() == key }) {
			fmt.Printf("%s: listed as a survivor, but no mutant: %s\n", target, key)
			ok = false
		}
	}
	return ok
}
