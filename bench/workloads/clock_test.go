package workloads

import (
	"testing"

	"github.com/lectiospace/lectern/bench/results"
)

func TestParseClock(t *testing.T) {
	samples := parseClock(`=== RUN   TestFirstFrame/index_in_front
    firstframe_test.go:58: index in front, cold: the first frame 551 ms after the address was entered, playing 12 ms after the press
    firstframe_test.go:58: index in front, warm: the first frame 491 ms after the address was entered, playing 11 ms after the press
    firstframe_test.go:58: index in front, cold: the first frame 540 ms after the address was entered, playing 14 ms after the press
--- PASS: TestFirstFrame (9.87s)
`)
	s := &results.Set{Samples: samples}
	if ms, ok := s.Median(results.Clock, "index in front, cold", results.FirstFrame); !ok || ms != 545.5 {
		t.Errorf("cold: %v, %v", ms, ok)
	}
	if ms, ok := s.Median(results.Clock, "index in front, warm", results.PlayingAfter); !ok || ms != 11 {
		t.Errorf("warm: %v, %v", ms, ok)
	}
}
