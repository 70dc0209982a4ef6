package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lectiospace/lectern/internal/media"
)

func TestVerifyPlayback(t *testing.T) {
	unnamed := signed(jwt.SigningMethodHS256, []byte(playOne), headerHS256, playback(nil))
	misnamed := signed(jwt.SigningMethodHS256, []byte(testSecret), map[string]any{"alg": "HS256", "kid": newSigningKey("playback", []byte(playOne)).id}, access(nil))
	otherAlg := signed(jwt.SigningMethodHS512, []byte(playOne), map[string]any{"alg": "HS512", "kid": newSigningKey("playback", []byte(playOne)).id}, playback(nil))
	liar := signed(jwt.SigningMethodHS256, []byte(playOne), map[string]any{"alg": "none", "kid": newSigningKey("playback", []byte(playOne)).id}, playback(nil))
	cases := []struct {
		name, token, want string
		recording         int64
	}{
		{"first key", withKey(playOne, playback(nil)), "ok", 3},
		{"second key", withKey(playTwo, playback(nil)), "ok", 3},
		{"a key of before", withKey("playback-secret-old-0123456789abcdef", playback(nil)), isInvalid, 0},
		{"without its kid", unnamed, isInvalid, 0},
		{"kid of ours, signed by the platform", misnamed, isInvalid, 0},
		{"another algorithm", otherAlg, isInvalid, 0},
		{"another algorithm's name", liar, isInvalid, 0},
		{"aud in a list", withKey(playOne, playback(map[string]any{"aud": []string{"lectern:playback"}})), "ok", 3},
		{"aud missing", withKey(playOne, playback(map[string]any{"aud": nil})), isInvalid, 0},
		{"aud of others", withKey(playOne, playback(map[string]any{"aud": "playback"})), isInvalid, 0},
		{"expired", withKey(playOne, playback(map[string]any{"exp": noon.Unix()})), isExpired, 0},
		{"exp missing", withKey(playOne, playback(map[string]any{"exp": nil})), isInvalid, 0},
		{"iat beyond a minute ahead", withKey(playOne, playback(map[string]any{"iat": noon.Unix() + 61})), isInvalid, 0},
		{"jti missing", withKey(playOne, playback(map[string]any{"jti": nil})), isInvalid, 0},
		{"sub missing", withKey(playOne, playback(map[string]any{"sub": nil})), isInvalid, 0},
		{"sub a number", withKey(playOne, playback(map[string]any{"sub": 7})), isInvalid, 0},
		{"sub no id", withKey(playOne, playback(map[string]any{"sub": "x"})), isInvalid, 0},
		{"rid missing", withKey(playOne, playback(map[string]any{"rid": nil})), isInvalid, 0},
		{"rid zero", withKey(playOne, playback(map[string]any{"rid": 0})), isInvalid, 0},
		{"rid a string", withKey(playOne, playback(map[string]any{"rid": "3"})), isInvalid, 0},
		{"an access token with our key", withKey(playOne, access(nil)), isInvalid, 0},
		{"both kinds at once", withKey(playOne, access(playback(nil))), isInvalid, 0},
		{"claims an array", withKey(playOne, `[]`), isInvalid, 0},
		{"access token", hs256(access(nil)), "ok", 0},
		{"playback claims signed by the platform", hs256(playback(nil)), isInvalid, 0},
	}
	v := newTestVerifier(t, Config{JWTSecret: testSecret, PlaybackSecret: playOne + "," + playTwo})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := v.Verify(t.Context(), c.token)
			if outcome(err) != c.want {
				t.Fatalf("got %q, want %q", outcome(err), c.want)
			}
			if c.want == "ok" && (got.User != 7 || got.Playback != c.recording) {
				t.Errorf("claims %+v", got)
			}
		})
	}
}

// TestPlaybackIgnoresPlatformsIssuer: iss and aud of the platform are not asked of our own tokens.
func TestPlaybackIgnoresPlatformsIssuer(t *testing.T) {
	v := newTestVerifier(t, Config{JWTSecret: testSecret, PlaybackSecret: playOne, Issuer: "platform", Audience: "api"})
	if _, err := v.Verify(t.Context(), withKey(playOne, playback(nil))); err != nil {
		t.Fatal(err)
	}
}

