package auth

import (
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/lectiospace/lectern/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testSecret = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz"
	playOne    = "playback-secret-one-0123456789abcdef"
	playTwo    = "playback-secret-two-0123456789abcdef"
)

// noon is the present of every test that does not need another.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// access are the claims simplejwt 5.5.1 writes at noon for user 7, changed by
// edits; an edit to nil takes the claim away.
func access(edits map[string]any) map[string]any {
	return edited(map[string]any{
		"token_type": "access", "exp": noon.Unix() + 3600, "iat": noon.Unix(),
		"jti": "0123456789abcdef0123456789abcdef", "user_id": "7",
	}, edits)
}

// playback are the claims of a playback token for user 7 and recording 3.
func playback(edits map[string]any) map[string]any {
	return edited(map[string]any{
		"sub": "7", "rid": 3, "aud": "lectern:playback", "exp": noon.Unix() + 3600, "iat": noon.Unix(), "jti": "ab",
	}, edits)
}

func edited(claims, edits map[string]any) map[string]any {
	maps.Copy(claims, edits)
	for name, value := range edits {
		if value == nil {
			delete(claims, name)
		}
	}
	return claims
}

func inJSON(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// signed makes a token of a header and claims, either of them text or something
// JSON can write. It signs whatever it is given, right or wrong.
func signed(method jwt.SigningMethod, key, header, claims any) string {
	text := base64url.EncodeToString([]byte(inJSON(header))) + "." + base64url.EncodeToString([]byte(inJSON(claims)))
	signature, err := method.Sign(text, key)
	if err != nil {
		panic(fmt.Sprintf("sign: %v", err))
	}
	return text + "." + base64url.EncodeToString(signature)
}

var headerHS256 = map[string]any{"alg": "HS256", "typ": "JWT"}

// hs256 is a token as the platform signs it.
func hs256(claims any) string {
	return signed(jwt.SigningMethodHS256, []byte(testSecret), headerHS256, claims)
}

// withKey signs a playback token with one of the configured secrets.
func withKey(secret string, claims any) string {
	key := newSigningKey("playback", []byte(secret))
	return signed(jwt.SigningMethodHS256, key.secret, map[string]any{"alg": "HS256", "typ": "JWT", "kid": key.id}, claims)
}

// newTestVerifier makes one that stands still at noon.
func newTestVerifier(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	v, err := NewVerifier(cfg, quiet(), atNoon)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// outcome names the result of a check: the refusal's message where there is one, else its
// code, else the kind of the error, else "ok".
func outcome(err error) string {
	switch r := media.RefusalOf(err); {
	case err == nil:
		return "ok"
	case r != nil && len(r.Messages) > 0:
		return r.Messages[0].Message
	case r != nil:
		return string(r.Code)
	}
	return media.KindOf(err).String()
}

const (
	isInvalid = "Token is invalid"
	isExpired = "Token is expired"
	isWrong   = "Token has wrong type"
	// isAnonymous is the code of a refusal without messages.
	isAnonymous = "token_not_valid"
)

// public is what a private key shows of itself.
func public(key crypto.Signer) crypto.PublicKey { return key.Public() }
