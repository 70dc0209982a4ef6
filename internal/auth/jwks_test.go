package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lectiospace/lectern/internal/media"
)

// keyServer publishes a document that tests change, and counts requests.
type keyServer struct {
	*httptest.Server
	mu       sync.Mutex
	document string
	status   int
	asked    int
	gate     chan struct{} // while not nil, answers wait for it to be closed
}

func newKeyServer(t testing.TB, document string) *keyServer {
	s := &keyServer{document: document, status: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked++
		gate := s.gate
		s.mu.Unlock()
		if gate != nil {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		w.WriteHeader(s.status)
		_, _ = w.Write([]byte(s.document))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) set(status int, document string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.document = status, document
}

func (s *keyServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// testKeys are made once: RSA keys are slow to come by.
var testKeys = sync.OnceValue(func() (k struct {
	rsa, rsaOther, rsaWeak *rsa.PrivateKey
	ec, ecOther, ec384     *ecdsa.PrivateKey
	ed, edNew, edOther     ed25519.PrivateKey
}) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.rsaOther, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.rsaWeak, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.ecOther, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.ec384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, k.edNew, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	_, k.edOther, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
})

// jwk writes a public key by hand, so that the reader is not tested with itself.
func jwk(kid string, key crypto.Signer, more string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	id := ""
	if kid != "" {
		id = `,"kid":"` + kid + `"`
	}
	switch k := public(key).(type) {
	case *rsa.PublicKey:
		return `{"kty":"RSA","n":"` + b64(k.N.Bytes()) + `","e":"` + b64(big.NewInt(int64(k.E)).Bytes()) + `"` + id + more + `}`
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		half := (len(point) - 1) / 2
		return `{"kty":"EC","crv":"` + k.Params().Name + `","x":"` + b64(point[1:1+half]) + `","y":"` + b64(point[1+half:]) + `"` + id + more + `}`
	case ed25519.PublicKey:
		return `{"kty":"OKP","crv":"Ed25519","x":"` + b64(k) + `"` + id + more + `}`
	}
	panic("BUG: no such key")
}

func jwksOf(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// by signs good access claims with a private key under a kid.
func by(kid string, key crypto.Signer) string {
	method, alg := jwt.SigningMethod(jwt.SigningMethodRS256), "RS256"
	switch key.(type) {
	case *ecdsa.PrivateKey:
		method, alg = jwt.SigningMethodES256, "ES256"
	case ed25519.PrivateKey:
		method, alg = jwt.SigningMethodEdDSA, "EdDSA"
	}
	header := map[string]any{"alg": alg, "typ": "JWT"}
	if kid != "" {
		header["kid"] = kid
	}
	return signed(method, key, header, access(nil))
}

// startVerifier runs one against a key server, with the waits a test can bear.
func startVerifier(t testing.TB, cfg Config, pause time.Duration) *Verifier {
	t.Helper()
	if cfg.PlaybackSecret == "" {
		cfg.PlaybackSecret = playOne
	}
	v, err := NewVerifier(cfg, quiet(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	v.now, v.jwks.minInterval, v.jwks.retry = atNoon, pause, time.Hour
	v.Start(t.Context())
	t.Cleanup(v.Stop)
	return v
}

func TestJWKS(t *testing.T) {
	k := testKeys()
	server := newKeyServer(t, jwksOf(
		jwk("rsa", k.rsa, `,"use":"sig","alg":"RS256"`), jwk("ec", k.ec, ``), jwk("ed", k.ed, `,"alg":"EdDSA"`), jwk("ed9864", k.edNew, `,"use":"sig","alg":"Ed25519"`),
		jwk("enc", k.rsaOther, `,"use":"enc"`), jwk("ps", k.rsaOther, `,"alg":"PS256"`), jwk("weak", k.rsaWeak, ``), jwk("p384", k.ec384, ``),
		jwk("rsa", k.rsaOther, ``), // the kid is taken
		`{"kty":"oct","kid":"oct","k":"`+base64.RawURLEncoding.EncodeToString([]byte(testSecret))+`"}`,
		`{"kty":"EC","kid":"half","crv":"P-256","x":"AA"}`, `{"kty":"new","kid":"new"}`, `5`, `null`,
	))
	der, err := x509.MarshalPKIXPublicKey(public(k.rsa))
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	withSecret := func(kid string, key []byte) string {
		return signed(jwt.SigningMethodHS256, key, map[string]any{"alg": "HS256", "kid": kid}, access(nil))
	}
	claims := func(edits map[string]any) string {
		return signed(jwt.SigningMethodEdDSA, k.ed, `{"alg":"EdDSA","kid":"ed"}`, access(edits))
	}
	cases := []struct {
		name, token string
		alone, both string // without and with a JWT secret beside the JWKS
	}{
		{"RS256", by("rsa", k.rsa), "ok", "ok"},
		{"ES256", by("ec", k.ec), "ok", "ok"},
		{"EdDSA", by("ed", k.ed), "ok", "ok"},
		{"RS256 without kid, as simplejwt", by("", k.rsa), "ok", "ok"},
		{"ES256 without kid", by("", k.ec), "ok", "ok"},
		{"EdDSA without kid", by("", k.ed), "ok", "ok"},
		{"Ed25519 (RFC 9864) by a key of alg EdDSA", signed(jwt.SigningMethodEdDSA, k.ed, `{"alg":"Ed25519","kid":"ed"}`, access(nil)), "ok", "ok"},
		{"EdDSA by a key of alg Ed25519", by("ed9864", k.edNew), "ok", "ok"},
		{"Ed25519 by a key of alg Ed25519", signed(jwt.SigningMethodEdDSA, k.edNew, `{"alg":"Ed25519","kid":"ed9864"}`, access(nil)), "ok", "ok"},
		{"Ed25519 without kid", signed(jwt.SigningMethodEdDSA, k.ed, `{"alg":"Ed25519"}`, access(nil)), "ok", "ok"},
		{"Ed25519 by another key", signed(jwt.SigningMethodEdDSA, k.edOther, `{"alg":"Ed25519","kid":"ed"}`, access(nil)), isInvalid, isInvalid},
		{"Ed25519 by a key of another kind", signed(jwt.SigningMethodEdDSA, k.ed, `{"alg":"Ed25519","kid":"ec"}`, access(nil)), isInvalid, isInvalid},
		{"HS256", hs256(access(nil)), isInvalid, "ok"},
		{"another RSA key under the kid", by("rsa", k.rsaOther), isInvalid, isInvalid},
		{"another EC key under the kid", by("ec", k.ecOther), isInvalid, isInvalid},
		{"another Ed25519 key under the kid", by("ed", k.edOther), isInvalid, isInvalid},
		{"another key without kid", by("", k.edOther), isInvalid, isInvalid},
		{"kid of another kind of key", by("ec", k.rsa), isInvalid, isInvalid},
		{"unknown kid", by("who", k.rsa), isInvalid, isInvalid},
		{"key for encryption", by("enc", k.rsaOther), isInvalid, isInvalid},
		{"key for encryption, no kid", by("", k.rsaOther), isInvalid, isInvalid},
		{"key for another algorithm", by("ps", k.rsaOther), isInvalid, isInvalid},
		{"key too weak", by("weak", k.rsaWeak), isInvalid, isInvalid},
		{"another curve", signed(jwt.SigningMethodES384, k.ec384, `{"alg":"ES384","kid":"p384"}`, access(nil)), isInvalid, isInvalid},
		{"PS256", signed(jwt.SigningMethodPS256, k.rsa, `{"alg":"PS256","kid":"rsa"}`, access(nil)), isInvalid, isInvalid},
		{"RS512", signed(jwt.SigningMethodRS512, k.rsa, `{"alg":"RS512","kid":"rsa"}`, access(nil)), isInvalid, isInvalid},
		{"published symmetric key", withSecret("oct", []byte(testSecret)), isInvalid, "ok"}, // the kid does not matter to a secret
		{"public key as secret, PEM", withSecret("rsa", asPEM), isInvalid, isInvalid},
		{"public key as secret, DER", withSecret("rsa", der), isInvalid, isInvalid},
		{"public key as secret, modulus", withSecret("rsa", k.rsa.N.Bytes()), isInvalid, isInvalid},
		{"empty secret", withSecret("rsa", []byte{}), isInvalid, isInvalid},
		{"alg none", signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, `{"alg":"none","kid":"rsa"}`, access(nil)), isInvalid, isInvalid},
		{"refresh token", claims(map[string]any{"token_type": "refresh"}), isWrong, isWrong},
		{"expired", claims(map[string]any{"exp": noon.Unix()}), isExpired, isExpired},
		{"playback token", withKey(playOne, playback(nil)), "ok", "ok"},
		{"playback claims signed by the platform", signed(jwt.SigningMethodEdDSA, k.ed, `{"alg":"EdDSA","kid":"ed"}`, playback(nil)), isInvalid, isInvalid},
	}
	alone := startVerifier(t, Config{JWKSURL: server.URL}, time.Hour)
	both := startVerifier(t, Config{JWKSURL: server.URL, JWTSecret: testSecret}, time.Hour)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := alone.Verify(t.Context(), c.token); outcome(err) != c.alone {
				t.Errorf("JWKS alone: got %q, want %q", outcome(err), c.alone)
			}
			if _, err := both.Verify(t.Context(), c.token); outcome(err) != c.both {
				t.Errorf("JWKS and secret: got %q, want %q", outcome(err), c.both)
			}
		})
	}
	if n := server.count(); n != 2 {
		t.Errorf("%d fetches of 2 verifiers: a made-up kid within the pause must not fetch", n)
	}
}

// TestJWKSRotation: a token with a new kid fetches the set, once for all callers meanwhile.
func TestJWKSRotation(t *testing.T) {
	k := testKeys()
	server := newKeyServer(t, jwksOf(jwk("one", k.ec, "")))
	v := startVerifier(t, Config{JWKSURL: server.URL}, 0)
	if _, err := v.Verify(t.Context(), by("one", k.ec)); err != nil {
		t.Fatal(err)
	}
	if got := v.jwks.generation(); got != 1 {
		t.Fatalf("generation %d", got)
	}

	server.set(http.StatusOK, jwksOf(jwk("two", k.ed, "")))
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := v.Verify(t.Context(), by("two", k.ed)); err != nil {
				t.Errorf("new key: %v", err)
			}
		})
	}
	group.Wait()
	if n := server.count(); n > 21 || n < 2 {
		t.Errorf("%d fetches", n)
	}
	if got := v.jwks.generation(); got != 2 {
		t.Errorf("generation %d", got)
	}
	if _, err := v.Verify(t.Context(), by("one", k.ec)); outcome(err) != isInvalid {
		t.Errorf("withdrawn key: %v", err)
	}
	if got := v.jwks.generation(); got != 2 {
		t.Errorf("the same document made generation %d", got)
	}
}

