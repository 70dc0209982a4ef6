package library_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
	emulator "github.com/lectiospace/lectern/internal/emulator/oidc"
	"github.com/lectiospace/lectern/internal/oidc"
	"github.com/lectiospace/lectern/internal/proxy"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/signin"
)

// signInSchool is a school whose people sign in at an emulated provider. Its clock can be moved.
type signInSchool struct {
	*school
	provider *emulator.Provider
	ahead    atomic.Int64 // of DemoNow, in ns
	oidc     atomic.Pointer[oidc.Provider]
}

func (s *signInSchool) clock() time.Time {
	return catalogtest.DemoNow.Add(time.Duration(s.ahead.Load()))
}

// currentProvider is the provider as it is configured now.
type currentProvider struct{ s *signInSchool }

func (c currentProvider) Begin(redirectURI string, a oidc.Attempt) (string, error) {
	return c.s.oidc.Load().Begin(redirectURI, a)
}

func (c currentProvider) Finish(ctx context.Context, redirectURI, code string, a oidc.Attempt) (string, error) {
	return c.s.oidc.Load().Finish(ctx, redirectURI, code, a)
}
func (c currentProvider) Issuer() string { return c.s.oidc.Load().Issuer() }

// configure replaces the provider's settings, and forgets what was discovered.
func (s *signInSchool) configure(domains ...string) {
	s.t.Helper()
	p, err := oidc.New(oidc.Config{
		Issuer: s.provider.URL, ClientID: emulator.ClientID, ClientSecret: emulator.ClientSecret, Scopes: "openid email", AllowedDomains: domains,
	}, s.clock)
	if err != nil {
		s.t.Fatal(err)
	}
	s.oidc.Store(p)
}

func openSignInSchool(t *testing.T) *signInSchool {
	s := new(signInSchool)
	var err error
	if s.provider, err = emulator.Start(emulator.Config{Now: s.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.provider.Close)
	s.school = openSchool(t, catalogtest.Databases[0].Open(t), nil, func(school *school, deps *proxy.Deps) {
		school.now, deps.Now = s.clock, s.clock
		school.minter = school.minterAt(s.clock)
		deps.SignIn = &signin.Services{
			Provider: currentProvider{s}, Signer: school.minter,
			Users: school.db.Store, Used: catalog.NewUsedCodes(school.db.Store),
		}
	})
	s.configure()
	s.db.Exec(t, `DROP INDEX accounts_customuser_email_key`) // as a platform's table may be
	for id, email := range map[int]string{
		5: "Ivan@School.example", 14: "ivan@school.example", // 14 is not active
		9: "twin@school.example", 10: "TWIN@school.example", 11: "kim@school.example",
	} {
		s.db.Exec(t, `UPDATE public.accounts_customuser SET email = $1 WHERE id = $2`, email, id)
	}
	return s
}

// redirected is an answer whose redirect was not followed.
func (s *signInSchool) redirected(address, cookie string) answer {
	s.t.Helper()
	if strings.HasPrefix(address, publicURL) {
		address = s.url + strings.TrimPrefix(address, publicURL)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res, string(body)}
}

func cookieOf(a answer, name string) string {
	for _, line := range a.Header.Values("Set-Cookie") {
		if pair, _, _ := strings.Cut(line, ";"); strings.HasPrefix(pair, name+"=") && pair != name+"=" {
			return pair
		}
	}
	return ""
}

// begin goes to the provider, and returns the callback's address and the browser's cookie.
func (s *signInSchool) begin(next string) (callback, cookie string) {
	s.t.Helper()
	begun := s.redirected(s.url+"/signin?next="+url.QueryEscape(next), "")
	if begun.StatusCode != 302 {
		s.t.Fatalf("/signin: %d %s", begun.StatusCode, begun.body)
	}
	back := s.redirected(begun.Header.Get("Location"), "")
	if back.StatusCode != 302 {
		s.t.Fatalf("the provider: %d %s", back.StatusCode, back.body)
	}
	return back.Header.Get("Location"), cookieOf(begun, "lectern_signin")
}

// TestSignIn: who signs in at the provider is signed in here, and comes back to where they were.
func TestSignIn(t *testing.T) {
	s := openSignInSchool(t)
	s.provider.SetFaults(emulator.Faults{Claims: map[string]any{"email": "IVAN@school.example", "email_verified": true}})
	callback, cookie := s.begin("/watch/7?t=5#x")
	if !strings.HasPrefix(callback, publicURL+"/signin/callback?") || cookie == "" {
		t.Fatalf("%s, %s", callback, cookie)
	}
	in := s.redirected(callback, cookie)
	session := cookieOf(in, "lectern_session")
	if in.StatusCode != 303 || in.Header.Get("Location") != "/watch/7?t=5#x" || session == "" || in.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", in.StatusCode, in.Header, in.body)
	}
	set := in.Header.Values("Set-Cookie")
	if want := "lectern_signin=; Max-Age=0; Path=/signin; HttpOnly; SameSite=Lax; Secure"; len(set) != 2 || set[0] != want || !strings.HasSuffix(set[1], "; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax; Secure") {
		t.Errorf("cookies %q", set)
	}
	if who := s.ask(0, "GET", "/session", "", "Cookie: "+session, fromOurPage); who.StatusCode != 200 || !strings.HasPrefix(who.body, `{"user":{"id":5,`) {
		t.Errorf("%d %s", who.StatusCode, who.body)
	}
	// What the browser keeps of a sign-in is no token of any kind.
	seal := strings.TrimPrefix(cookie, "lectern_signin=")
	for _, header := range []string{"Authorization: Bearer " + seal, "Cookie: lectern_session=" + seal} {
		if a := s.ask(0, "GET", "/api/recordings/", "", header, fromOurPage); a.StatusCode != 401 {
			t.Errorf("%s: %d", header, a.StatusCode)
		}
	}
}

