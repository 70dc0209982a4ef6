package results

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// TestSignedRankQuantile holds the exact distribution against published critical values of the
// one-sided test (the greatest sum that is still significant is one less than k).
func TestSignedRankQuantile(t *testing.T) {
	for _, c := range []struct {
		n     int
		level float64
		k     int
	}{
		{5, 0.05, 1}, {10, 0.05, 11}, {10, 0.025, 9}, {10, 0.005, 4}, {15, 0.025, 26}, {15, 0.005, 16}, {20, 0.01, 44},
		{4, 0.05, 0}, {6, 0.01, 0}, {7, 0.01, 1},
	} {
		if got := signedRankQuantile(c.n, c.level); got != c.k {
			t.Errorf("n %d, level %v: %d, not %d", c.n, c.level, got, c.k)
		}
	}
	for _, level := range []float64{0.05, 0.01, 0.01 / 8} {
		if n := PairsNeeded(level); signedRankQuantile(n, level) == 0 || signedRankQuantile(n-1, level) != 0 {
			t.Errorf("level %v: %d pairs", level, n)
		}
	}
}

func TestSignedRankByHand(t *testing.T) {
	// Walsh averages of the logarithms -1, 0, 1, 2, 3, sorted: -1 -.5 0 0 .5 .5 1 1 1 1.5 1.5 2 2 2.5 3.
	i, err := SignedRank([]float64{math.Exp(1), math.Exp(3), 1, math.Exp(-1), math.Exp(2)}, 3.0/32) // sums below 3: 0, 1, 2
	if err != nil || math.Abs(math.Log(i.Low)-0) > 1e-9 || math.Abs(math.Log(i.Estimate)-1) > 1e-9 || math.Abs(math.Log(i.High)-2) > 1e-9 {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := SignedRank([]float64{1, 1, 1}, 0.01); !errors.Is(err, errTooFewPairs) {
		t.Errorf("three pairs give %v", err)
	}
}

// noise is how far a measurement is off.
type noise func(r *rand.Rand) float64

var noises = map[string]noise{
	"even, 5 %": func(r *rand.Rand) float64 { return math.Exp(0.05 * r.NormFloat64()) },
	// One in ten is disturbed by a neighbour and takes up to three times as long.
	"disturbed": func(r *rand.Rand) float64 {
		f := math.Exp(0.03 * r.NormFloat64())
		if r.IntN(10) == 0 {
			f /= 1 + 2*r.Float64()
		}
		return f
	},
}

// compareSynthetic makes comparisons of programs whose rates have a ratio, in four workloads with
// two figures each, and returns the share that fails. The machine's own rate drifts by a third.
func compareSynthetic(t *testing.T, ratio float64, off noise, comparisons, rounds int) float64 {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	failed := 0
	for range comparisons {
		s := &Set{}
		for _, workload := range []string{Hot64K, Hot1M, Hot8M, ColdFast} {
			for round := range rounds {
				machine := 1 + math.Sin(float64(round))/3
				for _, side := range []struct {
					target string
					rate   float64
				}{{"base", 1000}, {"head", 1000 * ratio}} {
					s.Samples = append(s.Samples, Sample{Workload: workload, Target: side.target, Round: round, Values: map[string]float64{
						Throughput: side.rate * machine * off(r), CPUPerGiB: 1e6 / side.rate * machine * off(r),
					}})
				}
			}
		}
		figures, err := s.Compare("base", "head")
		if err != nil {
			t.Fatal(err)
		}
		if len(figures) != 8 {
			t.Fatalf("%d figures", len(figures))
		}
		for _, f := range figures {
			if f.Worse {
				failed++
				break
			}
		}
	}
	return float64(failed) / float64(comparisons)
}

// TestCompareKeepsItsRate: no difference fails in one of a hundred comparisons, a tenth slower
// in nearly all, a tenth faster never.
func TestCompareKeepsItsRate(t *testing.T) {
	for name, off := range noises {
		// Of 4,000 comparisons 0.8 and 0.9 % fail; the test has no time for so many.
		if rate := compareSynthetic(t, 1, off, 200, 15); rate > 0.02 {
			t.Errorf("%s: equal programs fail in %.1f %% of the comparisons", name, 100*rate)
		}
		if rate := compareSynthetic(t, 0.9, off, 60, 15); rate < 0.85 {
			t.Errorf("%s: a tenth slower fails in %.1f %% of the comparisons only", name, 100*rate)
		}
		if rate := compareSynthetic(t, 1.1, off, 30, 15); rate > 0 {
			t.Errorf("%s: a tenth faster fails in %.1f %% of the comparisons", name, 100*rate)
		}
	}
}
