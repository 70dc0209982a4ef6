package schema

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// TestReadiness: an unavailable database is bridged for the grace, from when it was first
// seen so by anybody; a schema that does not fit never is, nor is one not seen yet.
func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unavailable := media.Faultf(media.Unavailable, "test", "unavailable")
		misfit := media.Faultf(media.Invalid, "test", "a column is missing")
		var answer error
		var outage time.Duration
		asked := 0
		r := newReadiness(func(context.Context) error { asked++; return answer }, func() time.Duration { return outage }, 10*time.Second, time.Now)
		expect := func(what string, kind media.Kind, bridged bool) {
			t.Helper()
			err := r.Check(t.Context())
			if (err != nil) != (kind != 0) || (err != nil && media.KindOf(err) != kind) {
				t.Errorf("%s: %v", what, err)
			}
			if got := err != nil && r.Bridged(err); got != bridged {
				t.Errorf("%s: bridged is %v", what, got)
			}
		}
		answer, outage = unavailable, time.Second
		expect("unavailable since the start", media.Unavailable, false)
		time.Sleep(readinessTTL)
		answer, outage = nil, 0
		expect("available", 0, false)
		for range 100 {
			expect("probed often", 0, false)
		}
		if asked != 2 {
			t.Errorf("the database was asked %d times", asked)
		}
		outage = time.Second
		expect("an outage that the pinger knows", media.Unavailable, true)
		if asked != 2 {
			t.Error("the database was asked in an outage")
		}
		outage = 11 * time.Second
		expect("the grace's end by the pinger", media.Unavailable, false)
		outage = 0
		expect("available again", 0, false)
		time.Sleep(readinessTTL)
		answer = unavailable
		expect("an outage that the pinger does not know", media.Unavailable, true)
		time.Sleep(10 * time.Second)
		expect("the last moment of the grace", media.Unavailable, true)
		time.Sleep(readinessTTL)
		expect("the grace's end", media.Unavailable, false)
		answer = misfit
		time.Sleep(readinessTTL)
		expect("a schema that does not fit", media.Invalid, false)
		answer = unavailable
		time.Sleep(readinessTTL)
		expect("unavailable after a schema that did not fit", media.Unavailable, false)
	})
}
