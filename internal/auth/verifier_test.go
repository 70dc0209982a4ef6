package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

func TestVerifyClaims(t *testing.T) {
	cases := []struct {
		name   string
		cfg    Config
		claims any
		want   string
	}{
		{"as simplejwt writes it", Config{}, access(nil), "ok"},
		{"user id a number, as before 5.5.1", Config{}, access(map[string]any{"user_id": 7}), "ok"},
		{"platform login's extra claims", Config{}, access(map[string]any{"role": "admin", "is_superuser": true, "email": "a@b"}), "ok"},
		{"refresh token", Config{}, access(map[string]any{"token_type": "refresh"}), isWrong},
		{"sliding token", Config{}, access(map[string]any{"token_type": "sliding"}), isWrong},
		{"no token type", Config{}, access(map[string]any{"token_type": nil}), isWrong},
		{"token type in capitals", Config{}, access(map[string]any{"token_type": "Access"}), isWrong},
		{"token type a list", Config{}, access(map[string]any{"token_type": []string{"access"}}), isWrong},
		{"no jti", Config{}, access(map[string]any{"jti": nil}), isInvalid},
		{"empty jti", Config{}, access(map[string]any{"jti": ""}), isInvalid},
		{"jti a number", Config{}, access(map[string]any{"jti": 5}), isInvalid},
		{"no exp", Config{}, access(map[string]any{"exp": nil}), isInvalid},
		{"exp null", Config{}, strings.Replace(inJSON(access(map[string]any{"exp": "X"})), `"X"`, "null", 1), isInvalid},
		{"exp a string", Config{}, access(map[string]any{"exp": "1795435200"}), isInvalid},
		{"exp zero", Config{}, access(map[string]any{"exp": 0}), isExpired},
		{"exp negative", Config{}, access(map[string]any{"exp": -1}), isExpired},
		{"exp beyond all dates", Config{}, access(map[string]any{"exp": 1e300}), isInvalid},
		{"exp beyond int64", Config{}, access(map[string]any{"exp": 1e19}), isInvalid},
		{"exp the last of all dates", Config{}, access(map[string]any{"exp": 253402300799}), "ok"},
		{"exp a second later", Config{}, access(map[string]any{"exp": 253402300800}), isInvalid},
		{"exp the last int64", Config{}, access(map[string]any{"exp": 1<<63 - 1}), isInvalid},
		{"exp with a fraction", Config{}, access(map[string]any{"exp": float64(noon.Unix()) + 1.5}), "ok"},
		{"fraction does not help", Config{}, access(map[string]any{"exp": float64(noon.Unix()) + 0.5}), isExpired},
		{"exp is now", Config{}, access(map[string]any{"exp": noon.Unix()}), isExpired},
		{"exp in a second", Config{}, access(map[string]any{"exp": noon.Unix() + 1}), "ok"},
		{"leeway saves", Config{Leeway: 10 * time.Second}, access(map[string]any{"exp": noon.Unix() - 9}), "ok"},
		{"leeway used up", Config{Leeway: 10 * time.Second}, access(map[string]any{"exp": noon.Unix() - 10}), isExpired},
		{"expired refresh token: time comes first", Config{}, access(map[string]any{"exp": noon.Unix() - 1, "token_type": "refresh"}), isExpired},
		{"no iat", Config{}, access(map[string]any{"iat": nil}), "ok"},
		{"iat two seconds ahead", Config{}, access(map[string]any{"iat": noon.Unix() + 2}), "ok"},
		{"iat a minute ahead", Config{}, access(map[string]any{"iat": noon.Unix() + 60}), "ok"},
		{"iat beyond a minute ahead", Config{}, access(map[string]any{"iat": noon.Unix() + 61}), isInvalid},
		{"iat beyond a minute, with a short leeway", Config{Leeway: time.Second}, access(map[string]any{"iat": noon.Unix() + 61}), isInvalid},
		{"iat ahead within a long leeway", Config{Leeway: 90 * time.Second}, access(map[string]any{"iat": noon.Unix() + 90}), "ok"},
		{"iat ahead beyond a long leeway", Config{Leeway: 90 * time.Second}, access(map[string]any{"iat": noon.Unix() + 91}), isInvalid},
		{"iat a string", Config{}, access(map[string]any{"iat": "now"}), isInvalid},
		{"iat ahead and expired", Config{}, access(map[string]any{"iat": noon.Unix() + 9, "exp": 1}), isExpired},
		{"iat beyond a minute ahead and expired", Config{}, access(map[string]any{"iat": noon.Unix() + 61, "exp": 1}), isInvalid},
		{"nbf now", Config{}, access(map[string]any{"nbf": noon.Unix()}), "ok"},
		{"nbf to come", Config{}, access(map[string]any{"nbf": noon.Unix() + 1}), isInvalid},
		{"nbf true", Config{}, access(map[string]any{"nbf": true}), isInvalid},

		{"no user id", Config{}, access(map[string]any{"user_id": nil}), isAnonymous},
		{"user id null", Config{}, strings.Replace(inJSON(access(nil)), `"user_id":"7"`, `"user_id":null`, 1), isInvalid},
		{"no user id in an expired token", Config{}, access(map[string]any{"user_id": nil, "exp": 1}), isExpired},
		{"user id zero", Config{}, access(map[string]any{"user_id": 0}), isInvalid},
		{"user id negative", Config{}, access(map[string]any{"user_id": -7}), isInvalid},
		{"user id negative text", Config{}, access(map[string]any{"user_id": "-7"}), isInvalid},
		{"user id half", Config{}, access(map[string]any{"user_id": 7.5}), isInvalid},
		{"user id in another spelling", Config{}, strings.Replace(inJSON(access(nil)), `"user_id":"7"`, `"user_id":7.0`, 1), isInvalid},
		{"user id exponent", Config{}, strings.Replace(inJSON(access(nil)), `"user_id":"7"`, `"user_id":1e3`, 1), isInvalid},
		{"user id exponent text", Config{}, access(map[string]any{"user_id": "1e3"}), isInvalid},
		{"user id leading zero", Config{}, access(map[string]any{"user_id": "07"}), isInvalid},
		{"user id plus", Config{}, access(map[string]any{"user_id": "+7"}), isInvalid},
		{"user id blank around", Config{}, access(map[string]any{"user_id": " 7"}), isInvalid},
		{"user id other digits", Config{}, access(map[string]any{"user_id": "٧"}), isInvalid},
		{"user id empty", Config{}, access(map[string]any{"user_id": ""}), isInvalid},
		{"user id true", Config{}, access(map[string]any{"user_id": true}), isInvalid},
		{"user id a list", Config{}, access(map[string]any{"user_id": []int{7}}), isInvalid},
		{"user id too large", Config{}, access(map[string]any{"user_id": "9223372036854775808"}), isInvalid},
		{"user id too large number", Config{}, strings.Replace(inJSON(access(nil)), `"user_id":"7"`, `"user_id":9223372036854775808`, 1), isInvalid},

		{"iss not asked for", Config{}, access(map[string]any{"iss": "anyone"}), "ok"},
		{"iss right", Config{Issuer: "me"}, access(map[string]any{"iss": "me"}), "ok"},
		{"iss missing", Config{Issuer: "me"}, access(nil), isInvalid},
		{"iss wrong", Config{Issuer: "me"}, access(map[string]any{"iss": "you"}), isInvalid},
		{"iss a list", Config{Issuer: "me"}, access(map[string]any{"iss": []string{"me"}}), isInvalid},
		{"aud not asked for", Config{}, access(map[string]any{"aud": "anyone"}), "ok"},
		{"aud right", Config{Audience: "me"}, access(map[string]any{"aud": "me"}), "ok"},
		{"aud in a list", Config{Audience: "me"}, access(map[string]any{"aud": []string{"you", "me"}}), "ok"},
		{"aud missing", Config{Audience: "me"}, access(nil), isInvalid},
		{"aud wrong", Config{Audience: "me"}, access(map[string]any{"aud": "you"}), isInvalid},
		{"aud empty list", Config{Audience: "me"}, access(map[string]any{"aud": []string{}}), isInvalid},
		{"aud of mixed kinds", Config{Audience: "me"}, access(map[string]any{"aud": []any{"me", 1}}), isInvalid},
		{"the audience of playback tokens", Config{}, access(map[string]any{"aud": "lectern:playback"}), isInvalid},

		{"claims an array", Config{}, `["access"]`, isInvalid},
		{"claims null", Config{}, `null`, isInvalid},
		{"claims cut off", Config{}, `{"exp":1`, isInvalid},
		{"claims with more behind", Config{}, inJSON(access(nil)) + "{}", isInvalid},
		{"claims with a name twice", Config{}, strings.Replace(inJSON(access(nil)), "{", `{"user_id":"8",`, 1), isInvalid},
		{"claims in other case", Config{}, strings.Replace(inJSON(access(nil)), `"exp"`, `"Exp"`, 1), isInvalid},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.JWTSecret = testSecret
			got, err := newTestVerifier(t, c.cfg).Verify(t.Context(), hs256(c.claims))
			if outcome(err) != c.want {
				t.Fatalf("got %q, want %q", outcome(err), c.want)
			}
			if c.want == "ok" && (got.User != 7 || got.Playback != 0 || got.Expires.Before(noon.Add(-c.cfg.Leeway))) {
				t.Errorf("claims %+v", got)
			}
			if c.want != "ok" && got != (Claims{}) {
				t.Errorf("refused, and yet claims %+v", got)
			}
		})
	}
}

