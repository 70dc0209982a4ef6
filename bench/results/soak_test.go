package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// steady is a soak without anything to object to.
func steady() *Soak {
	s := &Soak{Slow: 5000, Seeking: 200}
	for i := range 40 {
		s.Points = append(s.Points, SoakPoint{At: float64(i+1) * 10, RSS: 200 + float64(i%7), Descriptors: 5300 + float64(i%11), Goroutines: 5400, Unique: 2048, Sent: 2100})
	}
	return s
}

func TestSoakVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Soak)
		missed string // how the goal that is not met begins
	}{
		"steady":      {func(*Soak) {}, ""},
		"too short":   {func(s *Soak) { s.Points = s.Points[:3] }, "memory"},
		"own stall":   {func(s *Soak) { s.Stalls = []SoakStall{{Seconds: 2.5, Machine: 1.2}} }, "no viewer waits"},
		"the machine": {func(s *Soak) { s.Stalls = []SoakStall{{Seconds: 2.5, Machine: 1.6}} }, ""},
		"leak of memory": {func(s *Soak) {
			for i := range s.Points {
				s.Points[i].RSS += float64(i) * 2
			}
		}, "memory"},
		"leak of files": {func(s *Soak) {
			for i := range s.Points {
				s.Points[i].Descriptors += float64(i) * 40
			}
		}, "file descriptors"},
		"leak of goroutines": {func(s *Soak) {
			for i := range s.Points {
				s.Points[i].Goroutines += float64(i) * 40
			}
		}, "goroutines"},
		"fetched twice":                {func(s *Soak) { s.Points[39].Sent = 2300 }, "origin bytes"},
		"fetched twice, since evicted": {func(s *Soak) { s.Points[39].Sent, s.Evicting = 2300, true }, ""},
	} {
		s := steady()
		c.change(s)
		missed := ""
		for _, v := range s.Verdicts() {
			if !v.Met && missed == "" {
				missed = v.What
			}
		}
		if c.missed == "" && missed != "" || !strings.HasPrefix(missed, c.missed) {
			t.Errorf("%s: not met is %q, want %q", name, missed, c.missed)
		}
	}
}

func TestSoakReport(t *testing.T) {
	dir := t.TempDir()
	if err := steady().Write(dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "soak.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range soakPlots {
		if !strings.Contains(string(page), "("+soakFile(p.title)+")") {
			t.Errorf("the report does not show %s", soakFile(p.title))
		}
		if plot, err := os.ReadFile(filepath.Join(dir, soakFile(p.title))); err != nil || strings.Count(string(plot), "polyline") != len(p.lines) {
			t.Errorf("%s is no plot of %d lines: %v", p.title, len(p.lines), err)
		}
	}
}
