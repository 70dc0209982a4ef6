// Command syncer receives Zoom's webhooks, archives recordings, and reconciles with Zoom
// so that nothing recorded is lost.
package main

import "github.com/lectiospace/lectern/internal/config"

const description = "Lectern's syncer: receives Zoom's webhooks, archives every recording exactly once, and reconciles with Zoom so that nothing is lost."

// CLI is the command line: every setting, and the commands.
type CLI struct {
	config.SyncerSettings `embed:""`

	Serve       serveCommand       `cmd:"" default:"withargs" help:"Receive webhooks and run jobs (the default command)."`
	Reconcile   reconcileCommand   `cmd:"" help:"Compare with what Zoom lists, once: queue what is missing and wait until it is archived."`
	Backfill    backfillCommand    `cmd:"" help:"Archive recordings of past years that are still at Zoom, behind whatever is new."`
	Move        moveCommand        `cmd:"" help:"Move recordings to another archive while they are watched."`
	Run         runCommand         `cmd:"" help:"Run one of the other periodic jobs once."`
	Jobs        jobsCommand        `cmd:"" help:"List the queue, a line per job that begins with its id."`
	Retry       retryCommand       `cmd:"" help:"Run a job again, now."`
	Explain     explainCommand     `cmd:"" help:"Print the history of one recording: what was found at Zoom, what was done, and what is next."`
	Assign      assignCommand      `cmd:"" help:"Say which lesson a recorded meeting belongs to; matching never changes that."`
	Replay      replayCommand      `cmd:"" help:"Process a saved webhook body as if Zoom had sent it."`
	Doctor      doctorCommand      `cmd:"" help:"Check what a syncer needs, a line each: PASS, WARN or FAIL and what to do."`
	Tenant      tenantCommand      `cmd:"" help:"Webhook paths of teachers whose Zoom app has a secret of its own."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask the running syncer whether it is ready; ends with 1 when it is not."`

	config.ManualCommands `embed:""`
}

// terminal is where a command reads its input and writes its output.
type terminal = config.Terminal

func main() { config.Main("syncer", description, &CLI{}) }
