package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// FuzzKeySet: a document of a provider gives public keys that are strong enough for the
// algorithm they serve, by the kids that the document lists, or an error.
func FuzzKeySet(f *testing.F) {
	for _, seed := range []string{
		`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"b","alg":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`,
		`{"keys":[{"kty":"RSA","kid":"c","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"c2VjcmV0"},7,null]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"OKP","crv":"Ed25519","kid":"","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"enc"}]}`,
		`{"keys":[]}`, `{"keys":null}`, `[]`, `{"keys":[{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"d"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		set, err := parseKeySet(document)
		if err != nil {
			return
		}
		var listed struct {
			Keys []struct{ KID string } `json:"keys"`
		}
		_ = json.Unmarshal(document, &listed) // a kid of another type is nobody's
		for kid := range set.kids {
			if !slices.ContainsFunc(listed.Keys, func(k struct{ KID string }) bool { return k.KID == kid }) {
				t.Fatalf("the kid %q is not listed", kid)
			}
			for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
				found, err := set.lookup.Keyfunc(&jwt.Token{Header: map[string]any{"alg": alg, "kid": kid}})
				if err != nil {
					continue // by the key's own alg
				}
				switch k := found.(type) {
				case *rsa.PublicKey:
					if k.N.BitLen() < minRSABits {
						t.Fatalf("an RSA key of %d bits", k.N.BitLen())
					}
				case *ecdsa.PublicKey:
					if k.Curve != elliptic.P256() {
						t.Fatalf("a key on %s", k.Curve.Params().Name)
					}
				case ed25519.PublicKey:
					if len(k) != ed25519.PublicKeySize {
						t.Fatalf("an Ed25519 key of %d bytes", len(k))
					}
				default:
					t.Fatalf("%s by a %T", alg, k)
				}
			}
		}
	})
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// FuzzOwnTokens: of our own kinds of tokens only those that we have signed are accepted, each
// as its kind. Each process signs others, so that an input says how one of them is changed: n bytes
// that end fromEnd bytes before its end are replaced by text.
func FuzzOwnTokens(f *testing.F) {
	cfg := Config{JWTSecret: testSecret, PlaybackSecret: playOne}
	m, err := NewMinter(cfg, atNoon)
	if err != nil {
		f.Fatal(err)
	}
	v := newTestVerifier(f, cfg)
	tokens, minted := []string{""}, map[string]string{}
	add := func(kind, token string, err error) {
		if err != nil {
			f.Fatal(err)
		}
		minted[token] = kind
		f.Add(uint8(len(tokens)), uint16(0), uint16(0), "")
		tokens = append(tokens, token)
	}
	until := noon.Add(time.Hour)
	session, _, err := m.Session(7, until, time.Hour)
	add("session", session, err)
	embed, _, err := m.Embed(7, until, time.Hour)
	add("embed", embed, err)
	code, _, err := m.SessionCode(7, until)
	add("code", code, err)
	seal, _, err := m.SealSignIn(map[string]string{"state": "s"})
	add("seal", seal, err)
	for _, letter := range base64Alphabet { // the last letter of a signature has two bits that mean nothing
		f.Add(uint8(1), uint16(0), uint16(1), string(letter))
	}
	f.Add(uint8(0), uint16(0), uint16(0), hs256(access(nil)))
	f.Add(uint8(0), uint16(0), uint16(0), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, token uint8, fromEnd, n uint16, by string) {
		text := tokens[int(token)%len(tokens)]
		end := max(0, len(text)-int(fromEnd))
		text = text[:max(0, end-int(n))] + by + text[end:]
		var got []string
		if claims, err := v.Verify(t.Context(), text); err == nil && claims.Session {
			got = append(got, "session")
		} else if err == nil && claims.Embed {
			got = append(got, "embed")
		}
		if _, err := v.verifySessionCode(text); err == nil {
			got = append(got, "code")
		}
		var value map[string]string
		if _, ok := m.OpenSignIn(text, &value); ok {
			got = append(got, "seal")
		}
		kind, ours := minted[text]
		if len(got) > 1 || len(got) == 1 && (!ours || got[0] != kind) || ours && len(got) == 0 {
			t.Fatalf("%q is taken for %q, and is %q", text, got, kind)
		}
	})
}
