package proxy

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const playbackPath = "/api/recordings/7/playback/"

var bearerGood = "Authorization: Bearer " + goodToken

// TestPlaybackAnswer holds the body to the letter: fields, order, spelling.
func TestPlaybackAnswer(t *testing.T) {
	expires := time.Date(2026, 11, 25, 23, 5, 6, 0, time.UTC)
	h := newFixture(t, 1000, func(cfg *Config, h *fixture) {
		cfg.PublicURL = "https://lms.example/school/"
		h.now = func() time.Time { return expires.Add(-2 * time.Hour) }
		h.grant = func(userID int64, rec media.Recording) (media.Grant, error) {
			if userID != 42 || rec.ID != 7 {
				t.Errorf("a grant for user %d, recording %d", userID, rec.ID)
			}
			return media.Grant{Token: "aa.bb.cc", Expires: expires}, nil
		}
		h.tracks = func(context.Context, int64) ([]media.Caption, error) {
			return []media.Caption{{Lang: "ru", Label: "Русский"}, {Lang: "und", Label: "Transcript"}}, nil
		}
	})
	a := h.do("POST", playbackPath, bearerGood)
	want := `{"url":"https://lms.example/school/api/recordings/7/stream/","token":"aa.bb.cc","expires_at":"2026-11-25T23:05:06Z",` +
		`"watch_url":"https://lms.example/school/watch/7","content_type":"video/mp4","size":1000,` +
		`"captions":[{"label":"Русский","lang":"ru","url":"https://lms.example/school/api/recordings/7/captions/ru.vtt?token=aa.bb.cc"},` +
		`{"label":"Transcript","lang":"und","url":"https://lms.example/school/api/recordings/7/captions/und.vtt?token=aa.bb.cc"}]}`
	if a.StatusCode != 201 || string(a.body) != want {
		t.Errorf("%d %s\nwant %s", a.StatusCode, a.body, want)
	}
	if got := a.Header.Get("Set-Cookie"); got != "lectern_playback=aa.bb.cc; Max-Age=7200; Path=/school/api/recordings/7/; HttpOnly; SameSite=Lax; Secure" {
		t.Errorf("the cookie is %q", got)
	}
	if got := headerOf(a, "Content-Type", "Cache-Control", "Referrer-Policy", "X-Content-Type-Options"); got != "Content-Type=application/json;Cache-Control=no-store;Referrer-Policy=no-referrer;X-Content-Type-Options=nosniff;" {
		t.Error(got)
	}
	if line := h.line(); line["user"] != 42.0 || line["recording"] != 7.0 || line["status"] != 201.0 || line["route"] != "/api/recordings/{id}/playback/" {
		t.Errorf("logged as %v", line)
	}
	if strings.Contains(h.log.String(), "aa.bb.cc") || strings.Contains(h.log.String(), goodToken) {
		t.Error("a token is in the log")
	}
}

// TestPlaybackPrefetches: the recording is read with its grant, and for no refusal.
func TestPlaybackPrefetches(t *testing.T) {
	read := make(chan media.Object, 10)
	var refused atomic.Value // the step that refuses
	refused.Store("")
	refuse := func(step string) error {
		if step == refused.Load() {
			return media.Refuse(media.CodeThrottled, "")
		}
		return nil
	}
	h := newFixture(t, 1000, func(_ *Config, h *fixture) {
		h.prefetch = func(obj media.Object, release func()) { read <- obj; release() }
		h.count = func(context.Context, int64, int64, bool) (func(), error) { return nil, refuse("limit") }
		stat, grant := h.stat, h.grant
		h.stat = func(ctx context.Context, loc media.Location) (media.Object, error) {
			obj, err := stat(ctx, loc)
			return obj, errors.Join(err, refuse("origin"))
		}
		h.grant = func(user int64, rec media.Recording) (media.Grant, error) {
			g, err := grant(user, rec)
			return g, errors.Join(err, refuse("signer"))
		}
	})
	for _, step := range []string{"limit", "origin", "signer"} {
		refused.Store(step)
		if a := h.do("POST", playbackPath, bearerGood); a.StatusCode == 201 || len(read) != 0 {
			t.Errorf("%s: %d, %d reads", step, a.StatusCode, len(read))
		}
	}
	refused.Store("")
	if a := h.do("POST", playbackPath); a.StatusCode != 401 || len(read) != 0 {
		t.Errorf("without a token: %d, %d reads", a.StatusCode, len(read))
	}
	if a := h.do("POST", playbackPath, bearerGood); a.StatusCode != 201 || len(read) != 1 {
		t.Fatalf("%d, %d reads", a.StatusCode, len(read))
	}
	if obj := <-read; obj != h.obj {
		t.Errorf("read %v", obj)
	}
}

