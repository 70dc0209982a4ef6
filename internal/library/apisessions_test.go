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

// TestCredentialsOfRoutes: which credential opens which route.
func TestCredentialsOfRoutes(t *testing.T) {
	s := onSQLite(t, nil)
	playback, err := s.minter.Playback(5, 6, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	embedded, _, err := s.minter.SessionCode(5, catalogtest.DemoNow.Add(time.Hour))
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
		{"code", "Authorization: Bearer " + embedded, ""},
		{"code in the session's cookie", "Cookie: lectern_session=" + embedded, ""},
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
		{"POST", "/api/recordings/6/view/", []string{"access", "session in its cookie"}, 200},
		// The fixture's origin has no file: 404 is past the route.
		{"POST", "/api/recordings/6/playback/", []string{"access", "session in its cookie"}, 404},
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
