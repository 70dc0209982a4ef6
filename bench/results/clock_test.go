package results

import (
	"strings"
	"testing"
)

// TestClock: the table has medians and the 95th percentile of the first frame, and beside a lesson's
// page the report names what the same browser takes for a bare video.
func TestClock(t *testing.T) {
	s := &Set{}
	for i := range 20 {
		for target, frame := range map[string]float64{"Chromium, warm": 201 + float64(i), BareBound + "Chromium": 101 + float64(i)} {
			s.Samples = append(s.Samples, Sample{Workload: Clock, Target: target, Round: i, Values: map[string]float64{PageLoaded: 5, FirstFrame: frame}})
		}
	}
	if v, ok := s.p95(Clock, "Chromium, warm", FirstFrame); !ok || v != 219 {
		t.Errorf("of 201 to 220 the 95th percentile is %v, %v", v, ok)
	}
	if _, ok := s.p95(Clock, "Firefox, warm", FirstFrame); ok {
		t.Error("a percentile of nothing")
	}
	report := s.markdown()
	for _, part := range []string{
		"| | HTML ms | first frame ms | first frame ms p95 |\n", "| Chromium, warm | 5 | 210 | 219 |\n", "| limit: bare video, Chromium | 5 | 110 | 119 |\n",
		"after 110 ms; of a warm lesson, whose page asks who is watching, after 210.",
		"| viewer's clock on loopback | Chromium, first frame of a warm lesson, ms | ≤ 250 | 210 | met |\n",
		"| viewer's clock on loopback | Firefox, first frame of a warm lesson, ms | ≤ 250 | not measured |  |\n",
	} {
		if !strings.Contains(report, part) {
			t.Errorf("the report has no %q", part)
		}
	}
}
