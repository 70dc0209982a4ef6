package config

import (
	"slices"

	"github.com/alecthomas/kong"

	"github.com/lectiospace/lectern/internal/clidoc"
)

// ManualCommands are the commands of both programs that print what the command line
// takes. Packages install their output.
type ManualCommands struct {
	Completion completionCommand `cmd:"" help:"Print a script that completes commands and settings in a shell."`
	Manual     manualCommand     `cmd:"" help:"Print the manual page; man -l shows it."`
}

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script.
func (c *completionCommand) Run(parsed *kong.Context, term Terminal) error {
	return clidoc.Completion(term.Out, parsed.Model, c.Shell)
}

type manualCommand struct{}

// Run prints the page in roff.
func (*manualCommand) Run(parsed *kong.Context, term Terminal) error {
	version, _ := Version()
	others := slices.DeleteFunc([]string{"gateway", "syncer", "lectern-run"}, func(page string) bool { return page == parsed.Model.Name })
	return clidoc.Manual(term.Out, parsed.Model, version, others)
}
