package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/bench/origin"
	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
	"github.com/lectiospace/lectern/bench/workloads"
)

// TestMain lets the test's program be the processes that the benchmark starts of itself.
func TestMain(m *testing.M) {
	if done, err := subcommand(os.Args[1:]); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestMeasuresAndReports runs a small scenario of each kind against net/http and
// the origin itself, which need nothing installed, and reads the report.
func TestMeasuresAndReports(t *testing.T) {
	dir := t.TempDir()
	shape := origin.Shape{Latency: 2 * time.Millisecond, Rate: 16 << 20}
	bench := &workloads.Bench{Progress: io.Discard, HotSize: 9 << 20, Site: &peers.Site{Dir: dir}}
	set := &results.Set{Machine: results.ThisMachine(context.Background(), "..")}
	both := []peers.Starter{peers.Direct(), peers.Stdlib()}
	for _, w := range []workloads.Workload{
		workloads.Hot(results.Hot64K, 64<<10, 50*time.Millisecond, 2, []peers.Starter{peers.Stdlib()}),
		workloads.Sequential(results.ColdSlow, 1<<20, shape, 2, both),
		workloads.CrowdOf(results.Crowd, 5, 1<<20, shape, 1, both),
		workloads.Seeks(results.Seek, 3, 64<<10, 1<<20, shape, 1, []peers.Starter{peers.Direct()}),
		workloads.Slow(results.Slow1000, 10, 8<<20, 50*time.Millisecond, 1, []peers.Starter{peers.Stdlib()}),
	} {
		if err := bench.Run(context.Background(), w, set); err != nil {
			t.Fatal(err)
		}
	}
	if len(set.Failures) > 0 {
		t.Fatalf("%+v", set.Failures)
	}
	if got, ok := set.Median(results.ColdSlow, "direct", results.OriginBytes); !ok || got != 1 {
		t.Errorf("a file was fetched %v times, %v", got, ok)
	}
	if first, ok := set.Median(results.ColdSlow, "direct", results.FirstP50); !ok || first < 2 {
		t.Errorf("an origin that takes 2 ms answered in %v", first)
	}
	if rate, ok := set.Median(results.ColdSlow, "direct", results.Throughput); !ok || rate > 1.2*16*1.048576 {
		t.Errorf("an origin of 16 MiB/s gave %v MB/s", rate)
	}
	if err := set.Write(filepath.Join(dir, "report")); err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile(filepath.Join(dir, "report", "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"## Goals", "not measured", "## " + "Cold sequential, 50 ms and 8 MiB/s per connection", "| net/http |"} {
		if !strings.Contains(string(report), part) {
			t.Errorf("the report has no %q", part)
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^)]*\.svg)\)`).FindAllSubmatch(report, -1) {
		svg, err := os.ReadFile(filepath.Join(dir, "report", string(link[1])))
		if err != nil || !strings.HasPrefix(string(svg), "<svg") {
			t.Errorf("plot %s: %v", link[1], err)
		}
	}
}

// TestAFailingServerIsLeftOut makes sure that one broken server ends neither the
// run nor hides.
func TestAFailingServerIsLeftOut(t *testing.T) {
	broken := peers.Starter{Name: "broken", Start: func(context.Context, *peers.Site) (*peers.Peer, error) { return nil, io.ErrUnexpectedEOF }}
	bench := &workloads.Bench{Progress: io.Discard, HotSize: 1 << 20, Site: &peers.Site{Dir: t.TempDir()}}
	set := &results.Set{}
	w := workloads.Hot(results.Hot64K, 64<<10, 10*time.Millisecond, 2, []peers.Starter{broken, peers.Stdlib()})
	if err := bench.Run(context.Background(), w, set); err != nil {
		t.Fatal(err)
	}
	if len(set.Failures) != 1 || len(set.Samples) != 2 || set.Samples[0].Target != "net/http" {
		t.Errorf("%d failures, samples %+v", len(set.Failures), set.Samples)
	}
}

// TestThePlanReachesEveryGoal makes sure that what is promised is also measured.
func TestThePlanReachesEveryGoal(t *testing.T) {
	o := options{only: regexp.MustCompile("."), against: regexp.MustCompile(".")}
	planned := map[string]bool{results.AuthPath: true, results.Eviction: true, results.Webhooks: true, results.Clock: true, results.ClockSlow: true, results.Rebuffering: true}
	plan, err := o.plan()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range plan {
		planned[w.Name] = true
		if w.Rounds < 3 && !strings.Contains(w.Name, "compared") {
			t.Errorf("%s has only %d rounds", w.Name, w.Rounds)
		}
	}
	for _, v := range (&results.Set{}).Evaluate() {
		if !planned[v.Workload] {
			t.Errorf("nothing measures %q", v.Workload)
		}
		if v.Met() {
			t.Errorf("%q is met without a measurement", v.What)
		}
	}
}
