package credentials

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/forwarded"
)

// TestWhichCredentialsCount: a session is before the cookie of a playback, which may be another
// user's, and beside a token that somebody put into the request it counts for nothing.
func TestWhichCredentialsCount(t *testing.T) {
	for _, c := range []struct {
		name, uri, authorization, cookie, site string
		stream, own                            string // tokens, or the code of the refusal
	}{
		{"nothing", "/", "", "", "", "not_authenticated", "not_authenticated"},
		{"both cookies", "/", "", "lectern_playback=p; lectern_session=s", "", "s p", "s"},
		{"both cookies, in the other order", "/", "", "lectern_session=s; lectern_playback=p", "same-origin", "s p", "s"},
		{"several of each", "/", "", "lectern_playback=p; lectern_session=s; lectern_playback=q; lectern_session=t", "", "s t p q", "s t"},
		{"a playback alone", "/", "", "lectern_playback=p", "", "p", "not_authenticated"},
		{"a session alone", "/", "", "lectern_session=s", "", "s", "s"},
		{"a link beside a session", "/?token=l", "", "lectern_session=s", "", "l", "s"},
		{"a header beside both", "/", "Bearer h", "lectern_playback=p; lectern_session=s", "", "h", "h"},
		{"a bad header beside both", "/", "Bearer h i", "lectern_playback=p; lectern_session=s", "", "token_not_valid", "token_not_valid"},
		{"another scheme beside both", "/", "Basic h", "lectern_playback=p; lectern_session=s", "", "p", "not_authenticated"},
		{"another site's page", "/", "", "lectern_playback=p; lectern_session=s", "cross-site", "p", "not_authenticated"},
	} {
		var request fasthttp.RequestCtx
		for name, value := range map[string]string{"Authorization": c.authorization, "Cookie": c.cookie, "Sec-Fetch-Site": c.site} {
			if value != "" {
				request.Request.Header.Set(name, value)
			}
		}
		request.Request.SetRequestURI(c.uri)
		said := func(tokens []media.Token, refusal *media.Refusal) string {
			if refusal != nil {
				return string(refusal.Code)
			}
			values := make([]string, len(tokens))
			for i, token := range tokens {
				values[i] = token.Value
			}
			return strings.Join(values, " ")
		}
		if got := said(StreamOrSession(&request, forwarded.Resolver{})); got != c.stream {
			t.Errorf("%s, of a stream: %s, want %s", c.name, got, c.stream)
		}
		if got := said(SessionOrBearer(&request, forwarded.Resolver{})); got != c.own {
			t.Errorf("%s, of the API: %s, want %s", c.name, got, c.own)
		}
	}
}

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