// TestSignInsThatAreRefused: what a provider may say that opens nothing, or does after all.
func TestSignInsThatAreRefused(t *testing.T) {
	s := openSignInSchool(t)
	now := catalogtest.DemoNow
	ivan := func(more map[string]any) map[string]any {
		claims := map[string]any{"email": "ivan@school.example", "email_verified": true}
		maps.Copy(claims, more)
		return claims
	}
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	type claims = map[string]any
	for _, c := range []struct {
		name    string
		faults  emulator.Faults
		domains []string
		status  int
	}{
		{"the truth", emulator.Faults{Claims: ivan(nil)}, nil, 303},
		{"the text true", emulator.Faults{Claims: ivan(claims{"email_verified": "true"})}, nil, 303},
		{"an allowed domain", emulator.Faults{Claims: ivan(nil)}, []string{"other.example", "SCHOOL.example"}, 303},
		{"a key that is new", emulator.Faults{Claims: ivan(nil), RotateKey: true}, nil, 303},
		{"several audiences and the right party", emulator.Faults{Claims: ivan(claims{"aud": []string{"other", emulator.ClientID}, "azp": emulator.ClientID})}, nil, 303},
		{"expired within the skew", emulator.Faults{Claims: ivan(claims{"exp": at(-50 * time.Second)})}, nil, 303},
		{"issued ahead within the skew", emulator.Faults{Claims: ivan(claims{"iat": at(50 * time.Second), "nbf": at(50 * time.Second)})}, nil, 303},
		{"the address at UserInfo", emulator.Faults{UserInfo: ivan(claims{"sub": "person"})}, nil, 303},

		{"not verified", emulator.Faults{Claims: ivan(claims{"email_verified": false})}, nil, 403},
		{"the text false", emulator.Faults{Claims: ivan(claims{"email_verified": "false"})}, nil, 403},
		{"verified by a number", emulator.Faults{Claims: ivan(claims{"email_verified": 1})}, nil, 403},
		{"not said whether verified", emulator.Faults{Claims: ivan(claims{"email_verified": nil})}, nil, 403},
		{"not verified, says UserInfo", emulator.Faults{Claims: ivan(claims{"email_verified": nil}), UserInfo: ivan(claims{"sub": "person", "email_verified": false})}, nil, 403},
		{"no address", emulator.Faults{Claims: claims{"email_verified": true}}, nil, 403},
		{"nobody's address", emulator.Faults{Claims: ivan(claims{"email": "nobody@school.example"})}, nil, 403},
		{"the address of two", emulator.Faults{Claims: ivan(claims{"email": "twin@school.example"})}, nil, 403},
		{"a Kelvin sign for a k", emulator.Faults{Claims: ivan(claims{"email": "\u212aim@school.example"})}, nil, 403},
		{"another domain", emulator.Faults{Claims: ivan(nil)}, []string{"other.example", "chool.example"}, 403},

		{"another issuer", emulator.Faults{Claims: ivan(claims{"iss": "https://evil.example"})}, nil, 400},
		{"another audience", emulator.Faults{Claims: ivan(claims{"aud": "other"})}, nil, 400},
		{"several audiences", emulator.Faults{Claims: ivan(claims{"aud": []string{"other", emulator.ClientID}})}, nil, 400},
		{"another party", emulator.Faults{Claims: ivan(claims{"azp": "other"})}, nil, 400},
		{"another nonce", emulator.Faults{Claims: ivan(claims{"nonce": "other"})}, nil, 400},
		{"no nonce", emulator.Faults{Claims: ivan(claims{"nonce": nil})}, nil, 400},
		{"no subject", emulator.Faults{Claims: ivan(claims{"sub": nil})}, nil, 400},
		{"expired", emulator.Faults{Claims: ivan(claims{"exp": at(-61 * time.Second)})}, nil, 400},
		{"no end", emulator.Faults{Claims: ivan(claims{"exp": nil})}, nil, 400},
		{"issued in the future", emulator.Faults{Claims: ivan(claims{"iat": at(2 * time.Minute)})}, nil, 400},
		{"not valid yet", emulator.Faults{Claims: ivan(claims{"nbf": at(2 * time.Minute)})}, nil, 400},
		{"not signed", emulator.Faults{Claims: ivan(nil), Alg: "none"}, nil, 400},
		{"signed with the client's secret", emulator.Faults{Claims: ivan(nil), Alg: "HS256"}, nil, 400},
		{"signed with an unknown key", emulator.Faults{Claims: ivan(nil), UnknownKey: true}, nil, 400},
		{"no ID token", emulator.Faults{NoIDToken: true}, nil, 400},
		{"UserInfo of another", emulator.Faults{UserInfo: ivan(claims{"sub": "other"})}, nil, 400},
		{"a refused code", emulator.Faults{Status: map[string]int{"/token": 400}}, nil, 400},

		{"token endpoint unavailable", emulator.Faults{Status: map[string]int{"/token": 503}}, nil, 502},
		{"keys unavailable", emulator.Faults{Claims: ivan(nil), Status: map[string]int{"/keys": 500}}, nil, 502},
		{"UserInfo unavailable", emulator.Faults{UserInfo: claims{}, Status: map[string]int{"/userinfo": 500}}, nil, 502},
	} {
		s.configure(c.domains...)
		s.provider.SetFaults(c.faults)
		callback, cookie := s.begin("/")
		a := s.redirected(callback, cookie)
		if a.StatusCode != c.status || (cookieOf(a, "lectern_session") != "") != (c.status == 303) {
			t.Errorf("%s: %d %v, want %d", c.name, a.StatusCode, a.Header["Set-Cookie"], c.status)
		}
		if c.status != 303 && (!strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "<h1>")) {
			t.Errorf("%s: no page, but %s", c.name, a.body)
		}
	}
}

