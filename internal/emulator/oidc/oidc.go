// Package oidc emulates a provider of OpenID Connect. It speaks the code flow with PKCE, is
// strict about what clients send, and fails on request. It approves everybody, or has a page on
// which one chooses who to be.
package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The client that the provider knows; the secret is that of a Config without one.
const (
	ClientID     = "lectern"
	ClientSecret = "a client's secret"
)

// Person is somebody who may sign in, with a verified address.
type Person struct{ Name, Email string }

// Config is what a provider knows. The zero value approves everybody.
type Config struct {
	// ClientSecret is that of the client; "" is the constant ClientSecret.
	ClientSecret string
	// People are those who may sign in, by a page that lists them. Where there are none
	// everybody is approved without a page, with the claims of the Faults.
	People []Person
	// RedirectURIs are registered; every one is where there are none.
	RedirectURIs []string
	Now          func() time.Time
}

// Faults are what a provider does wrong. The zero value has none.
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
	// Document replaces what discovery says; nil leaves something out.
	Document map[string]any
	// ErrorPages sends browsers of unknown clients to a page instead of answering 400.
	ErrorPages bool
	// Status answers the requests of a path with a status and nothing else.
	Status map[string]int
	// UserInfo is what the UserInfo endpoint says; nil: there is no such endpoint.
	UserInfo map[string]any
}

// grant is what a code stands for.
type grant struct {
	nonce, challenge, redirectURI string
	person                        *Person // nil: nobody was chosen
}

// Provider is a running provider. Its methods may be called from any goroutine.
type Provider struct {
	// URL is the issuer.
	URL    string
	server *http.Server
	done   chan struct{} // closed when the server has ended

	mu     sync.Mutex // guards what follows
	cfg    Config
	faults Faults
	key    *ecdsa.PrivateKey
	keyID  int
	grants map[string]grant
}

// Start starts a provider on a free port of a loopback address; Close ends it.
func Start(cfg Config) (*Provider, error) {
	if cfg.ClientSecret == "" {
		cfg.ClientSecret = ClientSecret
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Provider{URL: "http://" + listener.Addr().String(), cfg: cfg, grants: map[string]grant{}, done: make(chan struct{})}
	p.rotate()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /userinfo", p.userInfo)
	mux.HandleFunc("GET /error", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, "an error") })
	p.server = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		w.Header().Set("Date", cfg.Now().UTC().Format(http.TimeFormat))
		if status := p.faults.Status[r.URL.Path]; status != 0 {
			w.WriteHeader(status)
			return
		}
		mux.ServeHTTP(w, r)
	})}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(listener) // it ends with Close
	}()
	return p, nil
}

// Close ends the provider; its address then refuses connections. It may be called twice.
func (p *Provider) Close() {
	_ = p.server.Close()
	<-p.done
}

// Register replaces the redirect URIs that the provider knows.
func (p *Provider) Register(redirectURIs ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cfg.RedirectURIs = redirectURIs
}

// SetFaults replaces the faults.
func (p *Provider) SetFaults(f Faults) {
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

// replace puts values into a document; nil takes one out.
func replace(in, values map[string]any) {
	for name, value := range values {
		if value == nil {
			delete(in, name)
		} else {
			in[name] = value
		}
	}
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	d := map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
		"response_types_supported":              []string{"code"}, "subject_types_supported": []string{"public"},
		"code_challenge_methods_supported": []string{"S256"}, "scopes_supported": []string{"openid", "email", "profile"},
	}
	if p.faults.UserInfo != nil {
		d["userinfo_endpoint"] = p.URL + "/userinfo"
	}
	replace(d, p.faults.Document)
	write(w, http.StatusOK, d)
}

// authorize approves: the browser goes back with a code. Where there are people it shows them
// first.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	known := len(p.cfg.RedirectURIs) == 0 || slices.Contains(p.cfg.RedirectURIs, q.Get("redirect_uri"))
	switch {
	case err == nil && known && q.Get("client_id") == ClientID:
	case p.faults.ErrorPages:
		http.Redirect(w, r, "/error?authError=x", http.StatusFound)
		return
	default:
		http.Error(w, "no such client, or not its redirect URI", http.StatusBadRequest)
		return
	}
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" ||
		len(q.Get("code_challenge")) != 43 || q.Get("nonce") == "" || q.Get("state") == "" {
		http.Error(w, "not the request of the code flow with PKCE", http.StatusBadRequest)
		return
	}
	answer := url.Values{"state": {q.Get("state")}, "iss": {p.URL}}
	chosen := slices.IndexFunc(p.cfg.People, func(one Person) bool { return one.Email == q.Get("login_hint") })
	switch {
	case len(p.cfg.People) > 0 && chosen < 0 && q.Get("prompt") == "none":
		answer.Set("error", "login_required")
	case len(p.cfg.People) > 0 && chosen < 0:
		p.choose(w, r.URL)
		return
	default:
		g := grant{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri"), nil}
		if chosen >= 0 {
			g.person = &p.cfg.People[chosen]
		}
		code := rand.Text()
		p.grants[code] = g
		answer.Set("code", code)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// token exchanges a code (RFC 6749 section 4.1.3).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if secret, err := url.QueryUnescape(secret); !basic || err != nil || id != ClientID || secret != p.cfg.ClientSecret {
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
		"iat": p.cfg.Now().Unix(), "exp": p.cfg.Now().Add(time.Minute * 5).Unix(),
	}
	if g.person != nil {
		claims["sub"], claims["email"], claims["email_verified"], claims["name"] = g.person.Email, g.person.Email, true, g.person.Name
	}
	replace(claims, p.faults.Claims)
	if p.faults.RotateKey {
		p.rotate()
	}
	method, key := jwt.SigningMethod(jwt.SigningMethodES256), any(p.key)
	switch p.faults.Alg {
	case "none":
		method, key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
	case "HS256":
		method, key = jwt.SigningMethodHS256, []byte(p.cfg.ClientSecret)
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
	write(w, http.StatusOK, p.faults.UserInfo)
}
