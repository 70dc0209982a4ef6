// Command gateway is Lectern's streaming proxy: it checks who may watch what
// and serves byte ranges of recorded lessons from a disk cache or their origin.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/lectiospace/lectern/internal/config"
)

const description = "Lectern's gateway: a proxy that checks who may watch a recorded lesson and streams it, by ranges, from a disk cache or from where it is archived."

// CLI is the command line: every setting, and the commands.
type CLI struct {
	config.Settings `embed:""`

	Serve   serveCommand   `cmd:"" default:"withargs" help:"Serve recordings (what runs when no command is given)."`
	Demo    demoCommand    `cmd:"" help:"One process with sample lessons and nothing to prepare; prints a player URL, a curl line and where the metrics are."`
	Token   tokenCommand   `cmd:"" help:"Print an access token, or a playback token for one recording, signed with the configured key."`
	Migrate migrateCommand `cmd:"" help:"Show, create or step back the database schema."`
	Caching cacheCommand   `cmd:"" name:"cache" help:"See, fill, empty or check the disk cache; through the running gateway when there is one."`
	Catalog catalogCommand `cmd:"" help:"Fill or show a standalone catalog."`
	Doctor  doctorCommand  `cmd:"" help:"Check everything a deployment needs, a line each: PASS, WARN or FAIL and what to do; ends with 1 when something fails."`
}

// terminal is where a command talks to the person who ran it.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	// The first signal asks for an orderly end; stop() then restores the default,
	// so that a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), terminal{os.Stdin, os.Stdout, os.Stderr}))
}

// run is the whole program; it returns the exit code: 0 good, 1 failed, 2 wrong
// usage or configuration.
func run(ctx context.Context, args, env []string, term terminal) int {
	var cli CLI
	parsed, err := config.Parse("gateway", description, &cli, args, env, term.out, term.err)
	if err == nil {
		for _, warning := range parsed.Warnings {
			fmt.Fprintln(term.err, "gateway: warning:", warning)
		}
		err = parsed.Run(ctx, &cli, term)
	}
	return exitCode(err, term.err)
}

// exitCode reports an error on one line and says what the process ends with.
func exitCode(err error, stderr io.Writer) int {
	var usage *config.Error
	switch {
	case err == nil, errors.Is(err, config.ErrDone):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "gateway:", err)
		return 2
	default:
		fmt.Fprintln(stderr, "gateway:", err)
		return 1
	}
}
