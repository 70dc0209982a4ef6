package results

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Interval is a confidence interval of a ratio with its estimate.
type Interval struct {
	Low, Estimate, High float64
}

// errTooFewPairs is a level that so few pairs cannot give, whatever they are.
var errTooFewPairs = errors.New("too few rounds")

// SignedRank returns the interval of the ratio between the two sides of pairs: the
// Hodges-Lehmann estimate and the bounds of Wilcoxon's signed-rank test, on the logarithms.
// When both sides are alike, each of the two bounds is on the wrong side of 1 with at most the
// probability level, whatever the distribution of the noise: pairs that are measured right after each
// other in turns are as likely to differ by d as by -d, and that is all that the test needs.
func SignedRank(ratios []float64, level float64) (Interval, error) {
	n := len(ratios)
	k := signedRankQuantile(n, level)
	if k == 0 {
		return Interval{}, fmt.Errorf("%w: %d pairs for a level of %g, at least %d are needed", errTooFewPairs, n, level, PairsNeeded(level))
	}
	var walsh []float64 // averages of each with each and itself
	for i := range ratios {
		for j := i; j < n; j++ {
			walsh = append(walsh, (math.Log(ratios[i])+math.Log(ratios[j]))/2)
		}
	}
	slices.Sort(walsh)
	middle, _ := median(slices.Clone(walsh))
	return Interval{math.Exp(walsh[k-1]), math.Exp(middle), math.Exp(walsh[len(walsh)-k])}, nil
}

// PairsNeeded is the least number of pairs that can give a level at all.
func PairsNeeded(level float64) int { return int(math.Ceil(-math.Log2(level))) }

// signedRankQuantile is the greatest k for which the sum of positive ranks is below k with at
// most the probability level; 0 where there is none. The distribution is the exact one: the
// number of subsets of {1 ... n} with each sum.
func signedRankQuantile(n int, level float64) (k int) {
	most := n * (n + 1) / 2
	subsets := make([]float64, most+1)
	subsets[0] = 1
	for rank := 1; rank <= n; rank++ {
		for sum := most; sum >= rank; sum-- {
			subsets[sum] += subsets[sum-rank]
		}
	}
	cumulated, all := 0.0, math.Exp2(float64(n))
	for sum, count := range subsets {
		if cumulated += count; cumulated/all > level {
			return sum
		}
	}
	return 0
}
