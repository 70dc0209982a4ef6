package auth

import (
	"bytes"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lectiospace/lectern/internal/media"
)

// FuzzVerify feeds tokens as they come from the network. Nothing may panic; what
// is accepted must carry a signature that the library makes for the same text.
func FuzzVerify(f *testing.F) {
	for _, seed := range []string{
		"", ".", "..", "a.b.c", hs256(access(nil)), hs256(access(map[string]any{"user_id": 7})), hs256(access(map[string]any{"exp": 1})),
		hs256(`{}`), hs256(`null`), hs256(`[]`), hs256(`{"exp":1e999}`), withKey(playOne, playback(nil)), withKey(playOne, `{"aud":[null]}`),
		signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, `{"alg":"none"}`, access(nil)),
		signed(jwt.SigningMethodHS256, []byte(testSecret), `{"alg":"RS256","kid":"x"}`, access(nil)),
		signed(jwt.SigningMethodHS256, []byte(testSecret), `{"alg":"HS256","alg":"none"}`, access(nil)),
		"eyJhbGciOiJIUzI1NiJ9.e30.", "eyJhbGciOm51bGx9.e30.AA",
	} {
		f.Add(seed)
	}
	v := newTestVerifier(f, Config{JWTSecret: testSecret, PlaybackSecret: playOne, JWKSURL: "https://192.0.2.1/keys"})
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := v.Verify(t.Context(), token)
		if err != nil {
			if r := media.RefusalOf(err); r == nil && media.KindOf(err) != media.Unavailable || claims != (Claims{}) {
				t.Fatalf("%+v, %v", claims, err)
			}
			return
		}
		key := []byte(testSecret)
		if claims.Playback != 0 {
			key = []byte(playOne)
		}
		parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return key, nil },
			jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(atNoon), jwt.WithExpirationRequired())
		if err != nil || !parsed.Valid {
			t.Fatalf("accepted what the library refuses: %v", err)
		}
	})
}

// FuzzClaims feeds payloads behind a good signature: anything a platform with
// our key might write. What is accepted is checked with another reader.
func FuzzClaims(f *testing.F) {
	for _, seed := range []any{
		access(nil), access(map[string]any{"user_id": 7}), access(map[string]any{"user_id": 7.5}), access(map[string]any{"exp": 1.5e9}),
		access(map[string]any{"aud": []any{"a", 1}}), access(map[string]any{"iat": -1e300}), playback(nil), playback(map[string]any{"rid": "3"}),
		`{}`, `null`, `[]`, `"x"`, `{"exp":`, `{"exp":1,"exp":2}`, `{"user_id":"\ud800"}`, `{"exp":99999999999999999999}`, "{\"jti\":\"\xff\"}",
	} {
		f.Add([]byte(inJSON(seed)), int64(0))
	}
	f.Fuzz(func(t *testing.T, payload []byte, leeway int64) {
		checks := claimChecks{leeway: time.Duration(leeway & (1<<40 - 1))}
		if got, refusal := checks.access(payload, noon); refusal == nil {
			fields := generic(t, payload)
			if fields["token_type"] != "access" || !names(fields["user_id"], got.User) || got.Playback != 0 {
				t.Fatalf("%s became %+v", payload, got)
			}
			inTime(t, fields, got, checks.leeway)
		}
		if got, refusal := checks.playback(payload, noon); refusal == nil {
			fields := generic(t, payload)
			if !names(fields["sub"], got.User) || !names(fields["rid"], got.Playback) || !bytes.Contains(payload, []byte("playback")) {
				t.Fatalf("%s became %+v", payload, got)
			}
			inTime(t, fields, got, checks.leeway)
		}
	})
}

func generic(t *testing.T, payload []byte) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		t.Fatalf("accepted what is no object: %v", err)
	}
	return fields
}

// names reports whether a claim is the id's one spelling.
func names(claim any, id int64) bool {
	want := big.NewInt(id).String()
	return id > 0 && (claim == want || claim == json.Number(want))
}

func inTime(t *testing.T, fields map[string]any, got Claims, leeway time.Duration) {
	exp, _, err := big.ParseFloat(string(fields["exp"].(json.Number)), 10, 200, big.ToZero)
	if err != nil {
		t.Fatalf("exp %v: %v", fields["exp"], err)
	}
	if seconds, _ := exp.Int64(); seconds != got.Expires.Unix() {
		t.Fatalf("exp %v became %v", fields["exp"], got.Expires)
	}
	if !got.Expires.Add(leeway).After(noon) {
		t.Fatalf("expired %v is accepted with leeway %v", got.Expires, leeway)
	}
}
