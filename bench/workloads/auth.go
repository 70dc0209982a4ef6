package workloads

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/lectiospace/lectern/bench/results"
)

var benchLine = regexp.MustCompile(`(?m)^BenchmarkHotPath\S*\s+\d+\s+([0-9.]+) ns/op\s+\d+ B/op\s+(\d+) allocs/op`)

// Auth runs the Go benchmark of the access decision.
func Auth(ctx context.Context, module string, rounds int, set *results.Set) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkHotPath$", "-benchmem",
		"-benchtime", "0.5s", "-count", strconv.Itoa(rounds), "./internal/auth")
	cmd.Dir = module
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the benchmark of internal/auth: %w\n%s", err, out)
	}
	lines := benchLine.FindAllSubmatch(out, -1)
	if len(lines) == 0 {
		return fmt.Errorf("the benchmark of internal/auth says nothing:\n%s", out)
	}
	for round, m := range lines {
		ns, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return err
		}
		allocs, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil {
			return err
		}
		set.Samples = append(set.Samples, results.Sample{
			Workload: results.AuthPath, Target: "gateway", Round: round,
			Values: map[string]float64{results.Nanoseconds: ns, results.Allocations: allocs},
		})
	}
	return nil
}
