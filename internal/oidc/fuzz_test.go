package oidc

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// answerer answers each request with one document.
type answerer struct{ body string }

func (a answerer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

// FuzzDiscovery: no document of a provider makes a browser or a code go to another issuer's
// document, or over a connection that somebody can listen to.
func FuzzDiscovery(f *testing.F) {
	const issuer = "https://id.example"
	for _, seed := range []string{
		`{"issuer":"https://id.example","authorization_endpoint":"https://id.example/auth","token_endpoint":"https://id.example/token","jwks_uri":"https://id.example/jwks","userinfo_endpoint":"http://id.example/me","token_endpoint_auth_methods_supported":["client_secret_post"]}`,
		`{"issuer":"https://evil.example","authorization_endpoint":"https://id.example/auth","token_endpoint":"https://id.example/token","jwks_uri":"https://id.example/jwks"}`,
		`{"issuer":"https://id.example","authorization_endpoint":"http://127.0.0.1.evil.example/","token_endpoint":"javascript:1","jwks_uri":"//x"}`,
		`{"issuer":"https://id.example","authorization_endpoint":"http://[::1]:1/","token_endpoint":"http://localhost/","jwks_uri":"http://127.9.9.9/"}`,
		`{"issuer":"https://id.example","authorization_endpoint":"https://id.example/auth","token_endpoint":"https://id.example/token","jwks_uri":"http://id.example/jwks"}`,
		`[]`, `{"issuer":"https://id.example"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		d := discovery{issuer: issuer, client: &http.Client{Transport: answerer{document}}, now: time.Now}
		found, err := d.get()
		if err != nil {
			if found != nil {
				t.Fatalf("%+v with %v", found, err)
			}
			return
		}
		for _, address := range []string{found.oauth.AuthURL, found.oauth.TokenURL, found.published.KeySet, found.userinfo} {
			if address == "" && address == found.userinfo {
				continue
			}
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			host, _ := netip.ParseAddr(u.Hostname())
			if u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && !host.IsLoopback()) || u.Hostname() == "" {
				t.Fatalf("%q is an endpoint", address)
			}
		}
	})
}

// FuzzClaims: a claim is the member of exactly its name. Another member whose name differs in
// its letters' case, which encoding/json would take for it, is somebody else's.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"a","email":"a@school.example","email_verified":true,"azp":"lectern","nbf":1.5}`, `{"email":"a@school.example","Email":"b@school.example"}`, `{"EMAIL_VERIFIED":true}`,
		`{"email_verified":"true"}`, `{"email_verified":"True"}`, `{"email_verified":null}`, `{"email_verified":1}`, `{"sub":7}`, `{"nbf":"x"}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var got claims
		if json.Unmarshal(document, &got) != nil {
			return
		}
		var exact map[string]any
		if json.Unmarshal(document, &exact) != nil {
			t.Fatalf("%s is taken for claims", document)
		}
		text := func(name string) string { s, _ := exact[name].(string); return s }
		number, _ := exact["nbf"].(float64)
		verified := exact["email_verified"] == true || exact["email_verified"] == "true"
		if got.Subject != text("sub") || got.Email != text("email") || got.Party != text("azp") || got.NotBefore != number || got.EmailVerified.value != verified {
			t.Fatalf("%s became %+v", document, got)
		}
	})
}

// FuzzAllows: an address is of an allowed domain when it ends with an @ and the domain, in
// ASCII letters of either case.
func FuzzAllows(f *testing.F) {
	for _, seed := range []string{"a@school.example", "a@SCHOOL.EXAMPLE", "a@evil.school.example", "a@\u017fchool.example", "@school.example", "a@b@school.example", "a@school.example."} {
		f.Add(seed)
	}
	c := Config{AllowedDomains: []string{"School.example"}}
	f.Fuzz(func(t *testing.T, email string) {
		const suffix = "@school.example"
		want := len(email) > len(suffix)
		for i := range suffix {
			at := len(email) - len(suffix) + i
			want = want && (email[at] == suffix[i] || email[at] >= 'A' && email[at] <= 'Z' && email[at]+'a'-'A' == suffix[i])
		}
		if c.allows(email) != want {
			t.Fatalf("%q: %v", email, !want)
		}
	})
}
