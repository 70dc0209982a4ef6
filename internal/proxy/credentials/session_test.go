package credentials

import (
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/forwarded"
)

// TestOurOrigin: an origin is compared as browsers write it, without the port that its scheme
// has anyway (RFC 6454 section 6.2).
func TestOurOrigin(t *testing.T) {
	for _, c := range []struct {
		publicURL, host, origin string
		ours                    bool
	}{
		{"https://lms.example", "inner", "https://lms.example", true},
		{"https://LMS.example/lectern/", "inner", "https://lms.example", true},
		{"https://lms.example:443", "inner", "https://lms.example", true},
		{"http://lms.example:80/", "inner", "http://lms.example", true},
		{"http://[2001:db8::1]:80", "inner", "http://[2001:db8::1]", true},
		{"http://lms.example:443", "inner", "http://lms.example", false},
		{"http://lms.example:443", "inner", "http://lms.example:443", true},
		{"https://lms.example:8443", "inner", "https://lms.example", false},
		{"https://lms.example", "inner", "http://lms.example", false},
		{"https://lms.example", "inner", "https://inner", false},
		{"", "lms.example", "https://lms.example", true},
		{"", "lms.example:8080", "http://lms.example:8080", true},
		{"", "lms.example:8080", "http://lms.example", false},
		{"", "lms.example", "null", false},
	} {
		var request fasthttp.RequestCtx
		request.Request.Header.SetHost(c.host)
		if got := isOurs(c.origin, &request, forwarded.Resolver{PublicURL: c.publicURL}); got != c.ours {
			t.Errorf("%s at %q, host %s: %v", c.origin, c.publicURL, c.host, got)
		}
	}
}
