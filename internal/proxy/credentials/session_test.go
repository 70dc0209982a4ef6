package credentials

import (
	"slices"
	"strings"
	"testing"
	"time"

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
		{"", "", "null", false},
		{"", "", "https://", false},
		{"https://lms example", "inner", "https://lms example", false},
	} {
		var request fasthttp.RequestCtx
		request.Request.Header.SetHost(c.host)
		if got := isOurs(c.origin, &request, forwarded.Resolver{PublicURL: c.publicURL}); got != c.ours {
			t.Errorf("%s at %q, host %s: %v", c.origin, c.publicURL, c.host, got)
		}
	}
}

// request makes one from its method and header, with pairs of a name and a value.
func request(method string, header ...string) *fasthttp.RequestCtx {
	var c fasthttp.RequestCtx
	c.Request.Header.SetMethod(method)
	c.Request.SetRequestURI("/")
	c.Request.Header.SetHost("lms.example")
	for i := 0; i < len(header); i += 2 {
		c.Request.Header.Set(header[i], header[i+1])
	}
	return &c
}

// said are the values of tokens, or the code of a refusal.
func said(tokens []media.Token, refusal *media.Refusal) string {
	if refusal != nil {
		return string(refusal.Code)
	}
	values := make([]string, len(tokens))
	for i, token := range tokens {
		values[i] = token.Value
	}
	return strings.Join(values, " ")
}

// TestWhosePageAsks: the session's cookie counts for nothing in a request of another site's page,
// and changes nothing unless the request shows that a page of ours sent it.
func TestWhosePageAsks(t *testing.T) {
	const csrf = "csrf"
	for _, c := range []struct {
		site, origin string
		safe, unsafe string // what the cookie is good for, or the refusal
		ours         bool
	}{
		{"", "", "s", csrf, false},
		{"none", "", "s", csrf, false},
		{"same-origin", "", "s", "s", true},
		{"same-origin", "https://other.example", "s", "s", true}, // the page cannot set Sec-Fetch-Site
		{"same-site", "https://lms.example", "", "", false},
		{"cross-site", "", "", "", false},
		{"new", "", "", "", false},
		{"", "https://lms.example", "s", "s", true},
		{"none", "https://lms.example", "s", "s", true},
		{"", "https://other.example", "", csrf, false},
		{"", "null", "", csrf, false},
	} {
		for method, want := range map[string]string{"GET": c.safe, "HEAD": c.safe, "POST": c.unsafe, "PUT": c.unsafe, "DELETE": c.unsafe} {
			header := []string{"Cookie", "lectern_session=s"}
			if c.site != "" {
				header = append(header, "Sec-Fetch-Site", c.site)
			}
			if c.origin != "" {
				header = append(header, "Origin", c.origin)
			}
			r := request(method, header...)
			if got := said(SessionTokens(r, forwarded.Resolver{})); got != want {
				t.Errorf("%s, site %q, origin %q: %q, want %q", method, c.site, c.origin, got, want)
			}
			if want == "" {
				want = "not_authenticated"
			}
			if got := said(SessionOrBearer(r, forwarded.Resolver{})); got != want {
				t.Errorf("%s, site %q, origin %q, or a token: %q, want %q", method, c.site, c.origin, got, want)
			}
			refusal := RequireOurPage(r, forwarded.Resolver{})
			if ours := refusal == nil; ours != c.ours || !ours && refusal.Code != csrf {
				t.Errorf("%s, site %q, origin %q: a page of ours is %v, %v", method, c.site, c.origin, ours, refusal)
			}
		}
	}
}

