package workloads

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/lectiospace/lectern/bench/results"
)

// clockLine is what TestFirstFrame logs of each visit.
var clockLine = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (.+): the first frame (\d+) ms after the address was entered, playing (\d+) ms after the press`)

// Clock has a browser open a lesson's page, as test/e2e does, so often, and takes the times that
// the test logs.
func Clock(ctx context.Context, module string, rounds int, set *results.Set) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^TestFirstFrame$", "-v", "-count", strconv.Itoa(rounds), "./test/e2e")
	cmd.Dir = module
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("test/e2e, TestFirstFrame: %w\n%s", err, out)
	}
	samples := parseClock(string(out))
	if len(samples) == 0 {
		return fmt.Errorf("test/e2e, TestFirstFrame says nothing:\n%s", out)
	}
	set.Samples = append(set.Samples, samples...)
	return nil
}

func parseClock(log string) (samples []results.Sample) {
	rounds := map[string]int{}
	for _, m := range clockLine.FindAllStringSubmatch(log, -1) {
		values := map[string]float64{}
		for i, metric := range []string{results.FirstFrame, results.PlayingAfter} {
			ms, err := strconv.ParseFloat(m[2+i], 64)
			if err != nil {
				continue // of digits that are too many
			}
			values[metric] = ms
		}
		samples = append(samples, results.Sample{Workload: results.Clock, Target: m[1], Round: rounds[m[1]], Values: values})
		rounds[m[1]]++
	}
	return samples
}
