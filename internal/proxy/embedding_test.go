package proxy

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/pages"
)

const embedder = "https://lms.example"

func TestEmbedOrigins(t *testing.T) {
	for _, c := range []struct{ origin, wrong string }{
		{"https://lms.example", ""},
		{"https://lms.example:8443", ""},
		{"https://xn--e1afmkfd.example", ""},
		{"https://192.0.2.7", ""},
		{"http://localhost:3000", ""},
		{"http://lms.localhost", ""},
		{"http://127.0.0.1:8080", ""},
		{"http://127.3.2.1", ""},
		{"http://lms.example", "is plain http"},
		{"http://localhost.example", "is plain http"},
		{"http://192.168.0.1", "is plain http"},
		{"http://[::1]:3000", "IPv6"},
		{"https://[2001:db8::1]", "IPv6"},
		{"https://lms.example/", "is not a web origin"},
		{"https://lms.example/lessons", "is not a web origin"},
		{"https://lms.example?", "is not a web origin"},
		{"https://lms.example#x", "is not a web origin"},
		{"https://me@lms.example", "is not a web origin"},
		{"https://", "is not a web origin"},
		{"https://:8443", "is not a web origin"},
		{"https:lms.example", "is not a web origin"},
		{"lms.example", "is not a web origin"},
		{"ftp://lms.example", "is not a web origin"},
		{"", "is not a web origin"},
		{"null", "is not a web origin"},
		{"*", "is not a web origin"},
		{"'self'", "is not a web origin"},
		{"HTTPS://lms.example", "is not a web origin"},
		{"https://*", "one exact host"},
		{"https://*.lms.example", "one exact host"},
		{"https://lms.example;script-src", "one exact host"},
		{"https://lms.example,b", "one exact host"},
		{"https://lms.example b", "is not a web origin"},
		{" https://lms.example", "is not a web origin"},
		{"https://Lms.example", "one exact host"},
		{"https://пример.example", "one exact host"},
		{"https://lms.example:443", "port"},
		{"http://localhost:80", "port"},
		{"https://lms.example:", "is not a web origin"},
		{"https://lms.example:0", "port"},
		{"https://lms.example:08443", "port"},
		{"https://lms.example:70000", "port"},
		{"https://lms.example:*", "is not a web origin"},
	} {
		err := EmbedConfig{Origins: []string{"https://good.example", c.origin}}.Check()
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%q: %v", c.origin, err)
		case c.wrong != "" && (err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("embed-origins: %q ", c.origin)) || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%q: %v, want %q", c.origin, err, c.wrong)
		}
	}
	if err := (EmbedConfig{Origins: []string{embedder, embedder}}).Check(); err == nil {
		t.Error("an origin is accepted twice")
	}
	if err := (EmbedConfig{}).Check(); err != nil {
		t.Error(err)
	}
}

// TestWhoMayFrame: the bare player is framed by the listed origins, everything else by nobody,
// and without origins there is no player.
func TestWhoMayFrame(t *testing.T) {
	documents, err := pages.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	origins := []string{embedder, "http://localhost:3000"}
	player, err := pages.Player(origins)
	if err != nil {
		t.Fatal(err)
	}
	if none, err := pages.Player(nil); len(none) != 0 || err != nil {
		t.Errorf("without origins there are %d pages, %v", len(none), err)
	}
	served := map[string]bool{}
	for _, p := range documents {
		served[p.Path] = true
	}
	ancestors := func(p pages.Page) string {
		_, rest, _ := strings.Cut(p.Header["Content-Security-Policy"], "frame-ancestors ")
		rest, _, _ = strings.Cut(rest, ";")
		return rest
	}
	for _, p := range player {
		if got := ancestors(p); !strings.HasPrefix(p.Path, "/embed/{id}") || got != embedder+" http://localhost:3000" {
			t.Errorf("%s is framed by %q", p.Path, got)
		}
		for lang, body := range map[string][]byte{"en": p.Body, "ru": p.Others["ru"]} {
			if text := string(body); !strings.Contains(text, `<meta name="lectern-embed-origins" content="`+strings.Join(origins, " ")+`">`) || strings.Contains(text, "masthead") {
				t.Errorf("%s in %s: %s", p.Path, lang, text)
			}
			links := regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(string(body), -1)
			for _, link := range links {
				if !served[link[1]] {
					t.Errorf("%s in %s wants %s, which is not served", p.Path, lang, link[1])
				}
			}
			if len(links) != 2 {
				t.Errorf("%s in %s has %d links, want style and script", p.Path, lang, len(links))
			}
		}
	}
	if len(player) != 2 {
		t.Errorf("%d pages of the player", len(player))
	}
	for _, p := range documents {
		if got := ancestors(p); strings.Contains(p.ContentType, "html") && got != "'none'" {
			t.Errorf("%s is framed by %q", p.Path, got)
		}
	}
}

