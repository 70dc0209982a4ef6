package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
	"github.com/lectiospace/lectern/bench/workloads"
)

// compareRounds gives each of eight figures its level with a few disturbed rounds to spare.
const compareRounds = 15

// errWorse is a gateway that is slower, or costs more, than the one that it is compared with.
var errWorse = errors.New("worse beyond noise")

// compare measures the gateway of the working tree and that of the commit base, one right
// after the other in turns, and fails when the former is worse beyond noise.
func (o options) compare(ctx context.Context, bench *workloads.Bench) error {
	bench.Site.Static = "" // no server of files takes part
	base := filepath.Join(bench.Site.Dir, "gateway-base")
	if err := buildCommit(ctx, o.module, o.base, base); err != nil {
		return err
	}
	was, is := "gateway of "+o.base, "gateway"
	both := []peers.Starter{peers.GatewaySetup{Name: was, Binary: base}.Starter(), peers.GatewaySetup{Name: is}.Starter()}
	rounds, hotFor := compareRounds, 800*time.Millisecond
	if o.rounds > 0 {
		rounds = o.rounds
	}
	set := &results.Set{}
	for _, w := range []workloads.Workload{
		workloads.Hot(results.Hot64K, 64<<10, hotFor, rounds, both),
		workloads.HotThreads(results.Hot1M, mib, hotFor, rounds, both),
		workloads.HotThreads(results.Hot8M, 8*mib, hotFor, rounds, both),
		workloads.Sequential(results.ColdFast, 256*mib, nearby, rounds, both),
		workloads.Slow(results.Slow1000, 1000, warmSize, 4*time.Second, rounds, both),
	} {
		// Fifteen rounds of slow viewers take minutes: only where they are asked for.
		if !o.only.MatchString(w.Name) || w.Name == results.Slow1000 && o.only.String() == "." {
			continue
		}
		if err := bench.Run(ctx, w, set); err != nil {
			return err
		}
	}
	if len(set.Failures) > 0 {
		f := set.Failures[0]
		return fmt.Errorf("%s, %s, round %d: %s", f.Workload, f.Target, f.Round, f.Error)
	}
	figures, err := set.Compare(was, is)
	if err != nil {
		return err
	}
	fmt.Printf("\nthe working tree ÷ %s\n%s", o.base, results.Table(figures))
	for _, f := range figures {
		if f.Worse {
			return errWorse
		}
	}
	return nil
}

// buildCommit builds the gateway of a commit in a worktree that goes again.
func buildCommit(ctx context.Context, module, commit, to string) error {
	tree, err := os.MkdirTemp("", "lectern-bench-commit-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	run := func(dir, name string, args ...string) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		fmt.Println(strings.Join(cmd.Args, " "))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
		}
		return nil
	}
	if err := run(module, "git", "worktree", "add", "--detach", tree, commit); err != nil {
		return err
	}
	defer func() {
		remove := exec.Command("git", "worktree", "remove", "--force", tree)
		remove.Dir = module
		_ = remove.Run()
	}()
	if to, err = filepath.Abs(to); err != nil {
		return err
	}
	return run(tree, "go", "build", "-o", to, "./cmd/gateway")
}
