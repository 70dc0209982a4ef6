package proxy

import (
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

func TestUserRate(t *testing.T) {
	u, now := newUserRate(20), time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	taken := 0
	for range 100 {
		if u.count(1, now) == 0 {
			taken++
		}
	}
	if taken != 60 {
		t.Errorf("a burst of %d, want 60", taken)
	}
	if wait := u.count(1, now); wait != 50*time.Millisecond {
		t.Errorf("told to wait %s", wait)
	}
	if u.count(2, now) != 0 {
		t.Error("one user is limited by another's requests")
	}
	taken = 0
	for at := now.Add(50 * time.Millisecond); at.Before(now.Add(2 * time.Second)); at = at.Add(10 * time.Millisecond) {
		if u.count(1, at) == 0 {
			taken++
		}
	}
	if taken != 39 {
		t.Errorf("%d in two seconds after the burst, want 39", taken)
	}
	if newUserRate(0).count(1, now) != 0 {
		t.Error("0 is a limit")
	}
}

func TestRateText(t *testing.T) {
	for text, want := range map[string]string{"20/s": "20/s", "0": "0", "0/s": "0", " 2.5/s ": "2.5/s"} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r.String() != want {
			t.Errorf("%q: %s, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "20", "/s", "-1/s", "NaN/s", "Inf/s", "20/m", "1e-9/s"} {
		if err := new(Rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestAPIRate sends more requests to the API than a user may. Streams go on.
func TestAPIRate(t *testing.T) {
	now := time.Now()
	h := newFixture(t, 10, func(c *Config, h *fixture) {
		c.Limit.APIRate = 1
		h.now = func() time.Time { return now }
	})
	const playback = "/schedule/api/recordings/7/playback/"
	for i := range 3 {
		if a := h.do("POST", playback, "Authorization: Bearer "+goodToken); a.StatusCode != 201 {
			t.Fatalf("request %d: %d %s", i, a.StatusCode, a.body)
		}
	}
	a := h.do("POST", playback, "Authorization: Bearer "+goodToken)
	if a.StatusCode != 429 || a.problem(t).Code != media.CodeThrottled || a.Header.Get("Retry-After") != "1" {
		t.Errorf("beyond the burst: %d %s, Retry-After %q", a.StatusCode, a.body, a.Header.Get("Retry-After"))
	}
	if n := h.metric("lectern_limited_total", "limit", "api"); n != 1 {
		t.Errorf("%v limited", n)
	}
	if a := h.get(); a.StatusCode != 200 {
		t.Errorf("a stream: %d", a.StatusCode)
	}
}
