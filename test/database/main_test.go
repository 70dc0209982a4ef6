// Package database puts PostgreSQL out of order under gateways and syncers, and checks what
// they have promised: limits, one-time codes, revocation and quotas by a checker of
// linearizability (porcupine) over three nodes, each with a connection of its own to cut;
// everything else by what the database and the archive hold in the end.
//
// The tests of the suite are short and run within this process. `make torture-database` and
// `make load-webhooks` run the programs themselves for as long as one likes, `make
// torture-database-planted` shows what the checks find. NOTES.md has the figures.
package database

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var (
	seed    = flag.Uint64("seed", 1, "first seed of the faults")
	rounds  = flag.Int("rounds", 0, "rounds of a campaign, each with a seed of its own; 0 = the short tests of the suite")
	events  = flag.Int("events", 0, "webhooks that TestWebhookLoad sends; 0 = none")
	planted = flag.Bool("planted", false, "run TestPlanted")
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.Cleanup(func(code int) {
			os.RemoveAll(programsDir)
			os.Exit(code)
		}),
		// Keep-alive connections end with their servers.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}
