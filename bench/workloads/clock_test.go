package workloads

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/bench/results"
	"github.com/lectiospace/lectern/bench/viewer"
)

// fakeBrowser does nothing.
type fakeBrowser struct{ closed *int }

func (fakeBrowser) Forget() error         { return nil }
func (fakeBrowser) Open(string) error     { return nil }
func (fakeBrowser) Run(string, any) error { return nil }
func (f fakeBrowser) Close()              { *f.closed++ }

// TestAFailedVisitIsReported: a visit without a first frame costs its own round only, and what the
// page showed is in the report. A browser that fails again and again is given up.
func TestAFailedVisitIsReported(t *testing.T) {
	for name, test := range map[string]struct {
		fails            func(lesson int) bool
		measured, failed int
	}{
		"never":  {func(int) bool { return false }, 6, 0},
		"once":   {func(lesson int) bool { return lesson == 12 }, 5, 1},
		"always": {func(int) bool { return true }, 0, maxFailures},
	} {
		t.Run(name, func(t *testing.T) {
			started, closed := 0, 0
			kind := browser{"Fake", func(context.Context, string, *url.URL) (viewer.Browser, error) {
				started++
				return fakeBrowser{&closed}, nil
			}}
			set := &results.Set{}
			l := measuredLine{workload: "line", rounds: 6, set: set, round: func(_ context.Context, _ viewer.Browser, _ sites, name string, lesson int) ([]results.Sample, error) {
				if test.fails(lesson) {
					return nil, errors.Join(errors.New("cold"), &viewer.NoFrame{Page: "it says no"})
				}
				return []results.Sample{{Target: name, Values: map[string]float64{results.FirstFrame: 1}}}, nil
			}}
			l.measure(t.Context(), kind, sites{gateway: &viewer.Site{}}, 10)
			if len(set.Samples) != test.measured || len(set.Failures) != test.failed {
				t.Errorf("%d samples and %d failures", len(set.Samples), len(set.Failures))
			}
			if started != closed || started != max(1, test.failed+min(1, test.measured)) {
				t.Errorf("%d browsers were started and %d closed", started, closed)
			}
			for _, f := range set.Failures {
				if f.Workload != "line" || f.Target != "Fake" || !strings.Contains(f.Logs, "it says no") {
					t.Errorf("the report has %+v", f)
				}
			}
		})
	}
}
