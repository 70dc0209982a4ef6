package forwarded

import (
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// FuzzHost: whatever a request calls our host, the base of links is a URL of one host without
// a path, and the same as markup and as a header's value.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"lms.example", "lms.example:8443", "[::1]:80", "a@b", "a/b", "a\"b", "a b", "", "a:b:c", "[", "%41", "a\r\nb", "..", "a:99999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		var c fasthttp.RequestCtx
		c.Request.SetRequestURI("/")
		c.Request.Header.SetHost(host)
		base := Resolver{}.BaseURL(&c)
		u, err := url.Parse(base)
		if err != nil {
			t.Fatalf("the host %q makes the base %q: %v", host, base, err)
		}
		if u.Scheme != "http" || u.Host == "" || u.User != nil || u.Path+u.RawQuery+u.Fragment != "" || html.EscapeString(base) != base || strings.ContainsFunc(base, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("the host %q makes the base %q", host, base)
		}
	})
}
