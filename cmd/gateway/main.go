// Command gateway is Lectern's streaming proxy: it decides who may watch which recording
// and serves byte ranges of recorded lessons from a disk cache or their origin.
package main

import "github.com/lectiospace/lectern/internal/config"

const description = "Lectern's gateway: a proxy that checks who may watch a recorded lesson and streams it, by ranges, from a disk cache or from where it is archived."

// CLI is the command line: every setting, and the commands.
type CLI struct {
	config.Settings `embed:""`

	Serve       serveCommand       `cmd:"" default:"withargs" help:"Serve recordings (the default command)."`
	Demo        demoCommand        `cmd:"" help:"One process with sample lessons and nothing to prepare; prints a player URL, a curl line and where the metrics are."`
	Token       tokenCommand       `cmd:"" help:"Print an access token, or a playback token for one recording, signed with the configured key."`
	Migrate     migrateCommand     `cmd:"" help:"Show, create, upgrade or revert the database schema."`
	Backup      backupCommand      `cmd:"" help:"Write a copy of Lectern's data that restore takes; beside the platform of the schema lectern only."`
	Restore     restoreCommand     `cmd:"" help:"Replace Lectern's data by a backup, while no gateway and no syncer runs."`
	Caching     cacheCommand       `cmd:"" name:"cache" help:"Show, fill, purge or verify the disk cache; through the running gateway when there is one."`
	Catalog     catalogCommand     `cmd:"" help:"Fill or print a standalone catalog."`
	Doctor      doctorCommand      `cmd:"" help:"Check everything a deployment needs, a line each: PASS, WARN or FAIL and what to do; ends with 1 when something fails."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask the running gateway whether it is ready; ends with 1 when it is not."`

	config.ManualCommands `embed:""`
}

// terminal is where a command reads its input and writes its output.
type terminal = config.Terminal

func main() { config.Main("gateway", description, &CLI{}) }