// TestVerifyBytes holds tokens against the verifier that are wrong before their claims matter.
func TestVerifyBytes(t *testing.T) {
	good := hs256(access(nil))
	parts := strings.Split(good, ".")
	header := func(h string) string {
		return signed(jwt.SigningMethodHS256, []byte(testSecret), h, access(nil))
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public(rsaKey))
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})

	cases := []struct {
		name, token, want string
	}{
		{"good", good, "ok"},
		{"no typ", header(`{"alg":"HS256"}`), "ok"},
		{"a kid of another secret is ignored", header(`{"alg":"HS256","kid":"elsewhere"}`), "ok"},
		{"empty", "", isInvalid},
		{"words", "not a token", isInvalid},
		{"two parts", parts[0] + "." + parts[1], isInvalid},
		{"four parts", good + ".x", isInvalid},
		{"five parts, as encrypted ones", "a.b.c.d.e", isInvalid},
		{"dots", "..", isInvalid},
		{"no signature", parts[0] + "." + parts[1] + ".", isInvalid},
		{"no payload", parts[0] + ".." + parts[2], isInvalid},
		{"padding", good + "=", isInvalid},
		{"line end inside", good[:9] + "\n" + good[9:], isInvalid},
		{"line end behind", good + "\n", isInvalid},
		{"line end in the signature", good[:len(good)-5] + "\r\n" + good[len(good)-5:], isInvalid},
		{"blank before", " " + good, isInvalid},
		{"NUL behind", good + "\x00", isInvalid},
		{"standard alphabet", strings.ReplaceAll(good, "_", "/") + "+", isInvalid},
		{"signature cut", good[:len(good)-4], isInvalid},
		{"signature of another key", signed(jwt.SigningMethodHS256, []byte(testSecret+"!"), headerHS256, access(nil)), isInvalid},
		{"signature of another token", parts[0] + "." + strings.Split(hs256(access(map[string]any{"user_id": "8"})), ".")[1] + "." + parts[2], isInvalid},
		{"too long", hs256(access(map[string]any{"pad": strings.Repeat("x", maxTokenBytes)})), isInvalid},
		{"long but allowed", hs256(access(map[string]any{"pad": strings.Repeat("x", 5000)})), "ok"},

		{"alg none", signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, `{"alg":"none"}`, access(nil)), isInvalid},
		{"alg none with a signature", header(`{"alg":"none"}`), isInvalid},
		{"alg None", header(`{"alg":"None"}`), isInvalid},
		{"alg hs256", header(`{"alg":"hs256"}`), isInvalid},
		{"alg HS512", signed(jwt.SigningMethodHS512, []byte(testSecret), `{"alg":"HS512"}`, access(nil)), isInvalid},
		{"alg of another", header(`{"alg":"HS384"}`), isInvalid},
		{"alg RS256 without a JWKS", signed(jwt.SigningMethodRS256, rsaKey, `{"alg":"RS256"}`, access(nil)), isInvalid},
		{"alg says RS256, secret signed", header(`{"alg":"RS256"}`), isInvalid},
		{"public key as secret", signed(jwt.SigningMethodHS256, asPEM, headerHS256, access(nil)), isInvalid},
		{"no alg", header(`{"typ":"JWT"}`), isInvalid},
		{"alg empty", header(`{"alg":""}`), isInvalid},
		{"alg null", header(`{"alg":null}`), isInvalid},
		{"alg a list", header(`{"alg":["HS256"]}`), isInvalid},
		{"alg twice", header(`{"alg":"none","alg":"HS256"}`), isInvalid},
		{"alg in capitals", header(`{"ALG":"HS256"}`), isInvalid},
		{"typ a number", header(`{"alg":"HS256","typ":1}`), isInvalid},
		{"kid a number", header(`{"alg":"HS256","kid":1}`), isInvalid},
		{"kid empty", header(`{"alg":"HS256","kid":""}`), isInvalid},
		{"own key", header(`{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}`), isInvalid},
		{"own key's address", header(`{"alg":"HS256","jku":"https://evil.example/keys"}`), isInvalid},
		{"own certificate's address", header(`{"alg":"HS256","x5u":"https://evil.example/cert"}`), isInvalid},
		{"own certificate", header(`{"alg":"HS256","x5c":["AA"]}`), isInvalid},
		{"an extension that must be understood", header(`{"alg":"HS256","crit":["exp"],"exp":1}`), isInvalid},
		{"payload not encoded", header(`{"alg":"HS256","b64":false}`), isInvalid},
		{"header null", header(`null`), isInvalid},
		{"header an array", header(`["HS256"]`), isInvalid},
		{"header with more behind", header(`{"alg":"HS256"} {}`), isInvalid},
		{"header cut off", header(`{"alg":"HS256"`), isInvalid},
	}
	v := newTestVerifier(t, Config{JWTSecret: testSecret})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), c.token)
			if outcome(err) != c.want {
				t.Fatalf("got %q, want %q", outcome(err), c.want)
			}
			if err != nil && len(c.token) > 3 && strings.Contains(err.Error(), c.token) {
				t.Error("the token stands in the error")
			}
		})
	}
}

