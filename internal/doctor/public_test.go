package doctor

import (
	"net/netip"
	"strings"
	"testing"
)

// TestPublicSettings: what a browser reaches without TLS is a warning, except on this
// machine.
func TestPublicSettings(t *testing.T) {
	for _, c := range []struct {
		name   string
		check  func(*Report)
		status Status
		detail string
	}{
		{"no public URL", func(r *Report) { r.PublicURL("") }, Pass, "taken from each request"},
		{"https", func(r *Report) { r.PublicURL("https://lessons.example/a%20b") }, Pass, "https://lessons.example/a%20b"},
		{"http", func(r *Report) { r.PublicURL("http://lessons.example") }, Warn, "is not https"},
		{"http on this machine", func(r *Report) { r.PublicURL("http://localhost:8080") }, Pass, "http://localhost:8080"},
		{"http on a loopback address", func(r *Report) { r.PublicURL("http://[::1]:8080") }, Pass, "http://[::1]:8080"},
		{"no origins", func(r *Report) { r.CORS(nil) }, Pass, "no other web origin"},
		{"https origins", func(r *Report) { r.CORS([]string{"https://a.example", "http://127.0.0.1:3000"}) }, Pass, "https://a.example, http://127.0.0.1:3000 may"},
		{"one http origin", func(r *Report) { r.CORS([]string{"https://a.example", "http://b.example"}) }, Warn, "http://b.example may read"},
		{"every proxy", func(r *Report) {
			r.TrustedProxies([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")})
		}, Warn, "::/0 lets anybody"},
	} {
		var r Report
		c.check(&r)
		if got := last(t, &r); got.Status != c.status || !strings.Contains(got.Detail, c.detail) || len(r.Findings()) != 1 {
			t.Errorf("%s: %+v", c.name, r.Findings())
		}
	}
	var r Report
	r.TrustedProxies([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	if len(r.Findings()) != 0 {
		t.Errorf("own proxies: %+v", r.Findings())
	}
}
