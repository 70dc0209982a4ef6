package results

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// clockBrowsers are those that the viewer's clock has goals for.
var clockBrowsers = []string{"Chromium", "Firefox"}

// ofClock reports whether a workload is measured with the viewer's clock.
func ofClock(workload string) bool {
	return workload == Clock || workload == ClockSlow || workload == Rebuffering
}

// clockColumns are the metrics of the viewer's clock, the phases in their order.
var clockColumns = []string{PageLoaded, ScriptLoaded, GrantAsked, Granted, SourceSet, StreamBegan, MetadataKnown, FrameLoaded, FirstFrame, PlayingAfter, Rebuffered, DecoderWaits, SeekWait, Seeks}

// writeClock writes the phases of the visits of one line, and the first frame's 95th percentile. A
// phase's time counts from the entering of the address, so that the difference of two columns is
// what a phase took.
func (s *Set) writeClock(b *strings.Builder, workload string) {
	targets := s.Targets(workload)
	var shown []string
	for _, metric := range clockColumns {
		if slices.ContainsFunc(targets, func(t string) bool { return len(s.values(workload, t, metric)) > 0 }) {
			shown = append(shown, metric)
		}
	}
	fmt.Fprintf(b, "## %s\n\n%s, medians; `make bench-clock` measured it by itself: %s, commit %s.\n\n| | %s | %s p95 |\n|---|%s---|\n", title(workload), s.howOften(workload),
		s.clockOf.Date, s.clockOf.Commit, strings.Join(shown, " | "), FirstFrame, strings.Repeat("---|", len(shown)))
	for _, target := range targets {
		fmt.Fprintf(b, "| %s |", target)
		for _, metric := range shown {
			writeCell(b, s.Median, workload, target, metric)
		}
		writeCell(b, s.p95, workload, target, FirstFrame)
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "\n%s\n\n", s.limit(workload))
	for _, p := range plotsOf(workload) {
		if len(targets) > 1 && slices.Contains(shown, p) {
			fmt.Fprintf(b, "![%s: %s](%s)\n", workload, p, plotName(workload, p))
		}
	}
	b.WriteString("\n")
}

func writeCell(b *strings.Builder, value func(workload, target, metric string) (float64, bool), workload, target, metric string) {
	if v, ok := value(workload, target, metric); ok {
		fmt.Fprintf(b, " %s", number(v))
	}
	b.WriteString(" |")
}

// p95 is the least of the rounds' values that at most one in twenty exceeds.
func (s *Set) p95(workload, target, metric string) (float64, bool) {
	all := slices.Sorted(maps.Values(s.values(workload, target, metric)))
	if len(all) == 0 {
		return 0, false
	}
	return all[(len(all)*95+99)/100-1], true
}
