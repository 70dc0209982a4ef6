package results

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Soak is what was seen of a gateway that many viewers watched for long.
type Soak struct {
	Machine               Machine
	Slow, Seeking         int
	Evicting              bool  // the cache holds half of the lessons
	CacheBytes            int64 // what the cache may hold
	LessonBytes           int64 // all lessons together
	Seeks                 int64
	FirstP50, FirstP95    float64 // ms, of the seeking viewers
	FirstP99, LongestWait float64
	Stalls                []SoakStall
	Points                []SoakPoint
}

// SoakStall is a viewer who waited for more than a second.
type SoakStall struct {
	At, Seconds float64
	// Machine is how long a byte that this process sends to itself took meanwhile, or how much
	// too late the viewer was woken.
	Machine float64
}

// ofMachine reports whether no more than a second is left of the stall without what the machine
// itself took.
func (s SoakStall) ofMachine() bool { return s.Seconds-s.Machine <= 1 }

// SoakPoint is one look at the gateway.
type SoakPoint struct {
	At                      float64 // seconds after the first viewer's start
	RSS, Sockets            float64 // MiB of the gateway's memory, and of the kernel's for all TCP sockets
	Descriptors, Goroutines float64
	CPU                     float64 // seconds since the gateway's start
	Served, Unique          float64 // MiB, read, read at least once
	Sent, Asked             float64 // MiB that the origin sent, and that it was asked for: who hangs up has requests cancelled
	Worst, Machine          float64 // ms: the longest wait for bytes since the last look, and of a byte sent to oneself
}

// The goals of a soak.
const (
	soakGrowth = 1.10 // the last quarter's median to the second's
	soakOrigin = 1.10 // origin bytes to unique ones
)

// SetFirsts adds the times to the first byte.
func (s *Soak) SetFirsts(firsts []time.Duration) {
	sorted := slices.Sorted(slices.Values(firsts))
	s.FirstP50, s.FirstP95, s.FirstP99 = Quantile(sorted, .5), Quantile(sorted, .95), Quantile(sorted, .99)
	for _, p := range s.Points {
		s.LongestWait = max(s.LongestWait, p.Worst)
	}
}

// SoakVerdict is one goal and what was measured.
type SoakVerdict struct {
	What     string
	Measured string
	Met      bool
}

// Verdicts holds the goals against what was seen.
func (s *Soak) Verdicts() (all []SoakVerdict) {
	own := 0
	for _, stall := range s.Stalls {
		if !stall.ofMachine() {
			own++
		}
	}
	all = append(all, SoakVerdict{
		What:     "no viewer waits for more than a second, but for the machine's own delays",
		Measured: fmt.Sprintf("%d such waits, %d more of the machine's; the longest of all %.0f ms", own, len(s.Stalls)-own, s.LongestWait),
		Met:      own == 0,
	})
	for _, series := range []struct {
		what, unit string
		slack      float64 // that is no growth, whatever the ratio
		of         func(SoakPoint) float64
	}{
		{"memory", " MiB", 8, func(p SoakPoint) float64 { return p.RSS }},
		{"file descriptors", "", 50, func(p SoakPoint) float64 { return p.Descriptors }},
		{"goroutines", "", 50, func(p SoakPoint) float64 { return p.Goroutines }},
	} {
		before, after, ok := s.quarters(series.of)
		all = append(all, SoakVerdict{
			What:     fmt.Sprintf("%s of the last quarter at most %g times those of the second", series.what, soakGrowth),
			Measured: fmt.Sprintf("%.0f%s, then %.0f%s", before, series.unit, after, series.unit),
			Met:      ok && after <= max(before*soakGrowth, before+series.slack),
		})
	}
	if !s.Evicting && len(s.Points) > 0 {
		last := s.Points[len(s.Points)-1]
		all = append(all, SoakVerdict{
			What:     fmt.Sprintf("origin bytes at most %g times the unique ones", soakOrigin),
			Measured: fmt.Sprintf("%.0f MiB of %.0f MiB: %.3f; %.0f MiB were asked for", last.Sent, last.Unique, last.Sent/max(last.Unique, 1), last.Asked),
			Met:      last.Sent <= last.Unique*soakOrigin,
		})
	}
	return all
}

// quarters are a series' medians in the second and the last quarter of the time.
func (s *Soak) quarters(of func(SoakPoint) float64) (second, last float64, ok bool) {
	n := len(s.Points)
	if n < 4 {
		return 0, 0, false
	}
	values := make([]float64, n)
	for i, p := range s.Points {
		values[i] = of(p)
	}
	second, _ = median(values[n/4 : n/2])
	last, ok = median(values[n*3/4:])
	return second, last, ok
}

// Write writes soak.md, its plots and the samples into dir.
func (s *Soak) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "soak.json"), append(raw, '\n'), 0o644); err != nil {
		return err
	}
	for name, plot := range s.plots() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(plot), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "soak.md"), []byte(s.markdown()), 0o644)
}

