// Package commands finds the command lines of the documentation, so that the programs' own
// parsers can be tried on them.
package commands

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Command is a call of one of the programs on a page.
type Command struct {
	// Page is the page's path, relative to the repository's root.
	Page string
	// Args are the words behind the program's name. What a page leaves to the reader is
	// replaced by a value of its kind.
	Args []string
	// Partial means that it stands in a sentence, where arguments may be left out.
	Partial bool
}

// Accepts reports whether a parser that ends with err accepts the command. One that stands in
// a sentence may lack arguments and flags.
func (c Command) Accepts(err error) bool {
	if err == nil {
		return true
	}
	text := err.Error()
	missing := strings.Contains(text, "expected ") && !strings.Contains(text, "unexpected ") || strings.HasPrefix(text, "missing flags")
	return c.Partial && missing
}

// String is the command as an error names it.
func (c Command) String() string { return fmt.Sprintf("%s: %q", c.Page, c.Args) }

var (
	block  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	inline = regexp.MustCompile("`([^`\n]+)`")
	// heredoc is what a shell passes to a command's standard input.
	heredoc = regexp.MustCompile(`(?ms)<<'?([A-Z]+)'?$.*?^([A-Z]+)$`)
	// word is an argument, or the end of a command.
	word = regexp.MustCompile(`"[^"]*"|'[^']*'|[|;&<>()]|[^\s|;&<>()]+`)
)

// Of lists the calls of a program on all pages below the repository's root, in their blocks
// of shell commands and in their sentences. The changelog is left out: it also names
// commands of earlier versions.
func Of(root, program string) (all []Command, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".md") || d.Name() == "CHANGELOG.md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		page, err := filepath.Rel(root, path)
		all = append(all, ofPage(page, string(text), program)...)
		return err
	})
	return all, err
}

func ofPage(page, text, program string) (all []Command) {
	add := func(line string, partial bool) {
		for _, args := range calls(line, program) {
			all = append(all, Command{Page: page, Args: args, Partial: partial})
		}
	}
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		if m[1] != "sh" {
			continue
		}
		lines := strings.ReplaceAll(heredoc.ReplaceAllString(m[2], ""), "\\\n", " ")
		for line := range strings.Lines(lines) {
			add(line, false)
		}
	}
	for _, m := range inline.FindAllStringSubmatch(block.ReplaceAllString(text, ""), -1) {
		add(m[1], true)
	}
	return all
}

// ends are the characters that end a command, and before is what may stand in front of one.
const ends = "|;&<>()"

var before = []string{"|", ";", "&", "(", "lectern-run", "run"}

// calls lists the arguments of each call of the program in a line of shell.
func calls(line, program string) (all [][]string) {
	// A substitution within quotes is a command too.
	line = strings.NewReplacer(`"$(`, ` ; `, `$(`, ` ; `).Replace(line)
	line, _, _ = strings.Cut(line, " #")
	line = strings.ReplaceAll(line, "gateway|syncer", "") // either of them
	words := word.FindAllString(line, -1)
	for i := 0; i < len(words); i++ {
		if !isProgram(words[i], program) || i > 0 && !slices.Contains(before, words[i-1]) {
			continue
		}
		var args []string
		for i++; i < len(words) && !strings.Contains(ends, words[i][:1]); i++ {
			args = append(args, filled(strings.Trim(words[i], `"'[]`)))
		}
		if len(args) > 0 {
			all = append(all, args)
		}
	}
	return all
}

// isProgram reports whether a word is the name or a path of the program, or of the new
// one that an upgrade installs beside it.
func isProgram(word, program string) bool {
	name := strings.TrimSuffix(filepath.Base(word), ".new")
	return name == program
}

var (
	variable    = regexp.MustCompile(`\$\{?[A-Za-z_]+\}?`)
	placeholder = regexp.MustCompile(`^(--[a-z-]+=)?([A-Z][A-Z_]*)…?$`)
)

// filled replaces a variable, or a word in capitals, by a value.
func filled(arg string) string {
	arg = variable.ReplaceAllString(arg, "1")
	m := placeholder.FindStringSubmatch(arg)
	if m == nil {
		return arg
	}
	switch m[2] {
	case "DATE":
		return m[1] + "2026-11-20"
	case "SIZE":
		return m[1] + "1MiB"
	}
	return m[1] + "1"
}