// TestPlaybackRotation walks through a change of keys on two gateways.
func TestPlaybackRotation(t *testing.T) {
	with := func(secrets string) Config { return Config{JWTSecret: testSecret, PlaybackSecret: secrets} }
	mint := func(secrets string) string {
		m, err := NewMinter(with(secrets), atNoon)
		if err != nil {
			t.Fatal(err)
		}
		token, err := m.Playback(7, 3, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	cases := []struct {
		name, signs, verifies, want string
	}{
		{"before", playOne, playOne, "ok"},
		{"announced, not yet used", playOne, playOne + "," + playTwo, "ok"},
		{"new first, on the other gateway already", playTwo + "," + playOne, playOne + "," + playTwo, "ok"},
		{"old tokens after the change", playOne, playTwo + "," + playOne, "ok"},
		{"old tokens after the old key has gone", playOne, playTwo, isInvalid},
		{"the first signs", playTwo + "," + playOne, playTwo, "ok"},
		{"derived and given are not the same", "", playOne, isInvalid},
		{"derived", "", "", "ok"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := newTestVerifier(t, with(c.verifies)).Verify(t.Context(), mint(c.signs))
			if outcome(err) != c.want {
				t.Fatalf("got %q, want %q", outcome(err), c.want)
			}
		})
	}
}

// TestDerivedKey: the derivation is fixed, since gateways of different versions share tokens.
func TestDerivedKey(t *testing.T) {
	want, err := hkdf.Key(sha256.New, []byte(testSecret), nil, "lectern:playback", 32)
	if err != nil {
		t.Fatal(err)
	}
	own, err := newOwnKeys(Config{JWTSecret: testSecret})
	if err != nil || len(own.playback.keys) != 1 || string(own.playback.keys[0].secret) != string(want) {
		t.Fatalf("got %v", err)
	}
	if string(want) == testSecret || len(own.playback.keys[0].id) != 12 {
		t.Errorf("kid %q", own.playback.keys[0].id)
	}
}

func TestMintedClaims(t *testing.T) {
	m, err := NewMinter(Config{JWTSecret: testSecret, PlaybackSecret: playOne}, atNoon)
	if err != nil {
		t.Fatal(err)
	}
	access, err := m.Access(7, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	play, err := m.Playback(7, 3, 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	hex32 := regexp.MustCompile(`"jti":"[0-9a-f]{32}"`)
	cases := []struct {
		name, token, header, claims string
	}{
		{"access", access, `{"alg":"HS256","typ":"JWT"}`, `{"exp":1795438800,"iat":1795435200,"jti":"?","token_type":"access","user_id":"7"}`},
		{"playback", play, `{"alg":"HS256","kid":"` + newSigningKey("playback", []byte(playOne)).id + `","typ":"JWT"}`,
			`{"aud":"lectern:playback","exp":1795442400,"iat":1795435200,"jti":"?","rid":3,"sub":"7"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			parts := strings.Split(c.token, ".")
			header, _ := base64url.DecodeString(parts[0])
			claims, _ := base64url.DecodeString(parts[1])
			if string(header) != c.header {
				t.Errorf("header %s", header)
			}
			if !hex32.Match(claims) || hex32.ReplaceAllString(string(claims), `"jti":"?"`) != c.claims {
				t.Errorf("claims %s", claims)
			}
			if !json.Valid(claims) {
				t.Error("not JSON")
			}
		})
	}
	again, _ := m.Access(7, time.Hour)
	if again == access {
		t.Error("two tokens with one jti")
	}
}

func TestMinterRefuses(t *testing.T) {
	public, err := NewMinter(Config{JWKSURL: "https://id.example/jwks", PlaybackSecret: playOne}, atNoon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := public.Access(7, time.Hour); err == nil || !strings.HasPrefix(err.Error(), "auth-jwt-secret:") {
		t.Errorf("access without a secret: %v", err)
	}
	if _, err := public.Playback(7, 3, time.Hour); err != nil {
		t.Errorf("playback without a JWT secret: %v", err)
	}
	secret, err := NewMinter(Config{JWTSecret: testSecret}, atNoon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Access(0, time.Hour); err == nil {
		t.Error("access for nobody")
	}
	if _, err := secret.Playback(7, -1, time.Hour); err == nil {
		t.Error("playback for nothing")
	}
}

// TestMintedTokensVerify closes the circle, and expires on time.
func TestMintedTokensVerify(t *testing.T) {
	now := noon
	clock := func() time.Time { return now }
	cfg := Config{JWTSecret: testSecret}
	m, err := NewMinter(cfg, clock)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(cfg, quiet(), clock)
	if err != nil {
		t.Fatal(err)
	}
	access, err := m.Access(1<<62, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	play, err := m.Playback(9, 1<<62, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Verify(t.Context(), access); err != nil || got.User != 1<<62 || got.Playback != 0 || !got.Expires.Equal(noon.Add(time.Minute)) {
		t.Errorf("access: %+v, %v", got, err)
	}
	if got, err := v.Verify(t.Context(), play); err != nil || got.User != 9 || got.Playback != 1<<62 {
		t.Errorf("playback: %+v, %v", got, err)
	}
	now = now.Add(time.Minute)
	for _, token := range []string{access, play} {
		if _, err := v.Verify(t.Context(), token); outcome(err) != isExpired || media.RefusalOf(err).Code != media.CodeTokenNotValid {
			t.Errorf("a minute later: %v", err)
		}
	}
}

// TestGrant: lifetimes (contract section 4.2), and that what it signs verifies.
func TestGrant(t *testing.T) {
	now := time.Date(2026, 11, 25, 20, 0, 0, 400_000_000, time.UTC)
	cfg := Config{JWTSecret: "a-secret-of-the-tests-that-is-long-enough-0123456789"}
	m, err := NewMinter(cfg, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(cfg, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ duration, want time.Duration }{
		{0, 2 * time.Hour}, {59 * time.Minute, 2 * time.Hour}, {61 * time.Minute, 122 * time.Minute},
		{11 * time.Hour, 22 * time.Hour}, {13 * time.Hour, 24 * time.Hour}, {1 << 62, 24 * time.Hour},
	} {
		g, err := m.Grant(42, media.Recording{ID: 7, Duration: c.duration})
		if err != nil {
			t.Fatal(err)
		}
		claims, err := v.Verify(t.Context(), g.Token)
		if err != nil || claims.User != 42 || claims.Playback != 7 || !claims.Expires.Equal(g.Expires) {
			t.Errorf("%v: %+v, %v", c.duration, claims, err)
		}
		if want := now.Truncate(time.Second).Add(c.want); !g.Expires.Equal(want) {
			t.Errorf("%v: expires %v, want %v", c.duration, g.Expires, want)
		}
	}
	if _, err := m.Grant(0, media.Recording{ID: 7}); err == nil {
		t.Error("a grant for nobody")
	}
}