func (s *Soak) markdown() string {
	var b strings.Builder
	var length, cpu, served float64
	if n := len(s.Points); n > 0 {
		first, last := s.Points[0], s.Points[n-1]
		length, served = last.At, last.Served
		cpu = (last.CPU - first.CPU) / max(last.At-first.At, 1)
	}
	fmt.Fprintf(&b, "# Soak: %d slow and %d seeking viewers, %.0f minutes\n\n", s.Slow, s.Seeking, length/60)
	fmt.Fprintf(&b, "Slow viewers read 1 Mbit/s without end; the seeking ones read up to 2 MiB somewhere, compare every byte, hang up and rest for 4 s on average. "+
		"Gateway, origin and viewers share %d cores (%s, kernel %s, %s). %s, commit %s.\n\n",
		s.Machine.Cores, s.Machine.CPU, s.Machine.Kernel, s.Machine.Go, s.Machine.Date, s.Machine.Commit)
	fmt.Fprintf(&b, "%.1f GiB served, %d seeks, first byte of a seek p50 %.1f ms, p95 %.1f ms, p99 %.1f ms. The gateway took %.2f s of CPU a second. The cache may hold %d MiB of %d MiB.\n\n",
		served/1024, s.Seeks, s.FirstP50, s.FirstP95, s.FirstP99, cpu, s.CacheBytes>>20, s.LessonBytes>>20)
	b.WriteString("| goal | measured | |\n|---|---|---|\n")
	for _, v := range s.Verdicts() {
		met := "met"
		if !v.Met {
			met = "**not met**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", v.What, v.Measured, met)
	}
	b.WriteString("\n")
	for _, name := range soakPlots {
		fmt.Fprintf(&b, "![%s](%s)\n", name.title, soakFile(name.title))
	}
	return b.String()
}

// soakPlots are drawn over the time.
var soakPlots = []struct {
	title string
	lines []soakLine
}{
	{"Memory, MiB", []soakLine{
		{"gateway", "#2f6fb0", func(p SoakPoint) float64 { return p.RSS }},
		{"kernel, all sockets", "#9aa7b5", func(p SoakPoint) float64 { return p.Sockets }},
	}},
	{"Descriptors and goroutines", []soakLine{
		{"descriptors", "#2f6fb0", func(p SoakPoint) float64 { return p.Descriptors }},
		{"goroutines", "#9aa7b5", func(p SoakPoint) float64 { return p.Goroutines }},
	}},
	{"Longest wait, ms", []soakLine{
		{"of a viewer", "#2f6fb0", func(p SoakPoint) float64 { return p.Worst }},
		{"of a byte sent to oneself", "#9aa7b5", func(p SoakPoint) float64 { return p.Machine }},
	}},
	{"Origin and unique bytes, MiB", []soakLine{
		{"sent by the origin", "#2f6fb0", func(p SoakPoint) float64 { return p.Sent }},
		{"asked of the origin", "#8a8a8a", func(p SoakPoint) float64 { return p.Asked }},
		{"unique", "#9aa7b5", func(p SoakPoint) float64 { return p.Unique }},
	}},
}

type soakLine struct {
	name, colour string
	of           func(SoakPoint) float64
}

func soakFile(title string) string { return "soak-" + FileName(title) + ".svg" }

func (s *Soak) plots() map[string]string {
	drawn := map[string]string{}
	for _, p := range soakPlots {
		drawn[soakFile(p.title)] = s.draw(p.title, p.lines)
	}
	return drawn
}

// The measures of a plot over time, in pixels.
const (
	plotWidth  = 640
	plotHeight = 200
	plotLeft   = 70
	plotTop    = 40
)

// draw draws lines over the time, from 0 to the greatest value.
func (s *Soak) draw(title string, lines []soakLine) string {
	most, until := 0.0, 0.0
	for _, p := range s.Points {
		until = max(until, p.At)
		for _, l := range lines {
			most = max(most, l.of(p))
		}
	}
	most, until = max(most, 1e-9), max(until, 1e-9)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n", plotLeft+plotWidth+20, plotTop+plotHeight+40)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="10" y="20" font-weight="bold">%s</text>`+"\n", html.EscapeString(title))
	legend := plotLeft + 250
	for i, l := range lines {
		fmt.Fprintf(&b, `<text x="%d" y="20" fill="%s">%s</text>`+"\n", legend+i*170, l.colour, html.EscapeString(l.name))
	}
	for i := range 5 {
		y := plotTop + plotHeight*i/4
		fmt.Fprintf(&b, `<path d="M%d %d h%d" stroke="#ddd"/><text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", plotLeft, y, plotWidth, plotLeft-6, y+4, number(most*float64(4-i)/4))
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s s</text>`+"\n", plotLeft+plotWidth*i/4, plotTop+plotHeight+20, number(until*float64(i)/4))
	}
	for _, l := range lines {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="1.5" points="`, l.colour)
		for _, p := range s.Points {
			fmt.Fprintf(&b, "%.1f,%.1f ", plotLeft+p.At/until*plotWidth, plotTop+plotHeight*(1-l.of(p)/most))
		}
		b.WriteString(`"/>` + "\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}
