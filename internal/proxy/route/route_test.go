package route

import "testing"

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
