package workloads

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/lectiospace/lectern/bench/peers"
	"github.com/lectiospace/lectern/bench/results"
)

// webhookSenders is how many deliver events at a time.
const webhookSenders = 16

// Webhooks has bench/cmd/syncbench deliver so many events to a syncer, once with SQLite and once
// with PostgreSQL. dir is on the disk that is measured: an event is answered when it is stored,
// so that the limit is what a write to that disk takes.
func Webhooks(ctx context.Context, tools peers.Tools, dir string, events, rounds int, b *Bench, set *results.Set) error {
	fmt.Fprintf(b.Progress, "\n%s\n", results.Webhooks)
	add := func(target string, round int, values map[string]float64) {
		s := results.Sample{Workload: results.Webhooks, Target: target, Round: round, Values: values}
		set.Samples = append(set.Samples, s)
		fmt.Fprintf(b.Progress, "  %d  %-32s %s\n", round+1, target, results.Line(s))
	}
	for round := range rounds {
		waits, err := syncedWrites(dir, 200)
		if err != nil {
			return err
		}
		add(results.DiskBound, round, map[string]float64{results.AnsweredP50: results.Quantile(waits, 0.5), results.AnsweredP99: results.Quantile(waits, 0.99)})
		values, err := syncbench(ctx, tools, dir, "", events)
		if err != nil {
			return fmt.Errorf("SQLite: %w", err)
		}
		add("syncer, SQLite", round, values)
		if values, err = syncbenchPostgres(ctx, tools, dir, events); err != nil {
			return fmt.Errorf("PostgreSQL: %w", err)
		}
		add("syncer, PostgreSQL", round, values)
	}
	return nil
}

func syncbenchPostgres(ctx context.Context, tools peers.Tools, dir string, events int) (map[string]float64, error) {
	database, stop, err := peers.Postgres(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer stop()
	return syncbench(ctx, tools, dir, database, events)
}

func syncbench(ctx context.Context, tools peers.Tools, dir, database string, events int) (map[string]float64, error) {
	cmd := exec.CommandContext(ctx, tools.Syncbench, "-json", "-bin", tools.Dir, "-dir", dir, "-database", database,
		"-senders", strconv.Itoa(webhookSenders), "-events", strconv.Itoa(events), "webhooks")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("syncbench: %w\n%s", err, stderr.Bytes())
	}
	var figures struct {
		Refused int     `json:"refused"`
		Rate    float64 `json:"events_per_second"`
		P50     float64 `json:"p50_ms"`
		P99     float64 `json:"p99_ms"`
		CPU     float64 `json:"cpu_ms_per_event"`
	}
	if err := json.Unmarshal(out, &figures); err != nil {
		return nil, fmt.Errorf("syncbench: %w: %s", err, out)
	}
	if figures.Refused > 0 {
		return nil, fmt.Errorf("%d of %d events were refused", figures.Refused, events)
	}
	return map[string]float64{
		results.Events: figures.Rate, results.AnsweredP50: figures.P50, results.AnsweredP99: figures.P99, results.CPUPerEvent: figures.CPU,
	}, nil
}

// syncedWrites returns, sorted, how long appending 4 KiB takes until the disk has them.
func syncedWrites(dir string, n int) (waits []time.Duration, err error) {
	f, err := os.CreateTemp(dir, "lectern-bench-synced-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	for range n {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		waits = append(waits, time.Since(began))
	}
	slices.Sort(waits)
	return waits, nil
}
