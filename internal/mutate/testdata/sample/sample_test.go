package sample

import "testing"

func TestTested(t *testing.T) {
	var a account
	if _, err := a.Tested("small", -1); err == nil || a.bytes != 0 {
		t.Error("negative")
	}
	for _, c := range []struct {
		kind    string
		n, left int64
		full    bool
	}{
		{"small", 0, 10, false}, {"small", 9, 1, false}, {"tiny", 1, 0, true}, {"large", 1, -1, false}, {"tiny", 0, -1, true}, {"small", 1, -2, true},
	} {
		if left, err := a.Tested(c.kind, c.n); err != nil || left != c.left || a.full != c.full {
			t.Errorf("%+v: %d, %t, %v", c, left, a.full, err)
		}
	}
	if left, err := a.Tested("small", -1); left != 0 || err == nil {
		t.Error("negative, again")
	}
}

func TestUntested(t *testing.T) {
	if n, ok := Untested(true, true, 2); n != 2 || !ok {
		t.Error(n, ok)
	}
}
