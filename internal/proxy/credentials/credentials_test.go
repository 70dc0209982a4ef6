package credentials

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// FuzzTokens: the tokens of a request are those that net/url and net/http find, wherever
// these take the query and the cookies for well-formed.
func FuzzTokens(f *testing.F) {
	f.Add("Bearer a.b.c", "token=d", "lectern_playback=e")
	f.Add("Basic YTpi", "token=d&token=d&token=&token=f+g%20h", "lectern_playback=e")
	f.Add("", "Token=x&token", "a=b; lectern_playback=e; lectern_playback=f; lectern_playback=e")
	f.Add("", "token=1&token=2&token=3&token=4&token=5&token=6&token=7&token=8&token=9", "")
	f.Add("bearer", "", `lectern_playback="quoted"; x`)
	f.Add("Bearer a b", "token=%zz;token=y", "")
	f.Fuzz(func(t *testing.T, authorization, query, cookie string) {
		for _, field := range []string{authorization, query, cookie} {
			if strings.ContainsFunc(field, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.TrimSpace(field) != field {
				return // cannot arrive
			}
		}
		if strings.ContainsAny(query, " #") {
			return
		}
		var req fasthttp.Request
		req.SetRequestURI("http://lms.example/?" + query)
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		if cookie != "" {
			req.Header.Set("Cookie", cookie)
		}
		tokens, refusal := Tokens(&req)
		if (refusal == nil) != (len(tokens) > 0) || len(tokens) > MaxTokens {
			t.Fatalf("%d tokens, %v", len(tokens), refusal)
		}
		words := strings.Fields(authorization)
		if len(words) > 0 && strings.EqualFold(words[0], "Bearer") {
			if len(words) == 2 != (refusal == nil) || refusal == nil && !slices.Equal(tokens, []media.Token{{Value: words[1], From: media.FromHeader}}) {
				t.Fatalf("%q: %v, %v", authorization, tokens, refusal)
			}
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		wanted, from := distinct(values["token"]), media.FromQuery
		if len(wanted) == 0 {
			from = media.FromCookie
			cookies, err := http.ParseCookie(cookie)
			if err != nil && cookie != "" {
				return // net/http takes nothing of it
			}
			var values []string
			for _, c := range cookies {
				if c.Quoted || strings.ContainsAny(c.Value, " \t\"") {
					return // no cookie-octets (RFC 6265 section 4.1.1), and in no token
				}
				if c.Name == PlaybackCookie {
					values = append(values, c.Value)
				}
			}
			wanted = distinct(values)
		}
		var got []string
		for _, token := range tokens {
			if token.From != from {
				t.Fatalf("%v of %q and %q", tokens, query, cookie)
			}
			got = append(got, token.Value)
		}
		if !slices.Equal(got, wanted) {
			t.Fatalf("%q of %q and %q, want %q", got, query, cookie, wanted)
		}
	})
}

// distinct are the first MaxTokens values that are not empty, each once.
func distinct(values []string) (out []string) {
	for _, v := range values {
		if v != "" && !slices.Contains(out, v) && len(out) < MaxTokens {
			out = append(out, v)
		}
	}
	return out
}