// TestWhichPlayerAsks: an embedded player's cookie is that of a request without other
// credentials, and the only one of a request that says "embed".
func TestWhichPlayerAsks(t *testing.T) {
	const both = "lectern_session=s; lectern_embed=e"
	for _, c := range []struct {
		name, method string
		header       []string
		want         string
	}{
		{"nothing", "GET", nil, "not_authenticated"},
		{"nothing, a change", "POST", nil, "not_authenticated"},
		{"nothing, embedded", "GET", []string{"Lectern-Player", "embed"}, "not_authenticated"},
		{"a session", "GET", []string{"Cookie", "lectern_session=s"}, "s"},
		{"a session, embedded", "GET", []string{"Cookie", "lectern_session=s", "Lectern-Player", "embed"}, "not_authenticated"},
		{"an embedded player's", "GET", []string{"Cookie", "lectern_embed=e"}, "e"},
		{"both", "GET", []string{"Cookie", both}, "s"},
		{"both, embedded", "GET", []string{"Cookie", both, "Lectern-Player", "embed"}, "e"},
		{"both, another player", "GET", []string{"Cookie", both, "Lectern-Player", "new"}, "s"},
		{"both and a token", "GET", []string{"Cookie", both, "Authorization", "Bearer h"}, "h"},
		{"both and a bad token", "GET", []string{"Cookie", both, "Authorization", "Bearer h i"}, "token_not_valid"},
		{"both and a token, embedded", "GET", []string{"Cookie", both, "Authorization", "Bearer h", "Lectern-Player", "embed"}, "not_authenticated"},
		{"another site's page", "GET", []string{"Cookie", both, "Sec-Fetch-Site", "cross-site"}, "not_authenticated"},
		{"a change by nobody knows whom", "POST", []string{"Cookie", both}, "csrf"},
		{"a change by nobody knows whom, embedded", "POST", []string{"Cookie", both, "Lectern-Player", "embed"}, "csrf"},
		{"a change by our page", "POST", []string{"Cookie", both, "Sec-Fetch-Site", "same-origin"}, "s"},
		{"a change by our page, embedded", "POST", []string{"Cookie", both, "Sec-Fetch-Site", "same-origin", "Lectern-Player", "embed"}, "e"},
	} {
		tokens, refusal := PlayerTokens(request(c.method, c.header...), forwarded.Resolver{})
		if got := said(tokens, refusal); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		for _, token := range tokens {
			if from := map[string]media.TokenSource{"s": media.FromSession, "e": media.FromEmbed, "h": media.FromHeader}[token.Value]; token.From != from {
				t.Errorf("%s: %q is from %v, want %v", c.name, token.Value, token.From, from)
			}
		}
	}
}

// TestBadHeaderIsNamed: a header of too many words is refused with the message that clients of
// the platform's API know.
func TestBadHeaderIsNamed(t *testing.T) {
	_, refusal := Bearer(&request("GET", "Authorization", "Bearer h i").Request)
	want := media.TokenMessage{Class: "AccessToken", Type: "access", Message: "Authorization header must contain two space-delimited values"}
	if refusal == nil || len(refusal.Messages) != 1 || refusal.Messages[0] != want {
		t.Errorf("got %+v", refusal)
	}
}

// TestRepeatedHeader: equal lines of Authorization count once, and no choice is made between
// different ones.
func TestRepeatedHeader(t *testing.T) {
	for _, c := range []struct {
		second, want string
	}{{"Bearer h", "h"}, {"Bearer i", "token_not_valid"}} {
		r := request("GET", "Authorization", "Bearer h")
		r.Request.Header.Add("Authorization", c.second)
		if got := said(SessionOrBearer(r, forwarded.Resolver{})); got != c.want {
			t.Errorf("Bearer h and %s: %q, want %q", c.second, got, c.want)
		}
	}
}

// TestCookies: what a browser is told of them. A life that has ended removes one.
func TestCookies(t *testing.T) {
	const own, embedded = "; HttpOnly; SameSite=Lax", "; HttpOnly; SameSite=None; Secure; Partitioned"
	for _, c := range []struct {
		publicURL string
		life      time.Duration
		own       string
		embedded  string
	}{
		{"https://lms.example", 90*time.Second + 999*time.Millisecond, "n=v; Max-Age=90; Path=/p" + own + "; Secure", "n=v; Max-Age=90; Path=/p" + embedded},
		{"http://lms.example", time.Hour, "n=v; Max-Age=3600; Path=/p" + own, "n=v; Max-Age=3600; Path=/p" + embedded},
		{"http://lms.example", 0, "n=v; Max-Age=0; Path=/p" + own, "n=v; Max-Age=0; Path=/p" + embedded},
		{"http://lms.example", -time.Hour, "n=v; Max-Age=0; Path=/p" + own, "n=v; Max-Age=0; Path=/p" + embedded},
	} {
		r := request("GET")
		AddCookie(r, forwarded.Resolver{PublicURL: c.publicURL}, "n", "v", c.life, "/p")
		AddPartitionedCookie(r, "n", "v", c.life, "/p")
		var got []string
		for line := range strings.Lines(r.Response.Header.String()) {
			if value, ok := strings.CutPrefix(line, "Set-Cookie: "); ok {
				got = append(got, strings.TrimSpace(value))
			}
		}
		if !slices.Equal(got, []string{c.own, c.embedded}) {
			t.Errorf("%s, %v: %q", c.publicURL, c.life, got)
		}
	}
}
