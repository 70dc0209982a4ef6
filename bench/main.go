// Command bench compares the gateway with what people use instead of it, on this
// machine, and writes bench/report. See bench/NOTES.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/bench/bound"
	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
	"github.com/lectiospace/lectern/bench/workloads"
)

// students is how many people watch; each sends a token of their own.
const students = 64

type options struct {
	quick     bool
	only      *regexp.Regexp // workloads
	against   *regexp.Regexp // peers
	rounds    int
	soak      workloads.Soak
	base      string // commit to compare with
	clock     bool
	tools     string
	report    string
	profiles  string
	module    string
	directory string
}

func main() {
	log.SetFlags(0)
	if done, err := subcommand(os.Args[1:]); done {
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	o, err := readOptions()
	if err != nil {
		log.Print(err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.run(ctx); err != nil {
		log.Fatal(err)
	}
}

// subcommand is what this program is when the benchmark starts it once more, so that each
// part has a process whose cost is known.
func subcommand(args []string) (done bool, err error) {
	switch {
	case len(args) == 2 && args[0] == peers.AuthServerCommand:
		return true, peers.ServeAuth(args[1])
	case len(args) == 3 && args[0] == peers.SendfileCommand:
		return true, bound.Sendfile(args[1], args[2])
	case len(args) == 3 && args[0] == peers.RelayCommand:
		return true, bound.Relay(args[1], args[2])
	case len(args) == 1 && args[0] == origin.Command:
		return true, origin.Serve(os.Stdin, os.Stdout)
	}
	return false, nil
}

func readOptions() (o options, err error) {
	flag.BoolVar(&o.quick, "quick", false, "fewer rounds, shorter, fewer servers: a direction in some minutes")
	only := flag.String("only", ".", "workloads to run, a regular expression of their names")
	against := flag.String("peers", ".", "servers to run, a regular expression; the references of the ratios always run")
	flag.IntVar(&o.rounds, "rounds", 0, "rounds of every workload instead of its own number")
	flag.DurationVar(&o.soak.For, "soak", 0, "instead of comparing: many viewers for so long, how long they wait, and what the gateway needs meanwhile, which goes into soak.md of the report's folder")
	flag.IntVar(&o.soak.Slow, "slow", 5000, "viewers of a soak who watch at 1 Mbit/s")
	flag.IntVar(&o.soak.Seeking, "seeking", 200, "viewers of a soak who seek, and compare every byte")
	flag.BoolVar(&o.soak.Evict, "evict", false, "the cache of a soak holds half of the lessons")
	flag.BoolVar(&o.clock, "clock", false, "instead of comparing: browsers' times to the first frame, and how they play over a poor line, which go into the report that is there")
	flag.StringVar(&o.base, "compare", "", "instead of the report: a commit whose gateway the working tree's is compared with; fails when it is worse beyond noise")
	flag.StringVar(&o.module, "C", ".", "the module's folder")
	flag.StringVar(&o.tools, "tools", "bench/.tools", "folder of the programs that are built, below the module's")
	flag.StringVar(&o.report, "report", "bench/report", "folder of the report, below the module's")
	flag.StringVar(&o.profiles, "profile", "", "folder for CPU profiles of the gateway at hot 64 KiB, hot 8 MiB and a cold file from a fast origin; their tables go into the report")
	flag.StringVar(&o.directory, "dir", os.TempDir(), "folder for the servers' files, some 10 GB, on the disk to be measured")
	flag.Parse()
	if flag.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; see -help", flag.Arg(0))
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	if o.against, err = regexp.Compile(*against); err != nil {
		return o, fmt.Errorf("-peers: %w", err)
	}
	return o, nil
}

func (o options) run(ctx context.Context) error {
	began := time.Now()
	if err := enoughFiles(); err != nil {
		return err
	}
	below := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(o.module, path)
	}
	if o.clock {
		return o.runClock(ctx, below(o.report))
	}
	tools, err := peers.Install(ctx, below(o.tools), o.module, os.Stdout)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.directory, "lectern-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	people, err := peers.NewPeople(students)
	if err != nil {
		return err
	}
	bench := &workloads.Bench{Progress: os.Stdout, HotSize: o.hotSize(), Site: &peers.Site{
		Dir: dir, Static: filepath.Join(dir, "static"), Configs: filepath.Join(o.module, "configs"), Tools: tools, People: people, CacheBytes: 16 << 30, MemoryBytes: 4 << 30,
	}}
	if o.profiles != "" {
		bench.Profiles = below(o.profiles)
		if err := os.MkdirAll(bench.Profiles, 0o755); err != nil {
			return err
		}
	}
	if o.soak.For > 0 {
		return o.runSoak(ctx, bench, below(o.report))
	}
	if o.base != "" {
		return o.compare(ctx, bench)
	}
	if err := os.Mkdir(bench.Site.Static, 0o755); err != nil {
		return err
	}
	set := &results.Set{Machine: results.ThisMachine(ctx, o.module)}
	set.Machine.Versions, set.Machine.Quick = tools.Versions(ctx), o.quick
	plan, err := o.plan()
	if err != nil {
		return err
	}
	for _, w := range plan {
		if err := bench.Run(ctx, w, set); err != nil {
			return err
		}
	}
	o.runOthers(ctx, bench, set)
	if err := set.Write(below(o.report)); err != nil {
		return err
	}
	for _, v := range set.Evaluate() {
		if v.Measured {
			fmt.Println(v)
		}
	}
	fmt.Printf("\n%s written after %s\n", filepath.Join(below(o.report), "report.md"), time.Since(began).Round(time.Second))
	return nil
}

// runSoak writes what a soak has seen, and fails where a goal is not met.
func (o options) runSoak(ctx context.Context, bench *workloads.Bench, report string) error {
	seen, err := bench.Soak(ctx, o.soak)
	if err != nil {
		return err
	}
	seen.Machine = results.ThisMachine(ctx, o.module)
	var missed []error
	for _, v := range seen.Verdicts() {
		line := fmt.Sprintf("%s: %s", v.What, v.Measured)
		fmt.Println(line)
		if !v.Met {
			missed = append(missed, fmt.Errorf("not met: %s", line))
		}
	}
	return errors.Join(append(missed, seen.Write(report))...)
}

// runClock measures the viewer's clock, while the machine has nothing else to do.
func (o options) runClock(ctx context.Context, report string) error {
	rounds := 20
	if o.rounds > 0 {
		rounds = o.rounds
	}
	set := &results.Set{Machine: results.ThisMachine(ctx, o.module)}
	clock := workloads.Clock{Module: o.module, Dir: o.directory, Rounds: rounds, Sessions: max(1, rounds/5), Lines: o.only, Browsers: o.against}
	if err := clock.Run(ctx, set); err != nil {
		return err
	}
	return set.WriteClock(report)
}

// runOthers runs what does not compare servers with each other. A failure is part of the report.
func (o options) runOthers(ctx context.Context, bench *workloads.Bench, set *results.Set) {
	rounds, runFor, events := 5, time.Second, 3000
	grown := workloads.Grown{Chunks: []int{100, 10_000, 1_000_000}, Recordings: []int{100, 10_000}, Dir: filepath.Join(bench.Site.Dir, "grown")}
	if o.quick {
		rounds, runFor, events, grown.Chunks = 1, 500*time.Millisecond, 1000, []int{100, 10_000, 50_000}
	}
	if o.rounds > 0 {
		rounds = o.rounds
	}
	for _, one := range []struct {
		name string
		run  func() error
	}{
		{results.AuthPath, func() error { return workloads.Auth(ctx, o.module, rounds, set) }},
		{results.StartUp, func() error { return grown.StartUp(ctx, bench, min(rounds, 3), set) }},
		{results.Growth, func() error { return grown.Growth(ctx, bench, runFor, rounds, set) }},
		{results.Eviction, func() error { workloads.Eviction(rounds, set); return nil }},
		{results.Webhooks, func() error {
			return workloads.Webhooks(ctx, bench.Site.Tools, o.directory, events, min(rounds, 3), bench, set)
		}},
	} {
		if !o.only.MatchString(one.name) || ctx.Err() != nil {
			continue
		}
		began := time.Now()
		err := one.run()
		set.Took(one.name, time.Since(began))
		if err != nil {
			set.Failures = append(set.Failures, results.Failure{Workload: one.name, Target: "gateway", Error: err.Error()})
			fmt.Printf("  %s failed: %v\n", one.name, err)
		}
	}
}

// hotSize is the size of the cached file.
func (o options) hotSize() int64 {
	if o.quick {
		return 512 << 20
	}
	return 1 << 30
}

// enoughFiles raises the limit of open files to what 5,000 viewers need, here
// and, by inheritance, in the servers.
func enoughFiles() error {
	const needed = 12_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Max < needed {
		return fmt.Errorf("open files are limited to %d and %d are needed: raise it with ulimit -Hn", limit.Max, needed)
	}
	// nginx uses what there is, see peers.NginxSlice; root may have more.
	more := syscall.Rlimit{Cur: 200_000, Max: max(limit.Max, 200_000)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil {
		return nil
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
