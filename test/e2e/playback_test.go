package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// playbackFixture is a standalone catalog with one student, one teacher and two
// recordings in a local folder, on a database that several gateways may share.
type playbackFixture struct {
	env   []string
	store *catalog.Store // this process's own connection to the database
	video []byte
}

const (
	pupil, tutor  = "1", "2"
	classStream   = "/api/recordings/1/stream/"
	classPlayback = "/api/recordings/1/playback/"
)

const classCatalog = `
people:
  - {email: pupil@school.test, role: student}
  - {email: tutor@school.test, role: teacher}
groups:
  - {name: Class, teacher: tutor@school.test, students: [pupil@school.test]}
lessons:
  - {title: One, group: Class, teacher: tutor@school.test, start: 2026-11-16T10:00:00Z, end: 2026-11-16T11:00:00Z, record: true}
  - {title: Two, group: Class, teacher: tutor@school.test, start: 2026-11-17T10:00:00Z, end: 2026-11-17T11:00:00Z, record: true}
recordings:
  - {lesson: One, title: One, status: ready, visibility: lesson_group, provider: local, key: one.mp4, duration: 5400}
  - {lesson: Two, title: Two, status: ready, visibility: lesson_group, provider: local, key: two.mp4, duration: 60}
`

// newClassroom fills the database that direct leads to; gateways use url.
func newPlaybackFixture(t *testing.T, direct, url string) *playbackFixture {
	t.Helper()
	dir := t.TempDir()
	c := &playbackFixture{video: bytes.Repeat([]byte("0123456789abcdef"), 1<<20)}
	for _, name := range []string{"one.mp4", "two.mp4"} {
		if err := os.WriteFile(filepath.Join(dir, name), c.video, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if direct == "" {
		direct = "sqlite://" + filepath.Join(dir, "lectern.db")
		url = direct
	}
	c.env = []string{"LECTERN_DATABASE_URL=" + url, "LECTERN_ORIGIN_LOCAL_ROOT=" + dir, "LECTERN_AUTH_JWT_SECRET=" + secret}
	c.store = openCatalog(t, direct)
	if _, err := schema.Up(t.Context(), c.store); err != nil {
		t.Fatal(err)
	}
	if _, err := document.Apply(t.Context(), c.store, strings.NewReader(classCatalog), false); err != nil {
		t.Fatal(err)
	}
	return c
}

func openCatalog(t *testing.T, url string) *catalog.Store {
	t.Helper()
	store, err := catalog.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// change runs a statement as another program would.
func (c *playbackFixture) change(t *testing.T, statement string) {
	t.Helper()
	err := c.store.Update(context.WithoutCancel(t.Context()), "test", func(x catalog.Session) error {
		_, err := x.Exec(t.Context(), statement)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// serve starts a gateway with a data directory of its own.
func (c *playbackFixture) serve(t *testing.T, env ...string) *gateway {
	t.Helper()
	return serve(t, append(append([]string{"LECTERN_DATA_DIR=" + t.TempDir(), "LECTERN_CACHE_MIN_FREE=0"}, c.env...), env...)...)
}

// grant is what playback/ answers.
type grant struct {
	URL         string
	Token       string
	ExpiresAt   time.Time `json:"expires_at"`
	WatchURL    string    `json:"watch_url"`
	ContentType string    `json:"content_type"`
	Size        int64
	Captions    []struct{ Label, Lang, URL string }
	cookie      *http.Cookie
}

func post(t *testing.T, url, bearer string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

func requestGrant(t *testing.T, url, bearer string) grant {
	t.Helper()
	res, body := post(t, url, bearer)
	var g grant
	if err := json.Unmarshal(body, &g); res.StatusCode != http.StatusCreated || err != nil || len(res.Cookies()) != 1 {
		t.Fatalf("%s %s %v", res.Status, body, err)
	}
	g.cookie = res.Cookies()[0]
	return g
}

// TestPlayback goes the way of a <video>: a grant by header, bytes by the cookie
// or the link, captions by their links; and nothing else opens.
func TestPlayback(t *testing.T) {
	t.Parallel()
	c := newPlaybackFixture(t, "", "")
	c.change(t, `INSERT INTO lectern.lectern_captions (recording_id, lang, label, body, updated_at) VALUES (1, 'ru', 'Русский', 'WEBVTT', '2026-11-20T10:00:00Z')`)
	g := c.serve(t, "LECTERN_AUTH_QUERY_TOKENS=playback")
	access := token(t, "--user", pupil)
	p := requestGrant(t, g.url+classPlayback, access)
	if p.URL != g.url+classStream || p.WatchURL != g.url+"/watch/1" || p.Size != int64(len(c.video)) || p.ContentType != "video/mp4" {
		t.Errorf("%+v", p)
	}
	if life := time.Until(p.ExpiresAt); life < 179*time.Minute || life > 180*time.Minute {
		t.Errorf("a grant for 90 minutes lives %v", life)
	}
	if p.cookie.Path != strings.TrimSuffix(classStream, "stream/") || !p.cookie.HttpOnly || p.cookie.SameSite != http.SameSiteLaxMode || p.cookie.Secure || p.cookie.Value != p.Token {
		t.Errorf("%+v", p.cookie)
	}
	other := requestGrant(t, g.url+"/api/recordings/2/playback/", access)
	if life := time.Until(other.ExpiresAt); life < 119*time.Minute || life > 120*time.Minute {
		t.Errorf("a grant for a minute lives %v", life)
	}
	ask := func(url string, change func(*http.Request)) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Range", "bytes=16-31")
		if change != nil {
			change(req)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	bearer := func(tok string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tok) }
	}
	cookie := func(p grant) func(*http.Request) {
		return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "lectern_playback", Value: p.Token}) }
	}
	for _, q := range []struct {
		what   string
		url    string
		change func(*http.Request)
		status int
		part   string
	}{
		{"by the cookie", p.URL, cookie(p), 206, "0123456789abcdef"},
		{"by the link", p.URL + "?token=" + p.Token, nil, 206, "0123456789abcdef"},
		{"by the header", p.URL, bearer(p.Token), 206, "0123456789abcdef"},
		{"under the other base", g.url + "/schedule/api/recordings/1/stream/?token=" + p.Token, nil, 206, "0123456789abcdef"},
		{"another recording's", p.URL, cookie(other), 403, `"code":"wrong_recording"`},
		{"an access token in the link", p.URL + "?token=" + access, nil, 401, `"code":"token_not_valid"`},
		{"an access token in the header", p.URL, bearer(access), 206, "0123456789abcdef"},
		{"captions", p.Captions[0].URL, nil, 200, "WEBVTT"},
		{"captions of another", strings.Replace(p.Captions[0].URL, "/1/", "/2/", 1), nil, 403, `"code":"wrong_recording"`},
		{"the list", g.url + "/api/recordings/", bearer(p.Token), 401, `"code":"token_not_valid"`},
		{"the detail", g.url + "/api/recordings/1/", bearer(p.Token), 401, `"code":"token_not_valid"`},
	} {
		if status, body := ask(q.url, q.change); status != q.status || !strings.Contains(body, q.part) {
			t.Errorf("%s: %d %.200s, want %d %s", q.what, status, body, q.status, q.part)
		}
	}
	if res, body := post(t, g.url+classPlayback, p.Token); res.StatusCode != 401 || !bytes.Contains(body, []byte(`"code":"token_not_valid"`)) {
		t.Errorf("a grant by a grant: %s %s", res.Status, body)
	}
	_, metrics := get(t, g.admin+"/metrics", "", "")
	for what, text := range map[string]string{"the log": g.stderr.String(), "the metrics": string(metrics)} {
		for _, tok := range []string{access, p.Token, other.Token} {
			if strings.Contains(text, tok) || strings.Contains(text, tok[strings.LastIndexByte(tok, '.')+1:]) {
				t.Errorf("a token is in %s", what)
			}
		}
	}
}

// TestPlaybackKeysRotate: what the old key signed opens the new gateway, and what
// the new one signs opens the old as soon as it knows both.
func TestPlaybackKeysRotate(t *testing.T) {
	t.Parallel()
	c := newPlaybackFixture(t, "", "")
	const oldKey, newKey = "the-old-playback-key-0123456789abcdef", "the-new-playback-key-0123456789abcdef"
	access := token(t, "--user", pupil)
	g := c.serve(t, "LECTERN_AUTH_PLAYBACK_SECRET="+oldKey)
	before := requestGrant(t, g.url+classPlayback, access)
	g.kill()
	g = c.serve(t, "LECTERN_AUTH_PLAYBACK_SECRET="+newKey+","+oldKey)
	after := requestGrant(t, g.url+classPlayback, access)
	for what, p := range map[string]grant{"old": before, "new": after} {
		if res, body := get(t, g.url+classStream, p.Token, "bytes=0-15"); res.StatusCode != 206 {
			t.Errorf("the %s key: %s %s", what, res.Status, body)
		}
	}
	g.kill()
	g = c.serve(t, "LECTERN_AUTH_PLAYBACK_SECRET="+newKey)
	if res, _ := get(t, g.url+classStream, before.Token, "bytes=0-15"); res.StatusCode != 401 {
		t.Errorf("a key that was taken away: %s", res.Status)
	}
	if res, _ := get(t, g.url+classStream, after.Token, "bytes=0-15"); res.StatusCode != 206 {
		t.Errorf("the key that stays: %s", res.Status)
	}
}

// TestPlaybackLimit: two gateways on one PostgreSQL count together.
func TestPlaybackLimit(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	c := newPlaybackFixture(t, database, database)
	one, two := c.serve(t, "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=3"), c.serve(t, "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=3")
	access := token(t, "--user", pupil)
	p := requestGrant(t, one.url+classPlayback, access)
	// None of these is another start: ranges with the grant, a direct stream of
	// what was just granted, HEAD, what is refused.
	for range 5 {
		for _, g := range []*gateway{one, two} {
			for _, q := range []struct {
				url, bearer, byteRange string
				status                 int
			}{
				{classStream, p.Token, "bytes=0-15", 206}, {classStream, access, "bytes=0-15", 206},
				{classStream, access, "bytes=99999999-", 416}, {"/api/recordings/2/stream/", token0, "", 401},
			} {
				if res, body := get(t, g.url+q.url, q.bearer, q.byteRange); res.StatusCode != q.status {
					t.Errorf("%s: %s %.200s, want %d", q.url, res.Status, body, q.status)
				}
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, g.url+"/api/recordings/2/stream/", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+access)
			if res, err := http.DefaultClient.Do(req); err != nil || res.StatusCode != 200 {
				t.Fatalf("HEAD: %v, %v", res, err)
			}
		}
	}
	requestGrant(t, two.url+classPlayback, access)
	if res, _ := get(t, two.url+"/api/recordings/2/stream/", access, "bytes=0-15"); res.StatusCode != 206 {
		t.Errorf("the third start: %s", res.Status)
	}
	for _, g := range []*gateway{one, two} {
		res, body := post(t, g.url+classPlayback, access)
		wait, err := strconv.Atoi(res.Header.Get("Retry-After"))
		want := fmt.Sprintf(`{"detail":"Request was throttled. Expected available in %d seconds.","code":"throttled"}`, wait)
		if res.StatusCode != 429 || err != nil || wait < 3000 || wait > 3600 || string(body) != want {
			t.Errorf("the fourth: %s, Retry-After %d, %s", res.Status, wait, body)
		}
		// What has started goes on, here and on the other gateway.
		for _, url := range []string{classStream, "/api/recordings/2/stream/"} {
			if res, body := get(t, g.url+url, access, "bytes=0-15"); res.StatusCode != 206 {
				t.Errorf("%s goes on: %s %.200s", url, res.Status, body)
			}
		}
		if _, metrics := get(t, g.admin+"/metrics", "", ""); !bytes.Contains(metrics, []byte(`lectern_limited_total{limit="playbacks_per_hour"} 1`)) {
			t.Error("not in the metrics")
		}
	}
	if res, body := post(t, one.url+classPlayback, token(t, "--user", tutor)); res.StatusCode != 201 {
		t.Errorf("somebody else: %s %s", res.Status, body)
	}
}

// token0 is no token.
const token0 = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"

// TestViews: two gateways count each viewer once, and what was counted just before
// a gateway receives SIGTERM is written.
func TestViews(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	c := newPlaybackFixture(t, database, database)
	one, two := c.serve(t), c.serve(t)
	see := func(g *gateway, user string) string {
		t.Helper()
		res, body := post(t, g.url+"/api/recordings/1/view/", token(t, "--user", user))
		if res.StatusCode != 200 {
			t.Fatalf("%s %s", res.Status, body)
		}
		return string(body)
	}
	written := func() (views, touched int64) {
		t.Helper()
		err := c.store.View(t.Context(), "test", func(x catalog.Session) error {
			return x.One(t.Context(), `SELECT views_count, CASE WHEN updated_at = created_at THEN 0 ELSE 1 END FROM public.schedule_lessonrecording WHERE id = 1`, nil, &views, &touched)
		})
		if err != nil {
			t.Fatal(err)
		}
		return views, touched
	}
	if body := see(one, pupil); body != `{"success":true,"views_count":1}` {
		t.Error(body)
	}
	waitFor(t, "the first view", func() bool { n, _ := written(); return n == 1 })
	for _, g := range []*gateway{one, two} { // the pupil again, here and there
		if body := see(g, pupil); body != `{"success":true,"views_count":1}` {
			t.Error(body)
		}
	}
	see(one, tutor)
	see(two, tutor) // neither gateway knows of the other's yet, perhaps
	for _, g := range []*gateway{one, two} {
		g.stop(t, syscall.SIGTERM)
	}
	if n, touched := written(); n != 2 || touched != 0 {
		t.Errorf("%d views of two people, updated_at touched: %d", n, touched)
	}
}