// TestRefusalOfTokens holds the whole answer against simplejwt's words.
func TestRefusalOfTokens(t *testing.T) {
	v := newTestVerifier(t, Config{JWTSecret: testSecret})
	_, err := v.Verify(t.Context(), hs256(access(map[string]any{"exp": 1})))
	want := &media.Refusal{
		Code: "token_not_valid", Detail: "Given token not valid for any token type",
		Messages: []media.TokenMessage{{Class: "AccessToken", Type: "access", Message: "Token is expired"}},
	}
	if got := media.RefusalOf(err); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v", got)
	}
}

// TestRefusalsAreNotShared: a caller that adds to a refusal must not add to everybody's.
func TestRefusalsAreNotShared(t *testing.T) {
	v := newTestVerifier(t, Config{JWTSecret: testSecret})
	_, first := v.Verify(t.Context(), "x")
	media.RefusalOf(first).RetryAfter = time.Hour
	media.RefusalOf(first).Messages[0].Message = "changed"
	_, second := v.Verify(t.Context(), "x")
	if r := media.RefusalOf(second); r.RetryAfter != 0 || r.Messages[0].Message != isInvalid {
		t.Fatalf("got %+v", r)
	}
}

func TestConfigCheck(t *testing.T) {
	cases := []struct {
		name string
		cfg  Config
		want string // beginning of the error, "" = none
	}{
		{"secret", Config{JWTSecret: testSecret}, ""},
		{"secret and JWKS", Config{JWTSecret: testSecret, JWKSURL: "https://id.example/jwks"}, ""},
		{"JWKS and playback secret", Config{JWKSURL: "https://id.example/jwks", PlaybackSecret: playOne}, ""},
		{"nothing", Config{}, "auth-jwt-secret: required"},
		{"short secret", Config{JWTSecret: "short"}, "auth-jwt-secret: has 5 bytes"},
		{"JWKS alone", Config{JWKSURL: "https://id.example/jwks"}, "auth-playback-secret: required"},
		{"JWKS not a URL", Config{JWKSURL: "keys.json", PlaybackSecret: playOne}, "auth-jwks-url:"},
		{"JWKS a file", Config{JWKSURL: "file:///keys.json", PlaybackSecret: playOne}, "auth-jwks-url:"},
		{"JWKS of another scheme", Config{JWKSURL: "ftp://id.example/jwks", PlaybackSecret: playOne}, "auth-jwks-url:"},
		{"JWKS without a host", Config{JWKSURL: "https:///jwks", PlaybackSecret: playOne}, "auth-jwks-url:"},
		{"JWKS not to be parsed", Config{JWKSURL: "https://[::1", PlaybackSecret: playOne}, "auth-jwks-url:"},
		{"the shortest secrets", Config{JWTSecret: testSecret[:minSecretBytes], PlaybackSecret: playOne[:minSecretBytes]}, ""},
		{"a secret a byte shorter", Config{JWTSecret: testSecret[:minSecretBytes-1]}, "auth-jwt-secret: has 31 bytes"},
		{"two playback secrets", Config{JWTSecret: testSecret, PlaybackSecret: playOne + ", " + playTwo + "\n"}, ""},
		{"short playback secret", Config{JWTSecret: testSecret, PlaybackSecret: playOne + ",short"}, "auth-playback-secret: key 2 has 5 bytes"},
		{"comma alone", Config{JWKSURL: "https://id.example/jwks", PlaybackSecret: ","}, "auth-playback-secret: key 1 has 0 bytes"},
		{"comma at the end", Config{JWTSecret: testSecret, PlaybackSecret: playOne + ","}, "auth-playback-secret: key 2 has 0 bytes"},
		{"playback secret is the platform's", Config{JWTSecret: testSecret, PlaybackSecret: testSecret}, "auth-playback-secret: key 1 is the JWT secret"},
		{"playback's audience", Config{JWTSecret: testSecret, Audience: "lectern:playback"}, "auth-audience:"},
		{"leeway", Config{JWTSecret: testSecret, Leeway: -1}, "auth-leeway:"},
		{"grace", Config{JWTSecret: testSecret, OutageGrace: -1}, "auth-outage-grace:"},
		{"staleness", Config{JWTSecret: testSecret, MaxStaleness: -1}, "auth-max-staleness:"},
		{"query tokens", Config{JWTSecret: testSecret, QueryTokens: "none"}, "auth-query-tokens:"},
		{"rule", Config{JWTSecret: testSecret, AccessRule: "Strict"}, "auth-access-rule:"},
		{"words", Config{JWTSecret: testSecret, AccessRule: "platform", QueryTokens: "playback"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewVerifier(c.cfg, quiet(), atNoon)
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
				t.Fatalf("got %v, want %q…", err, c.want)
			}
			if checked := c.cfg.Check(); (checked == nil) != (err == nil) {
				t.Errorf("verifier %v, check %v", err, checked)
			}
			if a, authorized := NewAuthorizer(c.cfg, nil, nil, prometheus.NewRegistry(), atNoon); (authorized == nil) != (err == nil) {
				t.Errorf("verifier %v, authorizer %v", err, authorized)
			} else if authorized == nil {
				a.Close()
			}
			if _, minted := NewMinter(c.cfg, atNoon); (minted == nil) != (err == nil) {
				t.Errorf("verifier %v, minter %v", err, minted)
			}
			if err != nil && (strings.Contains(err.Error(), testSecret) || strings.Contains(err.Error(), playOne)) {
				t.Error("a secret stands in the error")
			}
		})
	}
}

