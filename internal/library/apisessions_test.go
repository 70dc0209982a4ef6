package library_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	"github.com/lectiospace/lectern/internal/proxy"
)

const (
	fromOurPage   = "Sec-Fetch-Site: same-origin"
	fromOurOrigin = "Origin: " + publicURL
)

// signIn is the cookie, name and value, of a session that a token begins.
func (s *school) signIn(user int64) string {
	s.t.Helper()
	res := s.ask(user, "POST", "/session", "", fromOurPage)
	cookie, attributes, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	if res.StatusCode != 204 || res.body != "" || attributes != " Max-Age=3600; Path=/; HttpOnly; SameSite=Lax; Secure" || res.Header.Get("Cache-Control") != "no-store" {
		s.t.Fatalf("%d, %q, %q", res.StatusCode, res.body, attributes)
	}
	return cookie
}

// withEmbedding lets a page embed the player.
func withEmbedding(c *proxy.Config) { c.Embed.Origins = []string{"https://lms.example"} }

// TestCredentialsOfRoutes: which credential opens which route.
func TestCredentialsOfRoutes(t *testing.T) {
	s := onSQLite(t, withEmbedding)
	playback, err := s.minter.Playback(5, 6, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	code, _, err := s.minter.SessionCode(5, catalogtest.DemoNow.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	embed, _, err := s.minter.Embed(5, catalogtest.DemoNow.Add(time.Hour), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	access, session := s.token(5), strings.TrimPrefix(s.signIn(5), "lectern_session=")
	credentials := []struct{ name, header, body string }{
		{"access", "Authorization: Bearer " + access, ""},
		{"access in the session's cookie", "Cookie: lectern_session=" + access, ""},
		{"playback", "Authorization: Bearer " + playback, ""},
		{"playback in its cookie", "Cookie: lectern_playback=" + playback, ""},
		{"playback in the session's cookie", "Cookie: lectern_session=" + playback, ""},
		{"session in its cookie", "Cookie: lectern_session=" + session, ""},
		{"session", "Authorization: Bearer " + session, ""},
		{"session in the playback cookie", "Cookie: lectern_playback=" + session, ""},
		{"code", "Authorization: Bearer " + code, ""},
		{"code in the session's cookie", "Cookie: lectern_session=" + code, ""},
		{"embed in its cookie", "Cookie: lectern_embed=" + embed, ""},
		{"embed", "Authorization: Bearer " + embed, ""},
		{"embed in the session's cookie", "Cookie: lectern_session=" + embed, ""},
		{"embed in the playback cookie", "Cookie: lectern_playback=" + embed, ""},
		{"access in the embed cookie", "Cookie: lectern_embed=" + access, ""},
		{"playback in the embed cookie", "Cookie: lectern_embed=" + playback, ""},
		{"session in the embed cookie", "Cookie: lectern_embed=" + session, ""},
		{"code in the embed cookie", "Cookie: lectern_embed=" + code, ""},
	}
	for _, route := range []struct {
		method, path string
		opened       []string
		status       int
	}{
		{"GET", "/api/recordings/", []string{"access", "session in its cookie"}, 200},
		{"GET", "/session", []string{"access", "session in its cookie"}, 200},
		{"GET", "/api/recordings/6/captions/ru.vtt", []string{"access", "playback", "playback in its cookie", "session in its cookie"}, 404},
		{"POST", "/session", []string{"access"}, 204},
		{"POST", "/session/code", []string{"access"}, 201},
		{"POST", "/api/recordings/6/view/", []string{"access", "session in its cookie", "embed in its cookie"}, 200},
		{"GET", "/api/recordings/6/watch-state/", []string{"access", "session in its cookie", "embed in its cookie"}, 200},
		{"GET", "/api/watch-states/?ids=6", []string{"access", "session in its cookie"}, 200},
		{"GET", "/api/recordings/6/", []string{"access", "session in its cookie"}, 200},
		{"GET", "/api/recordings/6/chapters/", []string{"access", "playback", "playback in its cookie", "session in its cookie"}, 200},
		{"GET", "/api/recordings/6/companions/", []string{"access", "playback", "playback in its cookie", "session in its cookie"}, 200},
		{"GET", "/api/recordings/6/poster.jpg", []string{"access", "playback", "playback in its cookie", "session in its cookie"}, 404},
		// The fixture's origin has no file: 404 is past the route.
		{"POST", "/api/recordings/6/playback/", []string{"access", "session in its cookie", "embed in its cookie"}, 404},
		{"GET", "/api/recordings/6/stream/", []string{"access", "playback", "playback in its cookie"}, 404},
	} {
		for _, c := range credentials {
			res := s.ask(0, route.method, route.path, c.body, c.header, fromOurPage)
			want := 401
			for _, name := range route.opened {
				if name == c.name {
					want = route.status
				}
			}
			if res.StatusCode != want {
				t.Errorf("%s %s with %s: %d %s, want %d", route.method, route.path, c.name, res.StatusCode, res.body, want)
			}
		}
	}
}

// TestCSRF: a session counts for what pages of ours request, and for nobody else's.
func TestCSRF(t *testing.T) {
	s := onSQLite(t, nil)
	cookie, bearer := "Cookie: "+s.signIn(5), "Authorization: Bearer "+s.token(5)
	const foreign = "https://evil.example"
	for _, c := range []struct {
		get, post string // status and code
		headers   []string
	}{
		{"200", "200", []string{fromOurPage}},
		{"200", "200", []string{fromOurOrigin}},
		{"200", "200", []string{"Sec-Fetch-Site: none", fromOurOrigin}},
		{"200", "403 csrf", nil},
		{"200", "403 csrf", []string{"Sec-Fetch-Site: none"}},
		{"401", "403 csrf", []string{"Origin: " + foreign}},
		{"401", "403 csrf", []string{"Origin: null"}},
		{"401", "403 csrf", []string{"Origin: " + publicURL + ".evil.example"}},
		{"401", "403 csrf", []string{"Origin: http://lms.example.test"}},
		{"401", "401", []string{"Sec-Fetch-Site: cross-site"}},
		{"401", "401", []string{"Sec-Fetch-Site: same-site", fromOurOrigin}},
		{"401", "401", []string{"Sec-Fetch-Site: SAME-ORIGIN"}},
	} {
		for method, want := range map[string]string{"GET": c.get, "POST": c.post} {
			path := "/api/recordings/"
			if method == "POST" {
				path = "/api/recordings/6/view/"
			}
			if got := outcomeOf(s.ask(0, method, path, "", append(c.headers, cookie)...)); got != want {
				t.Errorf("%s from %q: %s, want %s", method, c.headers, got, want)
			}
			if got := outcomeOf(s.ask(0, method, path, "", append(c.headers, bearer)...)); got != "200" {
				t.Errorf("%s with a token in the header from %q: %s", method, c.headers, got)
			}
		}
		// Signing in and out need a page of ours, whatever the credential.
		want := "204"
		if c.post != "200" {
			want = "403 csrf"
		}
		for _, r := range [][2]string{{"POST", bearer}, {"DELETE", cookie}} {
			if got := outcomeOf(s.ask(0, r[0], "/session", "", append(c.headers, r[1])...)); got != want {
				t.Errorf("%s /session from %q: %s, want %s", r[0], c.headers, got, want)
			}
		}
	}
	if got := outcomeOf(s.ask(0, "GET", "/api/recordings/", "", cookie, "Authorization: Bearer x", fromOurPage)); got != "401 token_not_valid" {
		t.Errorf("a bad token beside a session: %s", got)
	}
}

// outcomeOf is a status and, where the body has one, a code.
func outcomeOf(a answer) string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &p)
	return strings.TrimSpace(fmt.Sprint(a.StatusCode, " ", p.Code))
}

func TestSessionCodes(t *testing.T) {
	s := onSQLite(t, nil)
	made := s.ask(5, "POST", "/session/code", "")
	var code struct {
		Code      string `json:"code"`
		ExpiresAt string `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(made.body), &code); err != nil || made.StatusCode != 201 || code.ExpiresAt != catalogtest.DemoNow.Add(time.Minute).UTC().Format(time.RFC3339) {
		t.Fatalf("%d %s, %v", made.StatusCode, made.body, err)
	}
	body := fmt.Sprintf(`{"code":%q}`, code.Code)
	if got := outcomeOf(s.ask(0, "POST", "/session", body)); got != "403 csrf" {
		t.Errorf("from nowhere: %s", got)
	}
	res := s.ask(0, "POST", "/session", body, fromOurOrigin, "Expect: 100-continue")
	cookie, attributes, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	if res.StatusCode != 204 || !strings.HasPrefix(attributes, " Max-Age=3600;") {
		t.Fatalf("%d %s %s", res.StatusCode, res.body, attributes)
	}
	who := s.ask(0, "GET", "/session", "", "Cookie: "+cookie)
	if want := `{"user":{"id":5,"name":"`; who.StatusCode != 200 || !strings.HasPrefix(who.body, want) || !strings.Contains(who.body, `"role":"student"},"expires_at":"`) {
		t.Errorf("%d %s", who.StatusCode, who.body)
	}
	// A cookie of a playback that is not good any more does not hide the session.
	if got := outcomeOf(s.ask(0, "GET", "/api/recordings/6/captions/ru.vtt", "", "Cookie: lectern_playback=old; "+cookie)); got != "404 not_found" {
		t.Errorf("captions beside an old playback: %s", got)
	}
	for body, want := range map[string]string{
		body:                   "401 code_not_valid", // used
		`{"code":"x"}`:         "401 code_not_valid",
		`{"code":""}`:          "401 not_authenticated",
		`null`:                 "400 bad_request",
		`{"code":5}`:           "400 bad_request",
		`{"code":"x`:           "400 bad_request",
		`[]`:                   "400 bad_request",
		`{"something":"else"}`: "401 not_authenticated",
		``:                     "401 not_authenticated",
	} {
		if got := outcomeOf(s.ask(0, "POST", "/session", body, fromOurPage)); got != want {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
	gone := s.ask(0, "DELETE", "/session", "", "Cookie: "+cookie, fromOurPage)
	if gone.StatusCode != 204 || gone.Header.Get("Set-Cookie") != "lectern_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure" {
		t.Errorf("sign-out: %d %q", gone.StatusCode, gone.Header.Get("Set-Cookie"))
	}
	played := s.ask(0, "DELETE", "/session", `{"recordings":[7]}`, "Cookie: "+cookie, fromOurPage)
	if got := played.Header.Values("Set-Cookie"); len(got) != 2 || got[1] != "lectern_playback=; Max-Age=0; Path=/api/recordings/7/; HttpOnly; SameSite=Lax; Secure" {
		t.Errorf("sign-out after a lesson: %q", got)
	}
	for _, body := range []string{"[7]", `{"recordings":7}`, "x", `{"recordings":[` + strings.Repeat("1,", 100) + "1]}"} {
		if got := outcomeOf(s.ask(0, "DELETE", "/session", body, fromOurPage)); got != "400 bad_request" {
			t.Errorf("sign-out with %.20s: %s", body, got)
		}
	}
	if got := outcomeOf(s.ask(0, "DELETE", "/session", "")); got != "204" {
		t.Errorf("sign-out without a session: %s", got)
	}
}

// TestSessionBesideAnotherUsersPlayback: whatever a page loads of a recording is for the user who
// is signed in, and not for another one whose playback left a cookie.
func TestSessionBesideAnotherUsersPlayback(t *testing.T) {
	s := onSQLite(t, nil)
	const member, stranger = 5, 9
	for _, c := range []struct {
		session, playback int64
		want              string // 404 is past the access rule
	}{
		{member, stranger, "404 not_found"},
		{stranger, member, "403 no_access"},
	} {
		playback, err := s.minter.Playback(c.playback, 6, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		cookies := "Cookie: lectern_playback=" + playback + "; " + s.signIn(c.session)
		for _, path := range []string{"captions/ru.vtt", "poster.jpg"} {
			if got := outcomeOf(s.ask(0, "GET", "/api/recordings/6/"+path, "", cookies, fromOurPage)); got != c.want {
				t.Errorf("%s, session of %d and playback of %d: %s, want %s", path, c.session, c.playback, got, c.want)
			}
		}
	}
}

// TestForgedCodesAreLimited: a client that guesses codes gets 429, as with tokens.
func TestForgedCodesAreLimited(t *testing.T) {
	s := onSQLite(t, nil)
	for range 200 {
		if got := outcomeOf(s.ask(0, "POST", "/session", `{"code":"guess"}`, fromOurPage)); got == "429 throttled" {
			return
		}
	}
	t.Error("200 guesses are answered")
}

// TestOtherSessionOfABusyUser: a session that is not looked at, since its user sends too many
// requests, may go on, and is not replaced.
func TestOtherSessionOfABusyUser(t *testing.T) {
	s := onSQLite(t, func(c *proxy.Config) { c.Limit.APIRate = 1 })
	cookie := "Cookie: " + s.signIn(5)
	for i := 0; s.ask(0, "GET", "/session", "", cookie).StatusCode != 429; i++ {
		if i == 10 {
			t.Fatal("the user is not limited")
		}
	}
	res := s.ask(9, "POST", "/session", `{"replace":false}`, cookie, fromOurPage)
	if got := outcomeOf(res); got != "429 throttled" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("%s, cookie %q", got, res.Header.Get("Set-Cookie"))
	}
}

// TestOtherSession: a page that says so replaces nobody's session, and spends no code on it.
func TestOtherSession(t *testing.T) {
	s := onSQLite(t, nil)
	cookie := "Cookie: " + s.signIn(5)
	code, _, err := s.minter.SessionCode(9, catalogtest.DemoNow.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	ended, _, err := s.minter.Session(5, catalogtest.DemoNow.Add(-time.Minute), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	withCode := func(more string) string { return fmt.Sprintf(`{"code":%q%s}`, code, more) }
	own, another := "Authorization: Bearer "+s.token(5), "Authorization: Bearer "+s.token(9)
	for _, c := range []struct {
		what, want, body string
		headers          []string
	}{
		{"own token", "204", `{"replace":false}`, []string{cookie, own}},
		{"another's token", "409 other_session", `{"replace":false}`, []string{cookie, another}},
		{"another's token, agreed", "204", `{"replace":true}`, []string{cookie, another}},
		{"another's token, nothing said", "204", "", []string{cookie, another}},
		{"another's code", "409 other_session", withCode(`,"replace":false`), []string{cookie}},
		{"another's code after a session that has ended", "204", withCode(`,"replace":false`), []string{"Cookie: lectern_session=" + ended}},
		{"the code again", "401 code_not_valid", withCode(""), nil},
	} {
		if got := outcomeOf(s.ask(0, "POST", "/session", c.body, append(c.headers, fromOurPage)...)); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

// TestEmbeddedPlayer begins with a code and nothing else, beside every session.
func TestEmbeddedPlayer(t *testing.T) {
	s := onSQLite(t, withEmbedding)
	made := func() string {
		code, _, err := s.minter.SessionCode(5, catalogtest.DemoNow.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	begin := func(body string, headers ...string) answer { return s.ask(0, "POST", "/session", body, headers...) }
	body := fmt.Sprintf(`{"code":%q,"embed":true}`, made())
	if got := outcomeOf(begin(body, "Sec-Fetch-Site: cross-site")); got != "403 csrf" {
		t.Errorf("from the page around: %s", got)
	}
	others := s.signIn(9)
	res := begin(strings.Replace(body, "}", `,"replace":false}`, 1), fromOurPage, "Cookie: "+others)
	cookie, attributes, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	if res.StatusCode != 204 || !strings.HasPrefix(cookie, "lectern_embed=") || attributes != " Max-Age=3600; Path=/; HttpOnly; SameSite=None; Secure; Partitioned" {
		t.Fatalf("%d %s, %q", res.StatusCode, res.body, res.Header.Values("Set-Cookie"))
	}
	for _, c := range []struct{ what, want, method, body, headers string }{
		{"the code again", "401 code_not_valid", "POST /session", body, ""},
		{"without a code", "400 bad_request", "POST /session", `{"embed":true}`, ""},
		{"with a token instead", "400 bad_request", "POST /session", `{"embed":true}`, "Authorization: Bearer " + s.token(5)},
		{"its cookie begins nothing", "401 not_authenticated", "POST /session", `{}`, ""},
	} {
		method, path, _ := strings.Cut(c.method, " ")
		headers := []string{fromOurPage, "Cookie: " + cookie}
		if c.headers != "" {
			headers = append(headers, c.headers)
		}
		if got := outcomeOf(s.ask(0, method, path, c.body, headers...)); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}

	// The rules for requests of other sites' pages are those of a session.
	const state = "/api/recordings/6/watch-state/"
	for _, c := range []struct{ method, want, from string }{
		{"GET", "200", fromOurPage}, {"GET", "200", "Sec-Fetch-Site: none"}, {"GET", "401", "Sec-Fetch-Site: cross-site"}, {"GET", "401", "Origin: https://lms.example"},
		{"PUT", "204", fromOurPage}, {"PUT", "204", fromOurOrigin}, {"PUT", "403 csrf", "Sec-Fetch-Site: none"}, {"PUT", "401", "Sec-Fetch-Site: cross-site"},
		{"PUT", "401", "Sec-Fetch-Site: same-site"}, {"PUT", "403 csrf", "Origin: https://lms.example"},
	} {
		sent := ""
		if c.method == "PUT" {
			sent = `{"position":1,"played":[[0,1]]}`
		}
		if got := outcomeOf(s.ask(0, c.method, state, sent, c.from, "Cookie: "+cookie)); got != c.want {
			t.Errorf("%s from %q: %s, want %s", c.method, c.from, got, c.want)
		}
	}

	// A session of somebody else, which frames of the same site have, too, counts in the pages
	// and not in the frame.
	both := "Cookie: " + others + "; " + cookie
	if got := outcomeOf(s.ask(0, "GET", state, "", both, fromOurPage)); got != "403" {
		t.Errorf("in a page: %s", got)
	}
	if got := outcomeOf(s.ask(0, "GET", state, "", both, fromOurPage, "Lectern-Player: embed")); got != "200" {
		t.Errorf("in a frame: %s", got)
	}
	if got := outcomeOf(s.ask(0, "GET", state, "", "Cookie: "+others, fromOurPage, "Lectern-Player: embed")); got != "401" {
		t.Errorf("in a frame without its cookie: %s", got)
	}
}

// TestNoEmbedding: where no page may embed the player there is no cookie for one, and the code
// stays good.
func TestNoEmbedding(t *testing.T) {
	s := onSQLite(t, nil)
	code, _, err := s.minter.SessionCode(5, catalogtest.DemoNow.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	res := s.ask(0, "POST", "/session", fmt.Sprintf(`{"code":%q,"embed":true}`, code), fromOurPage)
	if got := outcomeOf(res); got != "404 not_found" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("%s, cookie %q", got, res.Header.Get("Set-Cookie"))
	}
	if got := outcomeOf(s.ask(0, "POST", "/session", fmt.Sprintf(`{"code":%q}`, code), fromOurPage)); got != "204" {
		t.Errorf("a session with the code: %s", got)
	}
}
