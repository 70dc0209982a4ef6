package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	samplesFile = "samples.json"
	clockFile   = "clock.json"
)

// Write writes the report into dir: report.md, the plots, and all samples as samples.json. The
// viewer's clock, which WriteClock has left there, is part of the report.
func (s *Set) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := s.writeSamples(filepath.Join(dir, samplesFile)); err != nil {
		return err
	}
	clock, err := readSet(filepath.Join(dir, clockFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	shown := *s
	shown.Samples, shown.Failures = slices.Concat(s.Samples, clock.Samples), slices.Concat(s.Failures, clock.Failures)
	shown.clockOf = clock.Machine
	for name, svg := range shown.plots() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "report.md"), []byte(shown.markdown()), 0o644)
}

// WriteClock writes s, the measurements of the viewer's clock, beside those that dir has, and the
// report anew.
func (s *Set) WriteClock(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := s.writeSamples(filepath.Join(dir, clockFile)); err != nil {
		return err
	}
	all, err := readSet(filepath.Join(dir, samplesFile))
	if errors.Is(err, fs.ErrNotExist) {
		all, err = Set{Machine: s.Machine}, nil
	}
	if err != nil {
		return err
	}
	return all.Write(dir)
}

func (s *Set) writeSamples(path string) error {
	raw, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}

func readSet(path string) (s Set, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	err = json.Unmarshal(raw, &s)
	return s, err
}

