// Command syncer is Lectern's sidecar: it takes Zoom's webhooks, archives
// recordings, and reconciles with Zoom so that nothing recorded is lost.
package main

import "github.com/lectiospace/lectern/internal/config"

const description = "Lectern's syncer: takes Zoom's webhooks, archives every recording exactly once, and reconciles with Zoom so that nothing is lost."

// CLI is the command line: every setting, and the commands.
type CLI struct {
	config.SyncerSettings `embed:""`

	Serve     serveCommand     `cmd:"" default:"withargs" help:"Take webhooks and work jobs (what runs when no command is given)."`
	Reconcile reconcileCommand `cmd:"" help:"Compare with what Zoom lists, once: queue what is missing and stay until it is archived."`
	Backfill  backfillCommand  `cmd:"" help:"Archive recordings of past years that are still at Zoom, behind whatever is new."`
	Run       runCommand       `cmd:"" help:"Run one of the other periodic jobs once."`
	Jobs      jobsCommand      `cmd:"" help:"List the queue, a line per job that begins with its id."`
	Retry     retryCommand     `cmd:"" help:"Run a job again, now."`
	Explain   explainCommand   `cmd:"" help:"Tell the story of one recording."`
	Assign    assignCommand    `cmd:"" help:"Say which lesson a recorded meeting belongs to; matching never changes that."`
	Replay    replayCommand    `cmd:"" help:"Feed a saved webhook body through the intake."`
	Doctor    doctorCommand    `cmd:"" help:"Check what a syncer needs, a line each: PASS, WARN or FAIL and what to do."`
	Tenant    tenantCommand    `cmd:"" help:"Webhook paths of teachers whose Zoom app has a secret of its own."`
}

// terminal is where a command reads its input and writes its output.
type terminal = config.Terminal

func main() { config.Main("syncer", description, &CLI{}) }
