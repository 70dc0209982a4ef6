package media

import (
	"testing"
	"time"
)

func TestResidency(t *testing.T) {
	var r Residency
	now := time.Now()
	if _, known := r.Found(now, time.Hour); known {
		t.Error("something is known of a file that nobody has looked at")
	}
	for _, resident := range []bool{true, false} {
		r.Set(now, resident)
		for after, want := range map[time.Duration]bool{0: true, time.Second - 1: true, time.Second: false, time.Hour: false} {
			got, known := r.Found(now.Add(after), time.Second)
			if known != want || known && got != resident {
				t.Errorf("%v after it was found %t: %t, known: %t", after, resident, got, known)
			}
		}
	}
}

// TestResidencyOfTheFirstMoment: what was found as the process began is known as well.
func TestResidencyOfTheFirstMoment(t *testing.T) {
	var r Residency
	r.Set(residencyBase, true)
	if resident, known := r.Found(residencyBase.Add(time.Millisecond), time.Second); !resident || !known {
		t.Errorf("%t, known: %t", resident, known)
	}
}