func TestOEmbedIsOffWithoutOrigins(t *testing.T) {
	const query = "/oembed?url=https%3A%2F%2Flms.example%2Fwatch%2F7"
	for _, c := range []struct {
		origins []string
		status  int
	}{{nil, http.StatusNotFound}, {[]string{embedder}, http.StatusOK}} {
		h := newFixture(t, 1, func(cfg *Config, _ *fixture) { cfg.PublicURL, cfg.Embed.Origins = "https://lms.example", c.origins })
		res := h.do("GET", query)
		if res.StatusCode != c.status {
			t.Errorf("with %q: %d %s", c.origins, res.StatusCode, res.body)
		}
		if c.status == http.StatusOK { // do holds the answers against their description
			for wrong, status := range map[string]int{"/oembed": 400, "/oembed?url=https%3A%2F%2Fa.example%2Fwatch%2F7": 404, query + "&format=xml": 501} {
				if res := h.do("GET", wrong); res.StatusCode != status {
					t.Errorf("%s: %d %s", wrong, res.StatusCode, res.body)
				}
			}
		}
	}
}

// TestEmbeddedPlayback: in a frame of another site's page a <video> sends a partitioned cookie
// only.
func TestEmbeddedPlayback(t *testing.T) {
	expires := time.Date(2026, 11, 25, 23, 5, 6, 0, time.UTC)
	h := newFixture(t, 1000, func(cfg *Config, h *fixture) {
		cfg.Embed.Origins = []string{embedder}
		h.now = func() time.Time { return expires.Add(-2 * time.Hour) }
		h.authenticate = func(_ context.Context, tok media.Token) (media.Viewer, error) {
			return media.Viewer{User: media.User{ID: 42, Role: media.RoleStudent, Active: true}, Embedded: tok.From == media.FromEmbed}, nil
		}
		h.grant = func(int64, media.Recording) (media.Grant, error) {
			return media.Grant{Token: "aa.bb.cc", Expires: expires}, nil
		}
	})
	for cookie, want := range map[string]string{
		"lectern_embed=e":                    "lectern_playback=aa.bb.cc; Max-Age=7200; Path=/api/recordings/7/; HttpOnly; SameSite=None; Secure; Partitioned",
		"lectern_session=s":                  "lectern_playback=aa.bb.cc; Max-Age=7200; Path=/api/recordings/7/; HttpOnly; SameSite=Lax",
		"lectern_embed=e; lectern_session=s": "lectern_playback=aa.bb.cc; Max-Age=7200; Path=/api/recordings/7/; HttpOnly; SameSite=Lax",
	} {
		res := h.do("POST", playbackPath, "Cookie: "+cookie, "Sec-Fetch-Site: same-origin")
		if got := res.Header.Values("Set-Cookie"); res.StatusCode != http.StatusCreated || !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %d, %q", cookie, res.StatusCode, got)
		}
	}
}

// TestWhereTheEmbedCookieCounts sends the cookie of an embedded player to every method of every
// route: those here look at it, and no other does.
func TestWhereTheEmbedCookieCounts(t *testing.T) {
	want := map[string]bool{}
	for _, base := range bases {
		for _, r := range []string{
			"POST /recordings/{id}/playback/",    // the grant, whose cookie opens the stream and what is beside it
			"GET /recordings/{id}/watch-state/",  // where to go on
			"HEAD /recordings/{id}/watch-state/", //
			"PUT /recordings/{id}/watch-state/",  // what was played
			"POST /recordings/{id}/view/",        // that it was played
		} {
			method, path, _ := strings.Cut(r, " ")
			want[method+" "+base+path] = true
		}
	}
	seen := false
	s := newFullServer(t, &fixture{authenticate: func(_ context.Context, tok media.Token) (media.Viewer, error) {
		if tok != (media.Token{Value: "e", From: media.FromEmbed}) {
			t.Errorf("another token: %+v", tok)
		}
		seen = true
		return media.Viewer{}, media.RefuseToken("refused")
	}})
	got := map[string]bool{}
	fill := strings.NewReplacer("{id}", "7", "{cid}", "8", "{lang}", "en")
	for _, r := range s.routes {
		for method := range strings.SplitSeq(r.Allow, ", ") {
			var c fasthttp.RequestCtx
			c.Init(&fasthttp.Request{}, nil, nil)
			c.Request.Header.SetMethod(method)
			c.Request.SetRequestURI(fill.Replace(r.Pattern))
			c.Request.Header.SetCookie("lectern_embed", "e")
			c.Request.Header.Set("Sec-Fetch-Site", "same-origin")
			seen = false
			s.handle(&c)
			if seen {
				got[method+" "+r.Pattern] = true
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("it counts for %q, want %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}
