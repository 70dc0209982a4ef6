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

// Failures is a line for each case that fails.
func Failures(w io.Writer, server string, results []Result) {
	for _, r := range results {
		if len(r.Faults) > 0 {
			fmt.Fprintf(w, "%-8s %-6s RFC %-14s %-32s %s\n", server, r.Case.Level, r.Case.Section, r.Case.ID, strings.Join(r.Faults, " / "))
		}
	}
}
