package results

import (
	"fmt"
	"strings"
)

// familyLevel is the probability with which a comparison of two equal programs fails, all
// its figures together.
const familyLevel = 0.01

// Figure is one metric of one workload in a comparison.
type Figure struct {
	Workload, Metric string
	Interval
	// Worse is whether the whole interval is on the worse side of 1.
	Worse bool
}

// lowerIsBetter are the metrics that a comparison looks at, and how.
var lowerIsBetter = map[string]bool{Throughput: false, CPUPerGiB: true, CPUPerSecond: true, Wall: true}

// Compare compares two targets in every workload that both have samples of, pair by pair. A
// figure is worse when its interval leaves no doubt: with m figures, each interval is wrong about
// the direction with at most the probability familyLevel / m, so that two equal programs pass in 99
// of 100 comparisons.
func (s *Set) Compare(base, head string) (figures []Figure, err error) {
	for _, workload := range s.Workloads() {
		for _, metric := range []string{Throughput, CPUPerGiB, CPUPerSecond, Wall} {
			// Throughput and wall time of one workload are one figure.
			if metric == Wall && len(s.values(workload, head, Throughput)) > 0 {
				continue
			}
			if len(s.pairs(workload, base, head, metric)) > 0 {
				figures = append(figures, Figure{Workload: workload, Metric: metric})
			}
		}
	}
	for i := range figures {
		f := &figures[i]
		if f.Interval, err = SignedRank(s.pairs(f.Workload, base, head, f.Metric), familyLevel/float64(len(figures))); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", f.Workload, f.Metric, err)
		}
		if lowerIsBetter[f.Metric] {
			f.Worse = f.Low > 1
		} else {
			f.Worse = f.High < 1
		}
	}
	return figures, nil
}

// pairs are the ratios of the rounds in which both targets have a metric.
func (s *Set) pairs(workload, base, head, metric string) (ratios []float64) {
	of := s.values(workload, base, metric)
	for round, v := range s.values(workload, head, metric) {
		if b := of[round]; b > 0 && v > 0 {
			ratios = append(ratios, v/b)
		}
	}
	return ratios
}

// String returns the figure as a line.
func (f Figure) String() string {
	word := "as before"
	switch {
	case f.Worse:
		word = "WORSE"
	case f.Low > 1 || f.High < 1:
		word = "better"
	}
	return fmt.Sprintf("%-10s %-52s %-12s %.3f  (%.3f to %.3f)", word, f.Workload, f.Metric, f.Estimate, f.Low, f.High)
}

// Table formats figures for the terminal.
func Table(figures []Figure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s %-52s %-12s ratio  (interval; both programs alike pass in 99 of 100 comparisons)\n", "", "", "")
	for _, f := range figures {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}
