package proxy

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/proxy/api"
	"github.com/lectiospace/lectern/internal/proxy/openapi"
	"github.com/lectiospace/lectern/internal/proxy/openapi/openapitest"
	"github.com/lectiospace/lectern/internal/proxy/route"
	"github.com/lectiospace/lectern/internal/proxy/sessions"
	"github.com/lectiospace/lectern/internal/proxy/signin"
)

// notDescribed are the routes below a base that answer with something other than JSON: media,
// pictures and WebVTT.
var notDescribed = []string{
	"/recordings/{id}/stream/",
	"/recordings/{id}/companions/{cid}/stream/",
	"/recordings/{id}/poster.jpg",
	"/recordings/{id}/storyboard.vtt",
	"/recordings/{id}/storyboard.jpg",
	"/recordings/{id}/storyboard-{lang}.jpg",
	"/recordings/{id}/captions/{lang}.vtt",
	"/recordings/{id}/chapters.vtt",
}

// TestEveryRouteIsDescribed holds the routes of a server that has everything against the
// description of the API: each that speaks JSON is there with exactly its methods, and
// nothing else is, but for the syncer's webhooks.
func TestEveryRouteIsDescribed(t *testing.T) {
	d, err := openapitest.Load()
	if err != nil {
		t.Fatal(err)
	}
	described := d.Operations()
	for path := range described {
		if strings.Contains(path, "/zoom/") { // the syncer's, whose tests compare them
			delete(described, path)
		}
	}
	for _, r := range everyRoute(t) {
		path, base := r.Pattern, baseOf(r.Pattern)
		if base != "" && base != bases[1] || slices.Contains(notDescribed, strings.TrimPrefix(path, bases[1])) {
			continue // of the bases one is described, see TestBasesAreAlike
		}
		methods := slices.DeleteFunc(strings.Split(r.Allow, ", "), func(m string) bool { return m == "HEAD" || m == "OPTIONS" })
		slices.Sort(methods)
		if !slices.Equal(described[path], methods) {
			t.Errorf("%s answers %v, and is described with %v", path, methods, described[path])
		}
		delete(described, path)
	}
	for path, methods := range described {
		t.Errorf("%s is described with %v, and no route", path, methods)
	}
}

// TestDescriptionIsServed: anybody may read it, and it is revalidated.
func TestDescriptionIsServed(t *testing.T) {
	h := newFixture(t, 1, nil)
	want, err := openapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range bases {
		res := h.do("GET", base+"/openapi.json")
		if res.StatusCode != http.StatusOK || !bytes.Equal(res.body, want) || res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", base, res.StatusCode, res.Header)
		}
		if again := h.do("GET", base+"/openapi.json", "If-None-Match: "+res.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %d for its entity tag", base, again.StatusCode)
		}
	}
}

// TestBasesAreAlike: the description names one base, and the others have the same routes.
func TestBasesAreAlike(t *testing.T) {
	below := map[string][]string{}
	for _, r := range everyRoute(t) {
		if base := baseOf(r.Pattern); base != "" {
			below[base] = append(below[base], strings.TrimPrefix(r.Pattern, base)+" "+r.Allow)
		}
	}
	for _, base := range bases {
		slices.Sort(below[base])
		if !slices.Equal(below[base], below[bases[0]]) {
			t.Errorf("%s has %v, %s has %v", base, below[base], bases[0], below[bases[0]])
		}
	}
}

// isDescribed fails the test where an answer is not as the description of the API says.
func isDescribed(t *testing.T, method, path string, res testResponse) {
	t.Helper()
	d, err := openapitest.Load()
	if err != nil {
		t.Fatal(err)
	}
	path, _, _ = strings.Cut(path, "?")
	if _, err := d.Check(openapitest.Exchange{Method: method, Path: path, Status: res.StatusCode, ContentType: res.Header.Get("Content-Type"), Body: string(res.body)}); err != nil {
		t.Error(err)
	}
}

// baseOf is the base that a pattern is below, "" for none. One base begins with another.
func baseOf(pattern string) (base string) {
	for _, b := range bases {
		if strings.HasPrefix(pattern, b+"/") && len(b) > len(base) {
			base = b
		}
	}
	return base
}

// everyRoute are the routes of a server that lacks nothing but pages. No request is sent.
func everyRoute(t *testing.T) []route.Route {
	t.Helper()
	return newFullServer(t, &fixture{}).routes
}

// newFullServer is a server that lacks nothing but pages. Behind its access control there is
// nothing.
func newFullServer(t *testing.T, nobody *fixture) *Server {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Embed.Origins = []string{embedder}
	s, err := New(cfg, Deps{
		Access: nobody, Origins: nobody, Store: nobody, Grants: nobody, Companions: nobody,
		Sessions: &sessions.Services{}, SignIn: &signin.Services{},
		API: &api.Services{
			Companions:  struct{ api.CompanionReader }{},
			Chapters:    struct{ api.ChapterReader }{},
			WatchStates: struct{ api.WatchStates }{},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s
}
