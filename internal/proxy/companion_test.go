package proxy

import (
	"context"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

const companionPath = "/schedule/api/recordings/7/companions/9/stream/"

// withCompanion is a server whose recording 7 has one companion, id 9.
func withCompanion(t *testing.T, c media.Companion) *fixture {
	c.ID, c.RecordingID = 9, 7
	return newFixture(t, 1000, func(_ *Config, h *fixture) {
		h.companion = func(_ context.Context, id int64) (media.Companion, error) {
			if id != c.ID {
				return media.Companion{}, media.Fault(media.NotFound, "test", nil)
			}
			return c, nil
		}
		h.stat = func(_ context.Context, loc media.Location) (media.Object, error) {
			if loc != c.Location {
				t.Errorf("asked for %+v", loc)
			}
			obj := h.obj
			obj.Provider, obj.ID, obj.ContentType = loc.Provider, loc.Key, "text/html"
			return obj, nil
		}
		h.count = func(context.Context, int64, int64, bool) (func(), error) {
			t.Error("a companion counts as a start of playback")
			return nil, nil
		}
	})
}

// TestCompanionStream: a companion is served as a recording is, with the type of its kind and
// never the origin's.
func TestCompanionStream(t *testing.T) {
	h := withCompanion(t, media.Companion{
		Kind: media.CompanionTranscript, Label: "Transcript", ContentType: "text/vtt; charset=utf-8", Size: 1000,
		Location: media.Location{Provider: "s3", Key: "a.vtt"},
	})
	for _, c := range []struct {
		method string
		header string
		status int
		body   string
		want   string
	}{
		{"GET", "X: y", 200, string(h.content), "Content-Length=1000;"},
		{"HEAD", "X: y", 200, "", "Content-Length=1000;"},
		{"GET", "Range: bytes=10-19", 206, string(h.content[10:20]), "Content-Length=10;Content-Range=bytes 10-19/1000;"},
		{"GET", "Range: bytes=2000-", 416, "", "Content-Range=bytes */1000;"},
	} {
		a := h.do(c.method, companionPath, c.header, "Cookie: lectern_playback="+goodToken)
		if got := headerOf(a, "Content-Length", "Content-Range"); a.StatusCode != c.status || c.status < 400 && string(a.body) != c.body || !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %d %s %d bytes", c.method, c.header, a.StatusCode, got, len(a.body))
		}
		if got := headerOf(a, "Content-Type", "Content-Disposition"); c.status < 400 && got != `Content-Type=text/vtt; charset=utf-8;Content-Disposition=inline; filename="Lesson Transcript.vtt";` {
			t.Error(got)
		}
		if line := h.line(); line["route"] != "/schedule/api/recordings/{id}/companions/{cid}/stream/" || line["recording"] != 7.0 {
			t.Errorf("logged as %v", line)
		}
	}
}

// TestDerivedFiles: posters and storyboards are served by their names as recordings are, also
// to a session's cookie, and are not found before they are made.
func TestDerivedFiles(t *testing.T) {
	c := media.Companion{Kind: media.CompanionPoster, Label: "Poster", ContentType: "image/jpeg", Size: 1000, Location: media.Location{Provider: "s3", Key: "a.jpg"}}
	h := withCompanion(t, c)
	c.ID, c.RecordingID = 9, 7
	h.derived = func(_ context.Context, recording int64, name string) (media.Companion, error) {
		if recording != 7 || name != "poster.jpg" && name != "storyboard-2.jpg" {
			return media.Companion{}, media.Fault(media.NotFound, "test", nil)
		}
		return c, nil
	}
	const base = "/api/recordings/7/"
	etag := ""
	for _, c := range []struct {
		method, path, header string
		status               int
	}{
		{"GET", base + "poster.jpg", "Cookie: lectern_playback=" + goodToken, 200},
		{"GET", base + "poster.jpg", "Authorization: Bearer " + goodToken, 200},
		{"GET", base + "poster.jpg", "Cookie: lectern_session=" + goodToken + "; lectern_playback=old", 200},
		{"HEAD", "/schedule" + base + "storyboard-2.jpg", "Cookie: lectern_playback=" + goodToken, 200},
		{"GET", base + "poster.jpg", "Cookie: other=" + goodToken, 401},
		{"GET", base + "poster.jpg", "Sec-Fetch-Site: cross-site\r\nCookie: lectern_session=" + goodToken, 401},
		{"GET", base + "storyboard.vtt", "Cookie: lectern_playback=" + goodToken, 404},
		{"GET", base + "storyboard-3.jpg", "Cookie: lectern_playback=" + goodToken, 404},
		{"GET", base + "storyboard-%00.jpg", "Cookie: lectern_playback=" + goodToken, 404},
		{"GET", base + "stream/", "Cookie: lectern_session=" + goodToken, 401},
		{"POST", base + "poster.jpg", "Cookie: lectern_playback=" + goodToken, 405},
	} {
		a := h.do(c.method, c.path, c.header)
		if a.StatusCode != c.status {
			t.Errorf("%s %s %s: %d, want %d", c.method, c.path, c.header, a.StatusCode, c.status)
		}
		if got := headerOf(a, "Content-Type", "Content-Length", "Cache-Control"); c.status == 200 && got != "Content-Type=image/jpeg;Content-Length=1000;Cache-Control=private, no-cache;" {
			t.Errorf("%s %s: %s", c.method, c.path, got)
		}
		if c.status == 200 {
			etag = a.Header.Get("ETag")
		}
	}
	if a := h.do("GET", base+"poster.jpg", "If-None-Match: "+etag, "Cookie: lectern_playback="+goodToken); a.StatusCode != 304 || etag == "" {
		t.Errorf("with its entity tag %q: %d", etag, a.StatusCode)
	}
}

// TestCompanionRefusals: what belongs to another recording, is not there, or is not shared is
// refused; what stops being shared ends a running stream.
func TestCompanionRefusals(t *testing.T) {
	h := withCompanion(t, media.Companion{Kind: media.CompanionChat, ContentType: "text/plain; charset=utf-8", Location: media.Location{Provider: "local", Key: "chat.txt"}})
	for path, want := range map[string]string{
		companionPath: "403 no_access",
		"/schedule/api/recordings/7/companions/10/stream/": "404 not_found",
		"/schedule/api/recordings/8/companions/9/stream/":  "404 not_found",
		"/schedule/api/recordings/7/companions/0/stream/":  "404 not_found",
		"/schedule/api/recordings/7/companions/9x/stream/": "404 not_found",
	} {
		a := h.do("GET", path, "Authorization: Bearer "+goodToken)
		if got := a.Status[:3] + " " + string(a.problem(t).Code); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
