// Package oidc emulates a provider of OpenID Connect that approves everybody, and lies on
// request. It speaks the code flow with PKCE, and is strict about what clients send.
package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The client that the provider knows.
const (
	ClientID     = "lectern"
	ClientSecret = "a client's secret"
)

// Faults are the lies of a provider. The zero value tells the truth.
type Faults struct {
	// Claims replace those of the ID token; nil leaves a claim out.
	Claims map[string]any
	// Alg signs the ID token: none, or HS256 with the client's secret; "" is ES256.
	Alg string
	// RotateKey makes a new key before the ID token is signed, UnknownKey signs with one that
	// is not published.
	RotateKey, UnknownKey bool
	// NoIDToken leaves the ID token out.
	NoIDToken bool
	// CodesCountTwice accepts a code again.
	CodesCountTwice bool
	// Issuer is what discovery calls the provider; "" is its address.
	Issuer string
	// Status answers the requests of a path with a status and nothing else.
	Status map[string]int
	// UserInfo is what the UserInfo endpoint says; nil: there is no such endpoint.
	UserInfo map[string]any
}

// grant is what a code stands for.
type grant struct{ nonce, challenge, redirectURI string }

// Provider is a running provider. Its methods may be called from any goroutine.
type Provider struct {
	// URL is the issuer.
	URL    string
	server *httptest.Server
	now    func() time.Time

	mu     sync.Mutex // guards what follows
	faults Faults
	key    *ecdsa.PrivateKey
	keyID  int
	grants map[string]grant
}

// Start starts a provider on a loopback address; Close ends it.
func Start(now func() time.Time) *Provider {
	p := &Provider{now: now, grants: map[string]grant{}}
	p.rotate()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /userinfo", p.userInfo)
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if status := p.faults.Status[r.URL.Path]; status != 0 {
			w.WriteHeader(status)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	p.URL = p.server.URL
	return p
}

// Close ends the provider; its address then refuses connections.
func (p *Provider) Close() { p.server.Close() }

// Lie replaces the faults.
func (p *Provider) Lie(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
}

// rotate makes a new key; the old one is not published any more.
func (p *Provider) rotate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("BUG: no key: " + err.Error())
	}
	p.key, p.keyID = key, p.keyID+1
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	d := map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
		"response_types_supported":              []string{"code"}, "subject_types_supported": []string{"public"},
	}
	if p.faults.Issuer != "" {
		d["issuer"] = p.faults.Issuer
	}
	if p.faults.UserInfo != nil {
		d["userinfo_endpoint"] = p.URL + "/userinfo"
	}
	write(w, http.StatusOK, d)
}

// authorize approves: the browser goes back with a code.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" ||
		len(q.Get("code_challenge")) != 43 || q.Get("nonce") == "" || q.Get("state") == "" {
		http.Error(w, "not the request of the code flow with PKCE", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.grants[code] = grant{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token exchanges a code (RFC 6749 section 4.1.3).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if secret, err := url.QueryUnescape(secret); !basic || err != nil || id != ClientID || secret != ClientSecret {
		write(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	code := r.PostFormValue("code")
	g, ok := p.grants[code]
	if !p.faults.CodesCountTwice {
		delete(p.grants, code)
	}
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || g.redirectURI != r.PostFormValue("redirect_uri") {
		write(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	answer := map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 60}
	if !p.faults.NoIDToken {
		answer["id_token"] = p.idToken(g)
	}
	write(w, http.StatusOK, answer)
}

func (p *Provider) idToken(g grant) string {
	claims := jwt.MapClaims{
		"iss": p.URL, "aud": ClientID, "sub": "person", "nonce": g.nonce,
		"iat": p.now().Unix(), "exp": p.now().Add(time.Minute * 5).Unix(),
	}
	for name, value := range p.faults.Claims {
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
	}
	if p.faults.RotateKey {
		p.rotate()
	}
	method, key := jwt.SigningMethod(jwt.SigningMethodES256), any(p.key)
	switch p.faults.Alg {
	case "none":
		method, key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
	case "HS256":
		method, key = jwt.SigningMethodHS256, []byte(ClientSecret)
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = strconv.Itoa(p.keyID)
	if p.faults.UnknownKey {
		p.rotate()
		key = p.key
		p.rotate()
	}
	text, err := token.SignedString(key)
	if err != nil {
		panic("BUG: an ID token that cannot be signed: " + err.Error())
	}
	return text
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	public, err := p.key.PublicKey.Bytes()
	if err != nil {
		panic("BUG: a key without bytes: " + err.Error())
	}
	encode := base64.RawURLEncoding.EncodeToString // the point is 4, x and y
	write(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": strconv.Itoa(p.keyID), "x": encode(public[1:33]), "y": encode(public[33:]),
	}}})
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer access" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	write(w, http.StatusOK, maps.Clone(p.faults.UserInfo))
}
