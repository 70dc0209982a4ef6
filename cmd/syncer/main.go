// Command syncer is Lectern's sidecar: it will take Zoom's webhooks and archive
// recordings. In this release it only tells its version and its settings' help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lectiospace/lectern/internal/config"
)

const description = "Lectern's syncer: archives Zoom recordings. Serving is not part of this release."

// CLI is the command line.
type CLI struct {
	config.Settings `embed:""`

	Serve serveCommand `cmd:"" default:"withargs" help:"Take webhooks and archive recordings (comes with a later release)."`
}

type serveCommand struct{}

// Run is honest: a sidecar that starts and does nothing would lose recordings.
func (*serveCommand) Run() error {
	return errors.New("this release of the syncer cannot serve yet: it takes no webhooks and archives nothing")
}

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

func run(args, environ []string, stdout, stderr io.Writer) int {
	parsed, err := config.Parse("syncer", description, &CLI{}, args, environ, stdout, stderr)
	if err == nil {
		err = parsed.Run(context.Background())
	}
	var usage *config.Error
	switch {
	case err == nil, errors.Is(err, config.ErrDone):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "syncer:", err)
		return 2
	default:
		fmt.Fprintln(stderr, "syncer:", err)
		return 1
	}
}