// TestPlaybackLinks: what absolute links and the cookie say of how people come.
func TestPlaybackLinks(t *testing.T) {
	const plain, tls = "http://lms.example/", "https://lms.example/"
	for _, c := range []struct {
		name, public string
		trusted      bool
		header       string
		base         string
		secure       bool
	}{
		{"as the request came", "", true, "", plain, false},
		{"a trusted proxy says https", "", true, "X-Forwarded-Proto: https", tls, true},
		{"the first of a chain", "", true, "X-Forwarded-Proto: HTTPS, http", tls, true},
		{"a trusted proxy says http", "", true, "X-Forwarded-Proto: http", plain, false},
		{"somebody says https", "", false, "X-Forwarded-Proto: https", plain, false},
		{"the setting", "https://school.example", false, "", "https://school.example/", true},
		{"the setting says http, the proxy https", "http://school.example", true, "X-Forwarded-Proto: https", "http://school.example/", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFixture(t, 10, func(cfg *Config, _ *fixture) {
				cfg.PublicURL = c.public
				if !c.trusted {
					cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
				}
			})
			headers := []string{bearerGood}
			if c.header != "" {
				headers = append(headers, c.header)
			}
			for _, base := range bases {
				a := h.do("POST", base+"/recordings/7/playback", headers...)
				if !strings.Contains(string(a.body), `"url":"`+c.base+base[1:]+`/recordings/7/stream/"`) || !strings.Contains(string(a.body), `"captions":[]`) {
					t.Errorf("%s", a.body)
				}
				cookie := a.Header.Get("Set-Cookie")
				if !strings.Contains(cookie, "; Path="+base+"/recordings/7/;") || strings.HasSuffix(cookie, "; Secure") != c.secure {
					t.Errorf("%s: %s", base, cookie)
				}
			}
		})
	}
}