// TestSecretsStay: a setting that is wrong changes neither the verifier nor the minter, and
// one that is right makes what is verified from then on current.
func TestSecretsStay(t *testing.T) {
	cfg := Config{JWTSecret: testSecret, PlaybackSecret: playOne + ", " + playTwo + "\n"}
	v, m := newTestVerifier(t, cfg), must2(NewMinter(cfg, atNoon))(t)
	if err := v.SetSecrets(Config{JWTSecret: "short"}); err == nil {
		t.Error("the verifier takes a short secret")
	}
	if err := m.SetSecrets(Config{JWTSecret: "short"}); err == nil {
		t.Error("the minter takes a short secret")
	}
	token := must2(m.Access(7, time.Hour))(t)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("after settings that are wrong: %v", err)
	}
	if _, err := v.Verify(t.Context(), withKey(playTwo, playback(nil))); err != nil {
		t.Errorf("by the second secret: %v", err)
	}
	if err := v.SetSecrets(cfg); err != nil {
		t.Fatal(err)
	}
	if claims, err := v.Verify(t.Context(), token); err != nil || !v.current(claims, noon) {
		t.Errorf("verified with the present secrets, and not current: %v", err)
	}
}

func must2[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestWithoutJWKS: there is nothing to start, to refresh or to stop.
func TestWithoutJWKS(t *testing.T) {
	v := newTestVerifier(t, Config{JWTSecret: testSecret})
	v.Start(t.Context())
	v.RefreshKeys()
	v.Stop()
	if _, err := v.Verify(t.Context(), hs256(access(nil))); err != nil {
		t.Error(err)
	}
}

// TestForged: what nobody we believe has signed may be a guess; what is expired, of
// another kind or badly filled in was signed by one of our keys and is none.
func TestForged(t *testing.T) {
	good := signed(jwt.SigningMethodHS256, []byte(testSecret), headerHS256, access(nil))
	for _, c := range []struct {
		name, token string
		forged      bool
	}{
		{"no token at all", "nonsense", true},
		{"another key", signed(jwt.SigningMethodHS256, []byte("another-secret-0123456789-0123456789"), headerHS256, access(nil)), true},
		{"a changed signature", good[:len(good)-4] + "AAAA", true},
		{"another algorithm", signed(jwt.SigningMethodHS512, []byte(testSecret), map[string]any{"alg": "HS512"}, access(nil)), true},
		{"a playback key of before", withKey("playback-secret-old-0123456789abcdef", playback(nil)), true},
		{"too long", strings.Repeat("a", maxTokenBytes+1), true},
		{"expired", signed(jwt.SigningMethodHS256, []byte(testSecret), headerHS256, access(map[string]any{"exp": 1})), false},
		{"a refresh token", signed(jwt.SigningMethodHS256, []byte(testSecret), headerHS256, access(map[string]any{"token_type": "refresh"})), false},
		{"without a user", signed(jwt.SigningMethodHS256, []byte(testSecret), headerHS256, access(map[string]any{"user_id": nil})), false},
		{"an expired playback token", withKey(playOne, playback(map[string]any{"exp": 1})), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newTestVerifier(t, Config{JWTSecret: testSecret, PlaybackSecret: playOne})
			var err error
			if len(c.token) > maxTokenBytes {
				_, err = (&Authorizer{verifier: v}).verify(t.Context(), c.token)
			} else {
				_, err = v.Verify(t.Context(), c.token)
			}
			if r := media.RefusalOf(err); r == nil || r.Code != media.CodeTokenNotValid || r.Forged != c.forged {
				t.Errorf("%+v", r)
			}
		})
	}
}
