// Package sample has every kind of mutant. Its test notices those of Tested and none of
// those of Untested.
package sample

import "errors"

var errNegative = errors.New("negative")

// account is something to write to.
type account struct {
	bytes int64
	full  bool
}

var limits = map[string]int64{"small": 10}

// Tested adds, within a limit.
func (a *account) Tested(kind string, n int64) (left int64, err error) {
	if n < 0 {
		return 0, errNegative
	}
	a.bytes += n
	switch kind {
	case "small", "tiny":
		a.full = a.bytes >= limits["small"]
	default:
		a.full = false
	}
	return limits["small"] - a.bytes, nil
}

// Untested is called once, with what shows neither the loop's end nor either operand.
func Untested(a, b bool, n int) (int, bool) {
	for range n {
		if n > 3 {
			break
		}
	}
	return n, a && b
}

// Shifted has a constant whose type the result decides: mutants of this line do not
// compile, and are left out.
func Shifted(n int) int64 { return 1 << (2 * n) }