func (s *Set) markdown() string {
	var b strings.Builder
	b.WriteString("# Benchmark\n\n")
	s.writeMachine(&b)
	s.writeGoals(&b)
	for _, workload := range s.Workloads() {
		s.writeWorkload(&b, workload)
	}
	s.writeProfiles(&b)
	if len(s.Failures) > 0 {
		b.WriteString("## Runs that failed\n\n")
		for _, f := range s.Failures {
			fmt.Fprintf(&b, "- %s, %s, round %d: %s\n", f.Workload, f.Target, f.Round+1, strings.ReplaceAll(f.Error, "\n", " "))
			if f.Logs != "" {
				fmt.Fprintf(&b, "\n  ```text\n%s  ```\n", indented(f.Logs))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (s *Set) writeMachine(b *strings.Builder) {
	m := s.Machine
	fmt.Fprintf(b, "%s, commit %s. %s, %d cores, %s, Linux %s, %s, %s; %s. Server, client and origin share the machine.\n\n",
		m.Date, m.Commit, m.CPU, m.Cores, m.Memory, m.Kernel, m.System, m.Go, m.Network)
	for _, name := range slices.Sorted(maps.Keys(m.Versions)) {
		fmt.Fprintf(b, "- %s: %s\n", name, m.Versions[name])
	}
	b.WriteString("\nServers alternate within a round and the rounds go forth and back; figures are medians over the rounds, ratios medians of\n" +
		"the rounds' own ratios. Every byte of each peer's answers is compared once before it is measured, and in the workloads that\n" +
		"say so; in all others the kernel drops the bodies, and status, lengths and offsets are checked. The gateway verifies a token\n" +
		"and looks at the access list with every request, and logs a line for each playback and ten seconds, or for each request\n" +
		"where its name says so; nginx logs where its name says so, Varnish nothing.\n\n")
	if m.Quick {
		b.WriteString("This was a quick run: fewer rounds and shorter, good for a direction, not for a figure.\n\n")
	}
}

func (s *Set) writeGoals(b *strings.Builder) {
	b.WriteString("## Goals\n\n| workload | figure | goal | measured | |\n|---|---|---|---|---|\n")
	for _, v := range s.Evaluate() {
		got, result := "not measured", ""
		if v.Measured {
			got, result = number(v.Got), "**not met**"
			if v.Met() {
				result = "met"
			}
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", v.Workload, v.What, v.bound(), got, result)
	}
	b.WriteString("\n[NOTES.md](../NOTES.md) says why goals are not met, and what was tried.\n\n")
}

// columns is the order of metrics in tables.
var columns = []string{Throughput, Requests, CPUPerGiB, CPUPerRequest, ClientPerGiB, OriginPerGiB, CPUPerSecond, CPUPerViewerHour, Wall, FirstP50, FirstP95, FirstP99, DoneP50, OriginBytes,
	OriginAsks, RSSPerViewer, SocketMemory, Stalled, Worst, Nanoseconds, Allocations, ByteHits, PossibleHits, Openings, Written, Kept, Retried, PageLoaded, ScriptLoaded, GrantAsked, Granted, SourceSet, StreamBegan, MetadataKnown, FrameLoaded, FirstFrame, PlayingAfter, Rebuffered, DecoderWaits, Seeks, SeekWait, Events, AnsweredP50, AnsweredP99, CPUPerEvent, ReadyAfter, IndexedAfter, IndexCPU, IndexRSS}

func (s *Set) writeWorkload(b *strings.Builder, workload string) {
	targets := s.Targets(workload)
	var shown []string
	for _, metric := range columns {
		if slices.ContainsFunc(targets, func(t string) bool { return len(s.values(workload, t, metric)) > 0 }) {
			shown = append(shown, metric)
		}
	}
	took := ""
	if m := s.Minutes[workload]; m > 0 {
		took = fmt.Sprintf(" It took %s minutes in all.", number(m))
	}
	if ofClock(workload) {
		s.writeClock(b, workload)
		return
	}
	fmt.Fprintf(b, "## %s\n\n%s; in brackets the ratio to %s.%s\n\n| | %s |\n|---|%s\n", title(workload), s.howOften(workload), targets[0], took,
		strings.Join(shown, " | "), strings.Repeat("---|", len(shown)))
	for _, target := range targets {
		fmt.Fprintf(b, "| %s |", target)
		for _, metric := range shown {
			v, ok := s.Median(workload, target, metric)
			r, hasRatio := s.Ratio(workload, target, targets[0], metric)
			switch {
			case !ok:
				b.WriteString(" |")
			case hasRatio && target != targets[0]:
				fmt.Fprintf(b, " %s (%.2f) |", number(v), r)
			default:
				fmt.Fprintf(b, " %s |", number(v))
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	if limit := s.limit(workload); limit != "" {
		fmt.Fprintf(b, "%s\n\n", limit)
	}
	s.writeShares(b, workload)
	for _, p := range plotsOf(workload) {
		if len(targets) > 1 && slices.Contains(shown, p) {
			fmt.Fprintf(b, "![%s: %s](%s)\n", workload, p, plotName(workload, p))
		}
	}
	b.WriteString("\n")
}

func (s *Set) writeProfiles(b *strings.Builder) {
	if len(s.Profiles) > 0 {
		b.WriteString("## Profiles\n\nOf the gateway's processor time, while nothing else was measured: the gateway's own functions, system calls, and\n" +
			"what the runtime does besides, those first that took the most with all that they call.\n\n")
	}
	for _, p := range s.Profiles {
		fmt.Fprintf(b, "### %s\n\n```text\n%s```\n\n", title(p.Workload), p.Text)
	}
}

// writeShares says where the machine's time went while each target was measured.
func (s *Set) writeShares(b *strings.Builder, workload string) {
	shares := []string{ServerShare, ClientShare, OriginShare, OtherShare, IdleShare}
	var rows strings.Builder
	for _, target := range s.Targets(workload) {
		if _, ok := s.Median(workload, target, IdleShare); !ok {
			continue
		}
		fmt.Fprintf(&rows, "| %s |", target)
		for _, metric := range shares {
			v, _ := s.Median(workload, target, metric)
			fmt.Fprintf(&rows, " %s |", number(v))
		}
		rows.WriteString("\n")
	}
	if rows.Len() > 0 {
		fmt.Fprintf(b, "Where the time of all cores went:\n\n| | %s |\n|---|%s\n%s\n", strings.Join(shares, " | "), strings.Repeat("---|", len(shares)), rows.String())
	}
}

// indented is a text inside an item of a list.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// number formats three significant digits, or all digits before the point.
func number(v float64) string {
	switch abs := math.Abs(v); {
	case v == math.Trunc(v) && abs < 1e6, abs >= 100:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	case abs >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

// Line formats a sample for the terminal.
func Line(s Sample) string {
	var parts []string
	for _, metric := range columns {
		if v, ok := s.Values[metric]; ok {
			parts = append(parts, metric+" "+number(v))
		}
	}
	return strings.Join(parts, ", ")
}