// TestForeignCallbacks: a callback counts once, within 10 minutes, and in the browser that began.
func TestForeignCallbacks(t *testing.T) {
	s := openSignInSchool(t)
	s.provider.SetFaults(emulator.Faults{Claims: map[string]any{"email": "ivan@school.example", "email_verified": true}, CodesCountTwice: true})
	callback, cookie := s.begin("/")
	_, another := s.begin("/")
	for _, c := range []struct{ name, address, cookie string }{
		{"no cookie", callback, ""},
		{"another browser's cookie", callback, another},
		{"no cookie of ours", callback, "lectern_signin=x"},
		{"a cookie that was changed", callback, cookie[:len(cookie)-2] + "AA"},
		{"no state", publicURL + "/signin/callback?code=x", cookie},
		{"two states", callback + "&state=x", cookie},
		{"two codes", callback + "&code=x", cookie},
		{"another issuer", strings.Replace(callback, "iss=", "iss=x", 1), cookie},
		{"an error", strings.Replace(callback, "code=", "error=access_denied&x=", 1), cookie},
		{"no code", strings.Replace(callback, "code=", "x=", 1), cookie},
	} {
		if a := s.redirected(c.address, c.cookie); a.StatusCode != 400 || cookieOf(a, "lectern_session") != "" {
			t.Errorf("%s: %d", c.name, a.StatusCode)
		}
	}
	late, lateCookie := s.begin("/")
	s.ahead.Store(int64(9 * time.Minute))
	if a := s.redirected(callback, cookie); a.StatusCode != 303 {
		t.Errorf("after 9 minutes: %d %s", a.StatusCode, a.body)
	}
	// The callback counts as used for as long as its seal opens.
	var until int64
	s.db.One(t, `SELECT expires_ms FROM lectern.lectern_used_codes WHERE id LIKE 'sign-in:%'`, nil, &until)
	if want := catalogtest.DemoNow.Add(10 * time.Minute); until != want.UnixMilli() {
		t.Errorf("used until %v, want %v", time.UnixMilli(until).UTC(), want)
	}
	if a := s.redirected(callback, cookie); a.StatusCode != 400 || cookieOf(a, "lectern_session") != "" {
		t.Errorf("the same callback again: %d", a.StatusCode)
	}
	s.ahead.Store(int64(10 * time.Minute))
	if a := s.redirected(late, lateCookie); a.StatusCode != 400 {
		t.Errorf("after 10 minutes: %d", a.StatusCode)
	}
}