func TestPlaybackWithAStrangeHost(t *testing.T) {
	h := newFixture(t, 10, nil)
	conn := h.dial()
	defer conn.Close()
	if _, err := conn.Write([]byte("POST " + playbackPath + " HTTP/1.1\r\nHost: evil.example/x?y#\r\n" + bearerGood + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if a := h.receive(conn, "POST"); strings.Contains(string(a.body), "evil") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// TestPlaybackRefusals: in the order of a stream's, counted by nobody.
func TestPlaybackRefusals(t *testing.T) {
	const path = playbackPath
	refused := func(code media.Code) func(*fixture) {
		return func(h *fixture) {
			h.authorize = func(context.Context, media.Viewer, int64) (media.Recording, error) {
				return media.Recording{}, media.Refuse(code, "no")
			}
		}
	}
	faulty := func(kind media.Kind) func(*fixture) {
		return func(h *fixture) {
			h.stat = func(context.Context, media.Location) (media.Object, error) {
				return media.Object{}, media.Fault(kind, "origin", nil)
			}
		}
	}
	for _, c := range []struct {
		name    string
		path    string
		headers []string
		change  func(*fixture)
		status  int
		code    media.Code
		counted int64 // started, and taken back
	}{
		{"no token", path, nil, nil, 401, media.CodeNotAuthenticated, 0},
		{"a token in the query", path + "?token=" + goodToken, nil, nil, 401, media.CodeNotAuthenticated, 0},
		{"a token in the cookie", path, []string{"Cookie: lectern_playback=" + goodToken}, nil, 401, media.CodeNotAuthenticated, 0},
		{"a bad token", path, []string{"Authorization: Bearer nonsense"}, nil, 401, media.CodeTokenNotValid, 0},
		{"two words", path, []string{"Authorization: Bearer a b"}, nil, 401, media.CodeTokenNotValid, 0},
		{"a playback token", path, []string{bearerGood}, func(h *fixture) {
			h.authenticate = func(context.Context, media.Token) (media.Viewer, error) {
				return media.Viewer{User: media.User{ID: 42, Active: true}, Playback: 7}, nil
			}
		}, 401, media.CodeTokenNotValid, 0},
		{"not there", path, []string{bearerGood}, refused(media.CodeNotFound), 404, media.CodeNotFound, 0},
		{"not theirs", path, []string{bearerGood}, refused(media.CodeNoAccess), 403, media.CodeNoAccess, 0},
		{"too late", path, []string{bearerGood}, refused(media.CodeExpired), 410, media.CodeExpired, 0},
		{"too early", path, []string{bearerGood}, refused(media.CodeProcessing), 409, media.CodeProcessing, 0},
		{"the file is gone", path, []string{bearerGood}, faulty(media.NotFound), 404, media.CodeNoMedia, 1},
		{"the origin is away", path, []string{bearerGood}, faulty(media.Unavailable), 503, media.CodeOriginDown, 1},
		{"its quota", path, []string{bearerGood}, faulty(media.Quota), 503, media.CodeOriginQuota, 1},
		{"not an id", "/api/recordings/x/playback/", []string{bearerGood}, nil, 404, media.CodeNotFound, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var started, undone atomic.Int64
			h := newFixture(t, 10, func(_ *Config, h *fixture) {
				h.count = func(context.Context, int64, int64, bool) (func(), error) {
					started.Add(1)
					return func() { undone.Add(1) }, nil
				}
				if c.change != nil {
					c.change(h)
				}
			})
			a := h.do("POST", c.path, c.headers...)
			if p := a.problem(t); a.StatusCode != c.status || p.Code != c.code {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
			if (a.StatusCode == 401) != (a.Header.Get("WWW-Authenticate") == `Bearer realm="api"`) || a.Header.Get("Set-Cookie") != "" {
				t.Errorf("headers %v", a.Header)
			}
			if started.Load() != c.counted || undone.Load() != c.counted {
				t.Errorf("%d counted, %d taken back", started.Load(), undone.Load())
			}
		})
	}
}

func TestPlaybackThrottled(t *testing.T) {
	h := newFixture(t, 10, func(_ *Config, h *fixture) {
		h.stat = func(context.Context, media.Location) (media.Object, error) {
			t.Error("the origin is asked for a user over the limit")
			return media.Object{}, nil
		}
		h.count = func(context.Context, int64, int64, bool) (func(), error) {
			return nil, &media.Refusal{Code: media.CodeThrottled, Detail: "Request was throttled. Expected available in 3 seconds.", RetryAfter: 2500 * time.Millisecond}
		}
	})
	a := h.do("POST", playbackPath, bearerGood)
	if a.StatusCode != 429 || a.Header.Get("Retry-After") != "3" || string(a.body) != `{"detail":"Request was throttled. Expected available in 3 seconds.","code":"throttled"}` {
		t.Errorf("%d %s %v", a.StatusCode, a.body, a.Header)
	}
	if n := h.metric("lectern_limited_total", "limit", "playbacks_per_hour"); n != 1 {
		t.Errorf("limited %v times", n)
	}
}

func TestPlaybackMethods(t *testing.T) {
	h := newFixture(t, 10, nil)
	if a := h.do("GET", playbackPath, bearerGood); a.StatusCode != 405 || a.Header.Get("Allow") != "POST, OPTIONS" || string(a.body) != `{"detail":"Method \"GET\" not allowed."}` {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := h.do("OPTIONS", playbackPath); a.StatusCode != 204 {
		t.Errorf("%d", a.StatusCode)
	}
}

// TestPlaybackWithoutCaptions: the database is away, access is still known.
func TestPlaybackWithoutCaptions(t *testing.T) {
	h := newFixture(t, 10, func(_ *Config, h *fixture) {
		h.tracks = func(context.Context, int64) ([]media.Caption, error) {
			return nil, media.Fault(media.Unavailable, "catalog", nil)
		}
	})
	if a := h.do("POST", playbackPath, bearerGood); a.StatusCode != 201 || !strings.Contains(string(a.body), `"captions":[]`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// TestDirectStart checks which streams count as starts, and when the count is undone.
func TestDirectStart(t *testing.T) {
	for _, c := range []struct {
		name            string
		method          string
		headers         []string
		change          func(*fixture)
		status          int
		counted, undone int64
	}{
		{"a stream", "GET", nil, nil, 200, 1, 0},
		{"a range", "GET", []string{"Range: bytes=5-"}, nil, 206, 1, 0},
		{"HEAD", "HEAD", nil, nil, 200, 0, 0},
		{"with a playback token", "GET", nil, func(h *fixture) {
			h.authenticate = func(context.Context, media.Token) (media.Viewer, error) {
				return media.Viewer{User: media.User{ID: 42, Active: true}, Playback: 7}, nil
			}
		}, 200, 0, 0},
		{"no access", "GET", nil, func(h *fixture) {
			h.authorize = func(context.Context, media.Viewer, int64) (media.Recording, error) {
				return media.Recording{}, media.Refuse(media.CodeNoAccess, "no")
			}
		}, 403, 0, 0},
		{"beyond the end", "GET", []string{"Range: bytes=99-"}, nil, 416, 1, 1},
		{"a condition fails", "GET", []string{`If-Match: "other"`}, nil, 412, 1, 1},
		{"the origin is away", "GET", nil, func(h *fixture) {
			h.stat = func(context.Context, media.Location) (media.Object, error) {
				return media.Object{}, media.Fault(media.Unavailable, "origin", nil)
			}
		}, 503, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var counted, undone atomic.Int64
			h := newFixture(t, 10, func(_ *Config, h *fixture) {
				h.count = func(_ context.Context, user, recording int64, direct bool) (func(), error) {
					if counted.Add(1); user != 42 || recording != 7 || !direct {
						t.Errorf("user %d, recording %d, direct %v", user, recording, direct)
					}
					return func() { undone.Add(1) }, nil
				}
				if c.change != nil {
					c.change(h)
				}
			})
			a := h.do(c.method, streamPath, append(c.headers, bearerGood)...)
			if a.StatusCode != c.status || counted.Load() != c.counted || undone.Load() != c.undone {
				t.Errorf("%d, %d counted, %d taken back", a.StatusCode, counted.Load(), undone.Load())
			}
		})
	}
}

func TestDirectStartThrottled(t *testing.T) {
	h := newFixture(t, 10, func(_ *Config, h *fixture) {
		h.count = func(context.Context, int64, int64, bool) (func(), error) {
			return nil, &media.Refusal{Code: media.CodeThrottled, Detail: "Request was throttled. Expected available in 1800 seconds.", RetryAfter: 30 * time.Minute}
		}
	})
	a := h.get("Range: bytes=99-")
	if a.StatusCode != 429 || a.Header.Get("Retry-After") != "1800" || string(a.body) != `{"detail":"Request was throttled. Expected available in 1800 seconds.","code":"throttled"}` {
		t.Errorf("%d %s %v", a.StatusCode, a.body, a.Header)
	}
}

// TestStartIsCountedWhileTheOriginIsRead: the commit that counts a start costs a first
// byte nothing while the origin has not answered.
func TestStartIsCountedWhileTheOriginIsRead(t *testing.T) {
	h := newFixture(t, 1000, func(_ *Config, h *fixture) {
		opened, open := make(chan struct{}), h.open
		h.open = func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
			close(opened)
			return open(ctx, obj, span)
		}
		h.count = func(ctx context.Context, _, _ int64, _ bool) (func(), error) {
			select {
			case <-opened:
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	})
	if a := h.get("Range: bytes=0-99"); a.StatusCode != 206 || !bytes.Equal(a.body, h.content[:100]) {
		t.Errorf("%d with %d bytes", a.StatusCode, len(a.body))
	}
}
