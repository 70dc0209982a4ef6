package proxy

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

func TestAuthFailureLimiter(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	one, other := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
	b := newAuthFailureLimiter(60)
	for i := range 60 {
		if wait := b.fail(one, now); wait != 0 {
			t.Fatalf("failure %d waits %v", i, wait)
		}
	}
	for range 3 { // waiting costs nothing more
		if wait := b.fail(one, now); wait != time.Second {
			t.Errorf("failure 61 waits %v", wait)
		}
	}
	if wait := b.fail(other, now); wait != 0 {
		t.Errorf("somebody else waits %v", wait)
	}
	now = now.Add(time.Second)
	if first, second := b.fail(one, now), b.fail(one, now); first != 0 || second != time.Second {
		t.Errorf("a second later: %v, %v", first, second)
	}
	now = now.Add(time.Minute)
	for i := range 60 {
		if wait := b.fail(one, now); wait != 0 {
			t.Fatalf("a minute later failure %d waits %v", i, wait)
		}
	}
}

func TestAuthFailureLimiterNetworks(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"198.51.100.1", "198.51.100.2", false},
	} {
		b := newAuthFailureLimiter(1)
		b.fail(netip.MustParseAddr(c.a), time.Unix(1000, 0))
		if same := b.fail(netip.MustParseAddr(c.b), time.Unix(1000, 0)) != 0; same != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, same)
		}
	}
}

func TestAuthFailureLimiterMemoryIsBounded(t *testing.T) {
	b, now := newAuthFailureLimiter(1), time.Unix(1000, 0)
	for i := range maxLimited * 5 / 4 {
		b.fail(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if n := len(b.tat); n > maxLimited || n < maxLimited/2 {
		t.Errorf("%d addresses", n)
	}
	if newAuthFailureLimiter(0).fail(netip.Addr{}, now) != 0 {
		t.Error("a limiter without a limit limits")
	}
}

// TestBrakeOnTheWay: forged tokens of one address are slowed, as seen through a
// trusted proxy, on every route that takes tokens; nothing else is.
func TestForgedTokensAreThrottled(t *testing.T) {
	h := newFixture(t, 10, func(cfg *Config, h *fixture) {
		cfg.Limit.AuthFailures = 3
		h.authenticate = func(_ context.Context, tok media.Token) (media.Viewer, error) {
			r := media.Refuse(media.CodeTokenNotValid, "Given token not valid for any token type")
			switch tok.Value {
			case goodToken:
				return media.Viewer{User: media.User{ID: 42, Active: true}}, nil
			case "forged":
				r.Forged = true
			}
			return media.Viewer{}, r
		}
	})
	ask := func(method, path, token, from string) testResponse {
		t.Helper()
		headers := []string{"X-Forwarded-For: " + from}
		if token != "" {
			headers = append(headers, "Authorization: Bearer "+token)
		}
		return h.do(method, path, headers...)
	}
	const school, home = "198.51.100.1", "203.0.113.9"
	for range 10 {
		if a := ask("GET", streamPath, "expired", school); a.StatusCode != 401 {
			t.Errorf("an expired token: %d", a.StatusCode)
		}
		if a := ask("GET", streamPath, "", school); a.StatusCode != 401 {
			t.Errorf("no token: %d", a.StatusCode)
		}
	}
	for i := range 3 {
		if a := ask("GET", streamPath, "forged", school); a.StatusCode != 401 {
			t.Errorf("guess %d: %d", i, a.StatusCode)
		}
	}
	for _, r := range []struct{ method, path string }{{"GET", streamPath}, {"HEAD", streamPath}, {"POST", playbackPath}} {
		a := ask(r.method, r.path, "forged", school)
		if a.StatusCode != 429 || a.Header.Get("Retry-After") != "20" {
			t.Errorf("%s %s: %d %v", r.method, r.path, a.StatusCode, a.Header)
		}
		if want := `{"detail":"Request was throttled. Expected available in 20 seconds.","code":"throttled"}`; r.method != "HEAD" && string(a.body) != want {
			t.Errorf("%s", a.body)
		}
	}
	for what, a := range map[string]testResponse{
		"a good token of the same address": ask("GET", streamPath, goodToken, school),
		"a grant for the same address":     ask("POST", playbackPath, goodToken, school),
		"another address":                  ask("GET", streamPath, "forged", home),
		"an expired one":                   ask("GET", streamPath, "expired", school),
	} {
		if a.StatusCode == 429 {
			t.Errorf("%s is throttled", what)
		}
	}
	if n := h.metric("lectern_limited_total", "limit", "failed_authentication"); n != 3 {
		t.Errorf("limited %v times", n)
	}
}

func BenchmarkAuthFailureLimiter(b *testing.B) {
	limiter, client := newAuthFailureLimiter(100), netip.MustParseAddr("198.51.100.1")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		limiter.fail(client, time.Unix(int64(i), 0))
	}
}
