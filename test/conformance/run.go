package conformance

import (
	"fmt"
	"io"
	"strings"
)

// Result is what is wrong with a server's answers to one case.
type Result struct {
	Case   Case
	Faults []string // empty: the case is met
}

// Theirs are the cases that a proxy fails by itself, with what it does instead. A gateway
// that sees another request than the proxy was sent cannot fail them.
type Theirs map[string]string

// Unknown returns the results that fail and of which nothing is known.
func (t Theirs) Unknown(results []Result) (unknown []Result) {
	for _, r := range results {
		if len(r.Faults) > 0 && t[r.Case.ID] == "" {
			unknown = append(unknown, r)
		}
	}
	return unknown
}

// WithoutDates returns the results without the faults of refusals that have no Date, and how
// many there were.
func WithoutDates(results []Result) (others []Result, undated int) {
	for _, r := range results {
		var faults []string
		for _, fault := range r.Faults {
			if strings.HasSuffix(fault, noDate) {
				undated++
			} else {
				faults = append(faults, fault)
			}
		}
		others = append(others, Result{r.Case, faults})
	}
	return others, undated
}

// Run sends all cases, one after the other and each in all deliveries.
func (s Server) Run(cases []Case, deliveries ...Delivery) (results []Result) {
	for _, c := range cases {
		r := Result{Case: c}
		for _, d := range deliveries {
			for _, fault := range s.Send(c, d) {
				r.Faults = append(r.Faults, d.String()+": "+fault)
			}
		}
		results = append(results, r)
	}
	return results
}

// Summary is a line for each level: how many cases it has, and how many fail.
func Summary(w io.Writer, server string, results []Result) {
	for level := Must; level <= May; level++ {
		total, failed := 0, 0
		for _, r := range results {
			if r.Case.Level != level {
				continue
			}
			total++
			if len(r.Faults) > 0 {
				failed++
			}
		}
		fmt.Fprintf(w, "%-8s %-6s %4d cases %4d fail\n", server, level, total, failed)
	}
}

// Failures is a line for each case that fails, with what is known of it.
func (t Theirs) Failures(w io.Writer, server string, results []Result) {
	for _, r := range results {
		if why := t[r.Case.ID]; len(r.Faults) > 0 && why != "" {
			fmt.Fprintf(w, "%-8s %-6s RFC %-14s %-32s %s\n", server, r.Case.Level, r.Case.Section, r.Case.ID, why)
		}
	}
}
