package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func set(values ...map[string]float64) *Set {
	s := &Set{}
	for round, v := range values {
		for target, x := range v {
			s.Samples = append(s.Samples, Sample{Workload: Hot64K, Target: target, Round: round, Values: map[string]float64{Throughput: x}})
		}
	}
	return s
}

func TestRatiosAreOfRounds(t *testing.T) {
	// The machine is half as fast in the second round, for both.
	s := set(map[string]float64{"gateway": 90, "nginx static": 100}, map[string]float64{"gateway": 45, "nginx static": 50}, map[string]float64{"gateway": 80, "nginx static": 100})
	if r, ok := s.Ratio(Hot64K, "gateway", "nginx static", Throughput); !ok || r != 0.9 {
		t.Errorf("%v, %v", r, ok)
	}
	if d, ok := s.Difference(Hot64K, "nginx static", "gateway", Throughput, Throughput); !ok || d != 10 {
		t.Errorf("%v, %v", d, ok)
	}
	if _, ok := s.Ratio(Hot64K, "gateway", "nobody", Throughput); ok {
		t.Error("a ratio to nothing")
	}
	met := 0
	for _, v := range s.Evaluate() {
		if v.Met() {
			met++
		}
	}
	if met != 1 {
		t.Errorf("%d goals are met by one figure", met)
	}
}

func TestFirsts(t *testing.T) {
	s := Sample{Values: map[string]float64{}}
	var times []time.Duration
	for i := range 1000 {
		times = append(times, time.Duration(1000-i)*time.Millisecond)
	}
	s.Firsts(times)
	if s.Values[FirstP50] != 501 || s.Values[FirstP99] != 991 || len(s.First) != 100 || s.First[0] > s.First[99] {
		t.Errorf("%+v", s.Values)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1.01: "1.01", 0.853: "0.853", 12.34: "12.3", 3000: "3000", 123.4: "123"} {
		if got := number(v); got != want {
			t.Errorf("%v is %s, not %s", v, got, want)
		}
	}
}

// TestReportsKeepEachOther: the comparison and the viewer's clock are measured by themselves, and
// each leaves the other's figures and failures where they are.
func TestReportsKeepEachOther(t *testing.T) {
	dir := t.TempDir()
	compared := set(map[string]float64{"gateway": 90, "nginx static": 100})
	compared.Failures = []Failure{{Workload: Hot64K, Target: "varnish", Error: "no memory"}}
	clock := &Set{
		Samples:  []Sample{{Workload: Clock, Target: "Chromium, cold", Values: map[string]float64{FirstFrame: 287}}},
		Failures: []Failure{{Workload: ClockSlow, Target: "Firefox", Error: "no first frame"}},
	}
	for i, write := range []func(string) error{compared.Write, clock.WriteClock, compared.Write, clock.WriteClock} {
		if err := write(dir); err != nil {
			t.Fatal(err)
		}
		report, err := os.ReadFile(filepath.Join(dir, "report.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"| 0.900 |", "varnish, round 1: no memory", "| 287 |", "Firefox, round 1: no first frame"} {
			if strings.Contains(string(report), part) != (i > 0 || part == "| 0.900 |" || strings.HasPrefix(part, "varnish")) {
				t.Errorf("after %d writes %q is there or is missing", i+1, part)
			}
		}
	}
}
