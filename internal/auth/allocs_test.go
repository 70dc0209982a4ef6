//go:build !race

package auth_test

import "testing"

// TestHotPathAllocatesNothing keeps the collector out of every range request.
// The race detector makes pools forget on purpose, so it is not counted there.
func TestHotPathAllocatesNothing(t *testing.T) {
	gate, token := newHotPath(t)
	n := testing.AllocsPerRun(1000, func() {
		if err := decideOnce(gate, token); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for a decision that is known", n)
	}
}