// TestJWKSRefresh: RefreshKeys fetches at once, so that a withdrawn key ends; a failed
// fetch keeps the keys.
func TestJWKSRefresh(t *testing.T) {
	k := testKeys()
	server := newKeyServer(t, jwksOf(jwk("one", k.ec, ""), jwk("two", k.ed, "")))
	v := startVerifier(t, Config{JWKSURL: server.URL}, time.Hour)
	verify := func() string {
		_, err := v.Verify(t.Context(), by("one", k.ec))
		return outcome(err)
	}
	if got := verify(); got != "ok" {
		t.Fatal(got)
	}
	server.set(http.StatusServiceUnavailable, "")
	v.RefreshKeys()
	eventually(t, "the fetch that fails", func() bool { return server.count() >= 2 })
	if got := verify(); got != "ok" {
		t.Errorf("after a failed fetch: %s", got)
	}
	server.set(http.StatusOK, jwksOf(jwk("two", k.ed, "")))
	v.RefreshKeys()
	eventually(t, "the end of a withdrawn key", func() bool { return verify() != "ok" })
	if got := verify(); got != isInvalid {
		t.Errorf("by a withdrawn key: %s", got)
	}
	without, err := NewVerifier(Config{JWTSecret: testSecret}, quiet(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	without.RefreshKeys() // nothing to do
}

// eventually waits until ok, for a minute at the most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s within a minute", what)
		}
	}
}

