// Command watchbench measures watch states at a real gateway: viewers report every ten seconds
// where they are, and it prints how long a report waits and how many statements the database
// gets. It fails where either is beyond its goal. The viewers share the machine with the gateway and
// the database, so that figures are upper bounds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/internal/catalog"
)

// The goals.
const (
	mostWait       = 20 * time.Millisecond // the 99th percentile of a report's time
	mostStatements = 1                     // a second
)

// every is how often a player reports.
const every = 10 * time.Second

type options struct {
	bin, dir, database string
	viewers            int
	idle, length       time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder of the built gateway")
	flag.StringVar(&o.dir, "dir", "", "folder for data (default: the system's temporary one)")
	flag.StringVar(&o.database, "database", "sqlite", "sqlite, postgres (a new server with its defaults), or the address of an empty PostgreSQL database")
	flag.IntVar(&o.viewers, "viewers", 5000, "viewers at once")
	flag.DurationVar(&o.idle, "idle", 30*time.Second, "how long the gateway's own statements are counted before")
	flag.DurationVar(&o.length, "time", 2*time.Minute, "how long is measured")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) (err error) {
	o.dir, err = os.MkdirTemp(o.dir, "watchbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(o.dir)
	name := o.database
	switch o.database {
	case "sqlite":
		o.database = "sqlite://" + filepath.Join(o.dir, "lectern.db")
	case "postgres":
		// The server has a user of its own, who has to reach its files.
		if err := os.Chmod(o.dir, 0o711); err != nil {
			return err
		}
		url, stop, err := peers.Postgres(ctx, o.dir)
		if err != nil {
			return err
		}
		defer stop()
		o.database = url
	default:
		name = "the given database"
	}
	g, err := start(o)
	if err != nil {
		return err
	}
	defer g.kill()
	f, err := measure(g, o)
	if err != nil {
		return err
	}
	if err := g.stop(); err != nil {
		return err
	}
	stored, err := states(ctx, o.database)
	if err != nil {
		return err
	}
	fmt.Printf("watch states on %s: %d viewers, %d reports in %s (%.0f a second), %d refused: p50 %.2f ms, p99 %.2f ms, max %.2f ms; "+
		"%.2f statements a second beside %.2f without viewers; %.2f ms of the gateway's CPU each; %d states stored\n",
		name, o.viewers, len(f.waits), o.length, float64(len(f.waits))/o.length.Seconds(), f.refused, milliseconds(f.at(.5)), milliseconds(f.at(.99)), milliseconds(f.at(1)),
		f.statements, f.idle, milliseconds(f.cpu)/float64(len(f.waits)), stored)
	return errors.Join(f.check(o, stored), f.problem)
}

// figures are what was measured.
type figures struct {
	waits            []time.Duration // sorted
	refused          int
	statements, idle float64 // a second: because of the viewers, and without them
	cpu              time.Duration
	problem          error // of the first report that was refused
}

// at is the wait that a share of all do not exceed.
func (f *figures) at(share float64) time.Duration {
	if len(f.waits) == 0 {
		return 0
	}
	return f.waits[min(len(f.waits)-1, int(share*float64(len(f.waits))))]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// check is an error where a goal is missed or a report was lost.
func (f *figures) check(o options, stored int64) error {
	var missed []error
	if p99 := f.at(.99); p99 > mostWait {
		missed = append(missed, fmt.Errorf("the 99th percentile is %s, the goal %s", p99, mostWait))
	}
	if f.statements > mostStatements {
		missed = append(missed, fmt.Errorf("%.2f statements a second, the goal is %d", f.statements, mostStatements))
	}
	if f.refused > 0 {
		missed = append(missed, fmt.Errorf("%d reports were refused", f.refused))
	}
	if stored != int64(o.viewers) {
		missed = append(missed, fmt.Errorf("the states of %d viewers are stored, of %d", stored, o.viewers))
	}
	return errors.Join(missed...)
}

// states counts what is stored.
func states(ctx context.Context, database string) (n int64, err error) {
	db, err := catalog.Open(ctx, database, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.Row(ctx, "watchbench: states", `SELECT count(*) FROM lectern.lectern_watch_states`, nil, &n)
	return n, err
}

// measure counts what the gateway sends to its database without viewers, lets each viewer
// report once, so that it has looked all of them up, and then has them report for o.length.
func measure(g *gateway, o options) (*figures, error) {
	f := &figures{}
	rate := func(during func()) (float64, error) {
		before, err := g.metric("lectern_database_seconds_count")
		if err != nil {
			return 0, err
		}
		began := time.Now()
		during()
		after, err := g.metric("lectern_database_seconds_count")
		return (after - before) / time.Since(began).Seconds(), err
	}
	v, err := newViewers(g, o.viewers)
	if err != nil {
		return nil, err
	}
	if f.idle, err = rate(func() { time.Sleep(o.idle) }); err != nil {
		return nil, err
	}
	if _, refused := v.report(every); refused > 0 {
		return nil, fmt.Errorf("%d first reports were refused: %w", refused, v.problem())
	}
	cpu, err := g.cpu()
	if err != nil {
		return nil, err
	}
	all, err := rate(func() { f.waits, f.refused = v.report(o.length) })
	if err != nil {
		return nil, err
	}
	f.problem = v.problem()
	f.statements = max(0, all-f.idle)
	slices.Sort(f.waits)
	after, err := g.cpu()
	f.cpu = after - cpu
	return f, err
}
