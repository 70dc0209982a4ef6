package route

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	const stream, captions = "/api/recordings/{id}/stream/", "/api/recordings/{id}/captions/{lang}.vtt"
	for _, c := range []struct {
		pattern, path string
		optionalSlash bool
		id            int64
		ok            bool
	}{
		{"/", "/", false, 0, true},
		{"/", "", false, 0, false},
		{stream, "/api/recordings/7/stream/", true, 7, true},
		{stream, "/api/recordings/7/stream", true, 7, true},
		{stream, "/api/recordings/7/stream", false, 0, false},
		{stream, "/api/recordings/007/stream/", true, 7, true},
		{stream, "/api/recordings/0/stream/", true, 0, false},
		{stream, "/api/recordings/-7/stream/", true, 0, false},
		{stream, "/api/recordings/+7/stream/", true, 0, false},
		{stream, "/api/recordings//stream/", true, 0, false},
		{stream, "/api/recordings/stream/", true, 0, false},
		{stream, "/api/recordings/7/8/stream/", true, 0, false},
		{stream, "/api/recordings/9223372036854775807/stream/", true, 1<<63 - 1, true},
		{stream, "/api/recordings/9223372036854775808/stream/", true, 0, false},
		{captions, "/api/recordings/7/captions/ru.vtt", false, 7, true},
		{captions, "/api/recordings/7/captions/.vtt", false, 0, false},
		{captions, "/api/recordings/7/captions/a/b.vtt", false, 0, false},
		{captions, "/api/recordings/7/captions/ru.srt", false, 0, false},
	} {
		r := Route{Pattern: c.pattern, OptionalSlash: c.optionalSlash}
		id, ok := r.Match(c.path)
		if ok != c.ok || ok && id != c.id {
			t.Errorf("%s against %s: %d, %v, want %d, %v", c.path, c.pattern, id, ok, c.id, c.ok)
		}
	}
}

func TestAllows(t *testing.T) {
	r := Route{Allow: "GET, HEAD, OPTIONS"}
	for method, want := range map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true, "POST": false, "GET, HEAD": false, "": false, "get": false} {
		if r.Allows(method) != want {
			t.Errorf("%q: %v", method, !want)
		}
	}
}

// FuzzMatch holds the patterns against regular expressions.
func FuzzMatch(f *testing.F) {
	for _, seed := range []string{
		"/api/recordings/7/stream/", "/api/recordings/7/stream", "/api/recordings/007/captions/ru.vtt", "/api/recordings/7/companions/8/", "/api/recordings/9223372036854775808/stream/",
		"/api/recordings/0/stream/", "/api/recordings/7/companions/0/", "/api/recordings/7/companions/8", "/api/recordings//companions//", "/api/recordings/7/captions/a/b.vtt", "/api/recordings/7/captions/.vtt",
	} {
		f.Add(seed)
	}
	patterns := []struct {
		route  Route
		regexp *regexp.Regexp
	}{
		{Route{Pattern: "/", OptionalSlash: false}, regexp.MustCompile(`^/$`)},
		{Route{Pattern: "/api/recordings/{id}/stream/", OptionalSlash: true}, regexp.MustCompile(`(?s)^/api/recordings/([0-9]+)/stream/?$`)},
		{Route{Pattern: "/api/recordings/{id}/captions/{lang}.vtt"}, regexp.MustCompile(`(?s)^/api/recordings/([0-9]+)/captions/[^/]+\.vtt$`)},
		{Route{Pattern: "/api/recordings/{id}/companions/{cid}/", OptionalSlash: true}, regexp.MustCompile(`(?s)^/api/recordings/([0-9]+)/companions/([0-9]+)/?$`)},
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, p := range patterns {
			id, ok := p.route.Match(path)
			var want []int64
			m := p.regexp.FindStringSubmatch(path)
			matches := m != nil
			for _, digits := range m[min(1, len(m)):] {
				n, err := strconv.ParseInt(digits, 10, 64)
				matches = matches && err == nil && n > 0
				want = append(want, n)
			}
			if ok != matches || ok && len(want) > 0 && id != want[0] {
				t.Fatalf("%q against %s: %d, %v, want %v, %v", path, p.route.Pattern, id, ok, want, matches)
			}
			if !strings.Contains(p.route.Pattern, "{cid}") {
				continue
			}
			if second := SecondID(p.route.Pattern, path); ok && second != want[1] {
				t.Fatalf("%q: the second number is %d, want %d", path, second, want[1])
			}
		}
	})
}