// TestJWKSUnknownKidIsRateLimited: a flood of made-up kids makes one fetch a pause.
func TestJWKSUnknownKidIsRateLimited(t *testing.T) {
	k := testKeys()
	server := newKeyServer(t, jwksOf(jwk("one", k.ec, "")))
	v := startVerifier(t, Config{JWKSURL: server.URL}, time.Hour)
	now := time.Now()
	v.jwks.mu.Lock()
	v.jwks.now = func() time.Time { return now }
	v.jwks.mu.Unlock()
	flood := func() {
		for range 50 {
			if _, err := v.Verify(t.Context(), by("made-up", k.ed)); outcome(err) != isInvalid {
				t.Fatalf("made-up kid: %v", err)
			}
		}
	}
	flood()
	if n := server.count(); n != 1 {
		t.Errorf("%d fetches within the first pause", n)
	}
	now = now.Add(time.Hour)
	flood()
	if n := server.count(); n != 2 {
		t.Errorf("%d fetches within the second pause", n)
	}
}

// TestJWKSDownAtStart: the gateway starts, says 503 to tokens it cannot judge,
// judges those it can, and finds the keys when they come.
func TestJWKSDownAtStart(t *testing.T) {
	k := testKeys()
	server := newKeyServer(t, "out of order")
	server.set(http.StatusInternalServerError, "out of order")
	v := startVerifier(t, Config{JWKSURL: server.URL, JWTSecret: testSecret}, 0)

	_, err := v.Verify(t.Context(), by("one", k.ec))
	if media.RefusalOf(err) != nil || media.KindOf(err) != media.Unavailable || media.RetryAfterOf(err) <= 0 {
		t.Fatalf("without keys: %v", err)
	}
	if _, err := v.Verify(t.Context(), hs256(access(nil))); err != nil {
		t.Errorf("the secret does not need them: %v", err)
	}
	if _, err := v.Verify(t.Context(), "a.b.c"); outcome(err) != isInvalid {
		t.Errorf("what is no token is no token: %v", err)
	}
	server.set(http.StatusOK, jwksOf(jwk("one", k.ec, "")))
	if _, err := v.Verify(t.Context(), by("one", k.ec)); err != nil {
		t.Fatalf("with keys: %v", err)
	}
	for _, broken := range []string{"out of order", `{}`, `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `[]`, jwksOf(jwk("other", k.ec, "")) + strings.Repeat(" ", jwksMaxBytes)} {
		server.set(http.StatusOK, broken)
		if _, err := v.Verify(t.Context(), by("other", k.ec)); outcome(err) != isInvalid {
			t.Errorf("unknown kid: %v", err)
		}
		if _, err := v.Verify(t.Context(), by("one", k.ec)); err != nil {
			t.Errorf("a broken answer must not take known keys away: %v", err)
		}
	}
}

// TestJWKSWaitEnds: a wait for keys ends when the caller hangs up, and when the
// verifier stops.
func TestJWKSWaitEnds(t *testing.T) {
	k := testKeys()
	server := newKeyServer(t, jwksOf(jwk("one", k.ec, "")))
	gate := make(chan struct{})
	defer close(gate)
	server.gate = gate
	v := startVerifier(t, Config{JWKSURL: server.URL}, time.Hour)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(ctx, by("one", k.ec)); media.KindOf(err) != media.Canceled {
		t.Errorf("hung up: %v", err)
	}
	answer := make(chan error)
	go func() {
		_, err := v.Verify(context.Background(), by("one", k.ec))
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Fatalf("answered while the keys are on their way: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	v.Stop()
	if err := <-answer; media.KindOf(err) != media.Unavailable {
		t.Errorf("stopped: %v", err)
	}
	v.Stop()
	v.jwks.minInterval = 0
	if _, err := v.Verify(t.Context(), by("one", k.ec)); media.KindOf(err) != media.Unavailable {
		t.Errorf("after Stop: %v", err)
	}
}

// TestJWKSStops: Stop ends what Start began, without the end of Start's context.
func TestJWKSStops(t *testing.T) {
	server := newKeyServer(t, jwksOf(jwk("one", testKeys().ec, "")))
	v, err := NewVerifier(Config{JWKSURL: server.URL, JWTSecret: testSecret}, quiet(), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	v.Start(context.Background()) // one that outlives the test, as main's does
	v.Stop()                      // goleak finds what is left
}

// TestUnknownAlgorithm: no key is looked up for an algorithm that has none.
func TestUnknownAlgorithm(t *testing.T) {
	server := newKeyServer(t, jwksOf(jwk("one", testKeys().ec, "")))
	v := startVerifier(t, Config{JWKSURL: server.URL, JWTSecret: testSecret}, 0)
	token := signed(jwt.SigningMethodHS384, []byte(testSecret), `{"alg":"HS384","kid":"one"}`, access(nil))
	if _, err := v.Verify(t.Context(), token); outcome(err) != isInvalid || !media.RefusalOf(err).Forged {
		t.Errorf("%v", err)
	}
}

// TestKeysWithoutKid: each of them verifies tokens without one, and a symmetric key is none.
func TestKeysWithoutKid(t *testing.T) {
	k := testKeys()
	const symmetric = `{"kty":"oct","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}`
	set, err := parseKeySet([]byte(jwksOf(jwk("", k.ec, ""), jwk("", k.ecOther, ""), symmetric, jwk("two", k.ed, ""), jwk("two", k.edNew, ""))))
	if err != nil {
		t.Fatal(err)
	}
	if set.skipped != 2 || len(set.kids) != 1 {
		t.Errorf("%d keys are skipped, kids %v", set.skipped, set.kids)
	}
	for _, key := range []crypto.Signer{k.ec, k.ecOther} {
		parsed, _ := parseCompact(by("", key))
		if !set.verify(jwt.SigningMethodES256, parsed) {
			t.Error("a key without a kid does not verify")
		}
	}
	if _, err := parseKeySet([]byte(jwksOf(symmetric))); err == nil {
		t.Error("a symmetric key is published, and taken")
	}
}

// TestJWKSNotStarted: without Start no look-up waits for a refresh.
func TestJWKSNotStarted(t *testing.T) {
	k := testKeys()
	v, err := NewVerifier(Config{JWKSURL: "http://192.0.2.1/keys", PlaybackSecret: playOne}, quiet(), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), by("one", k.ec)); media.KindOf(err) != media.Unavailable {
		t.Errorf("got %v", err)
	}
	v.Stop()
}

// TestJWKSLogTellsNoURL: paths and queries of key URLs can be capabilities, and
// user names and passwords stand in URLs too.
func TestJWKSLogTellsNoURL(t *testing.T) {
	k := testKeys()
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	broken := newKeyServer(t, "{")
	redirecting := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/s3cret?s3cret", http.StatusFound))
	defer redirecting.Close()
	for _, base := range []string{down.URL, broken.URL, redirecting.URL} {
		out := &announced{first: make(chan struct{})}
		address := strings.Replace(base, "http://", "http://user:s3cret@", 1) + "/s3cret/keys?token=s3cret"
		v, err := NewVerifier(Config{JWKSURL: address, PlaybackSecret: playOne}, slog.New(slog.NewJSONHandler(out, nil)), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		v.Start(t.Context())
		_, err = v.Verify(t.Context(), by("one", k.ec))
		select { // the line comes after the answer, and Stop would be before it
		case <-out.first:
		case <-time.After(10 * time.Second):
		}
		v.Stop()
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("error: %v", err)
		}
		if text := out.String(); !strings.Contains(text, "could not be fetched") || strings.Contains(text, "s3cret") {
			t.Errorf("log: %s", text)
		}
	}
}

// announced is a log that says when its first line is there.
type announced struct {
	bytes.Buffer
	once  sync.Once
	first chan struct{}
}

func (a *announced) Write(p []byte) (int, error) {
	n, err := a.Buffer.Write(p)
	a.once.Do(func() { close(a.first) })
	return n, err
}

// TestJWKSRetries: a failing start is tried again without anybody asking.
func TestJWKSRetries(t *testing.T) {
	k := testKeys()
	server := newKeyServer(t, "")
	server.set(http.StatusServiceUnavailable, "")
	v, err := NewVerifier(Config{JWKSURL: server.URL, PlaybackSecret: playOne}, quiet(), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	v.jwks.retry, v.jwks.minInterval = 5*time.Millisecond, time.Hour
	v.Start(t.Context())
	defer v.Stop()
	if _, err := v.Verify(t.Context(), by("one", k.ec)); media.KindOf(err) != media.Unavailable {
		t.Fatalf("got %v", err)
	}
	server.set(http.StatusOK, jwksOf(jwk("one", k.ec, "")))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err = v.Verify(t.Context(), by("one", k.ec)); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Fatalf("never tried again: %v", err)
	}
}

// TestParseKeySet: documents without a usable key are refused as a whole.
func TestParseKeySet(t *testing.T) {
	k := testKeys()
	cases := []struct {
		name, document string
		ok             bool
	}{
		{"RSA", jwksOf(jwk("a", k.rsa, "")), true},
		{"Ed25519 without kid", jwksOf(jwk("", k.ed, "")), true},
		{"unknown members", `{"note":1,"keys":[` + jwk("a", k.ec, `,"note":{}`) + `]}`, true},
		{"P-384", jwksOf(jwk("a", k.ec384, "")), false},
		{"RSA of 1024 bits", jwksOf(jwk("a", k.rsaWeak, "")), false},
		{"for encryption", jwksOf(jwk("a", k.rsa, `,"use":"enc"`)), false},
		{"for another algorithm", jwksOf(jwk("a", k.ec, `,"alg":"ES512"`)), false},
		{"no keys", `{"keys":[]}`, false},
		{"keys an object", `{"keys":{}}`, false},
		{"null", `null`, false},
		{"a page", `<html>`, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parseKeySet([]byte(c.document)); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestJWKSWaitersAreFew sends more tokens of unknown kids than may wait for a key server
// that does not answer. Those beyond are refused at once; the others wait.
func TestJWKSWaitersAreFew(t *testing.T) {
	server := newKeyServer(t, `{"keys":[]}`)
	server.gate = make(chan struct{})
	j := newJWKS(server.URL, slog.New(slog.DiscardHandler), time.Now)
	j.start(context.Background())
	defer j.stop()
	const beyond = 10
	refused := make(chan error, jwksMaxWaiting+beyond)
	var lookups sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range jwksMaxWaiting + beyond {
		lookups.Go(func() {
			_, err := j.lookup(ctx, "made-up")
			refused <- err
		})
	}
	for range beyond {
		select {
		case err := <-refused:
			if media.KindOf(err) != media.Unavailable || media.RetryAfterOf(err) != jwksTimeout || !strings.Contains(err.Error(), "auth: wait for keys") {
				t.Errorf("refused with %v, to be repeated in %v", err, media.RetryAfterOf(err))
			}
		case <-time.After(10 * time.Second):
			t.Fatal("more look-ups wait than may")
		}
	}
	if n := j.waiting.Load(); n != jwksMaxWaiting {
		t.Errorf("%d look-ups wait, want %d", n, jwksMaxWaiting)
	}
	cancel()
	lookups.Wait()
	if n := j.waiting.Load(); n != 0 {
		t.Errorf("%d look-ups still count as waiting", n)
	}
}