// TestProviderAway: a provider that is down is tried again, and is no error of the gateway.
func TestProviderAway(t *testing.T) {
	s := openSignInSchool(t)
	const discovery = "/.well-known/openid-configuration"
	for name, faults := range map[string]emulator.Faults{
		"unavailable": {Status: map[string]int{discovery: 503}}, "another's document": {Document: map[string]any{"issuer": "https://evil.example"}}, "a redirect": {Status: map[string]int{discovery: 302}},
	} {
		s.configure()
		s.provider.SetFaults(faults)
		if a := s.redirected(s.url+"/signin", ""); a.StatusCode != 502 || !strings.Contains(a.body, "<h1>") {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	s.provider.SetFaults(emulator.Faults{})
	s.ahead.Store(int64(2 * time.Second))
	s.begin("/")
	s.provider.Close()
	s.configure()
	if a := s.redirected(s.url+"/signin", ""); a.StatusCode != 502 {
		t.Errorf("nobody listens: %d", a.StatusCode)
	}
}

// TestSignInOff: without a provider there is no route.
func TestSignInOff(t *testing.T) {
	s := onSQLite(t, nil)
	for _, path := range []string{"/signin", "/signin/callback?code=x&state=y"} {
		if a := s.ask(0, "GET", path, ""); a.StatusCode != 404 {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}

// TestSignInIsOffered: the 401 of a request without a session names the sign-in, other answers do not.
func TestSignInIsOffered(t *testing.T) {
	s := onSQLite(t, func(c *proxy.Config) { c.SignIn = &respond.SignIn{URL: "/signin", Label: "School <1>"} })
	if a := s.ask(0, "GET", "/session", ""); a.StatusCode != 401 || !strings.HasSuffix(a.body, `"sign_in":{"url":"/signin","label":"School <1>"}}`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := s.ask(5, "GET", "/session", ""); a.StatusCode != 200 || strings.Contains(a.body, "sign_in") {
		t.Errorf("signed in: %d %s", a.StatusCode, a.body)
	}
	off := onSQLite(t, nil)
	if a := off.ask(0, "GET", "/session", ""); a.StatusCode != 401 || strings.Contains(a.body, "sign_in") {
		t.Errorf("without a provider: %d %s", a.StatusCode, a.body)
	}
}
