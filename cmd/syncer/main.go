// Command syncer is Lectern's sidecar: it takes Zoom's webhooks, archives
// recordings, and reconciles with Zoom so that nothing recorded is lost.
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

const description = "Lectern's syncer: takes Zoom's webhooks, archives every recording exactly once, and reconciles with Zoom so that nothing is lost."

// CLI is the command line: every setting, and the commands.
type CLI struct {
	config.SyncerSettings `embed:""`

	Serve     serveCommand     `cmd:"" default:"withargs" help:"Take webhooks and work jobs (what runs when no command is given)."`
	Reconcile reconcileCommand `cmd:"" help:"Compare with what Zoom lists, once: queue what is missing and stay until it is archived."`
	Run       runCommand       `cmd:"" help:"Run one of the other periodic jobs once."`
	Jobs      jobsCommand      `cmd:"" help:"List the queue, a line per job that begins with its id."`
	Retry     retryCommand     `cmd:"" help:"Run a job again, now."`
	Explain   explainCommand   `cmd:"" help:"Tell the story of one recording."`
	Replay    replayCommand    `cmd:"" help:"Feed a saved webhook body through the intake."`
	Doctor    doctorCommand    `cmd:"" help:"Check what a syncer needs, a line each: PASS, WARN or FAIL and what to do."`
	Tenant    tenantCommand    `cmd:"" help:"Webhook paths of teachers whose Zoom app has a secret of its own."`
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
	parsed, err := config.Parse("syncer", description, &cli, args, env, term.out, term.err)
	if err == nil {
		for _, warning := range parsed.Warnings {
			fmt.Fprintln(term.err, "syncer: warning:", warning)
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
		fmt.Fprintln(stderr, "syncer:", err)
		return 2
	case errors.Is(err, errReported):
		return 1
	default:
		fmt.Fprintln(stderr, "syncer:", err)
		return 1
	}
}

// errReported ends with exit code 1 when everything has been said already.
var errReported = errors.New("reported")
