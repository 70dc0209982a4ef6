package auth

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lectiospace/lectern/internal/media"
)

// TestParseCompact looks at the form of tokens alone: a signature that does not match would
// refuse most of these as well.
func TestParseCompact(t *testing.T) {
	encoded := func(header string) string { return base64url.EncodeToString([]byte(header)) }
	header := encoded(`{"alg":"HS256"}`)
	long := func(length int) string {
		return header + ".e30." + strings.Repeat("A", length-len(header)-len(".e30."))
	}
	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"good":                       {header + ".e30.AAAA", true},
		"with a kid and a typ":       {encoded(`{"alg":"HS256","kid":"k","typ":"JWT"}`) + ".e30.AAAA", true},
		"as long as it may be":       {long(maxTokenBytes), true},
		"a byte longer":              {long(maxTokenBytes + 1), false},
		"no header":                  {".e30.AAAA", false},
		"no payload":                 {header + "..AAAA", false},
		"no signature":               {header + ".e30.", false},
		"two parts":                  {header + ".e30", false},
		"four parts":                 {header + ".e30.AAAA.x", false},
		"a rest in the header":       {header + "A.e30.AAAA", false},
		"a rest in the signature":    {header + ".e30.AAAAA", false},
		"another alphabet":           {header + ".e30.AA/A", false},
		"header no object":           {encoded(`["HS256"]`) + ".e30.AAAA", false},
		"header cut off":             {encoded(`{"alg":"HS256"`) + ".e30.AAAA", false},
		"typ a number":               {encoded(`{"alg":"HS256","typ":1}`) + ".e30.AAAA", false},
		"no alg":                     {encoded(`{}`) + ".e30.AAAA", false},
		"alg a number":               {encoded(`{"alg":1}`) + ".e30.AAAA", false},
		"alg null":                   {encoded(`{"alg":null}`) + ".e30.AAAA", false},
		"kid empty":                  {encoded(`{"alg":"HS256","kid":""}`) + ".e30.AAAA", false},
		"kid a number":               {encoded(`{"alg":"HS256","kid":1}`) + ".e30.AAAA", false},
		"a compressed payload":       {encoded(`{"alg":"HS256","zip":"DEF"}`) + ".e30.AAAA", false},
		"an encrypted payload":       {encoded(`{"alg":"HS256","enc":"A128GCM"}`) + ".e30.AAAA", false},
		"an extension, critical":     {encoded(`{"alg":"HS256","crit":["x"]}`) + ".e30.AAAA", false},
		"a payload that is not text": {encoded(`{"alg":"HS256","b64":false}`) + ".e30.AAAA", false},
	} {
		got, ok := parseCompact(c.token)
		if ok != c.ok || ok && (got.alg != "HS256" || got.signed+"." != c.token[:strings.LastIndex(c.token, ".")+1] || got.payload != "e30") {
			t.Errorf("%s: %+v, %t", name, got, ok)
		}
		if !ok && (got.alg != "" || got.signed != "" || got.signature != nil) {
			t.Errorf("%s: refused, and yet %+v", name, got)
		}
	}
}

func TestTokenAlphabet(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	for c := range 256 {
		if got, want := isTokenAlphabet("a"+string([]byte{byte(c)})), strings.IndexByte(alphabet, byte(c)) >= 0; got != want {
			t.Errorf("%q: %t", rune(c), got)
		}
	}
}

func TestJSONObject(t *testing.T) {
	for text, want := range map[string]int{ // members; -1 = no object
		`{}`: 0, ` {"a":1, "b":{"a":2}} `: 2, "": -1, "x": -1, `[]`: -1, `"a"`: -1, `null`: -1,
		`{"a":1`: -1, `{"a":1]`: -1, `{"a"}`: -1, `{"a":}`: -1, `{a:1}`: -1, `{"a":1,"a":1}`: -1, `{"a":1}{}`: -1, `{"a":1} x`: -1,
	} {
		got, ok := jsonObject([]byte(text))
		if ok != (want >= 0) || ok && len(got) != want {
			t.Errorf("%s: %v, %t", text, got, ok)
		}
	}
}

func TestJSONString(t *testing.T) {
	for text, want := range map[string]string{`"a"`: "a", `""`: "", `"\u0061"`: "a"} {
		if got, ok := jsonString([]byte(text)); !ok || got != want {
			t.Errorf("%s: %q, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "null", "1", "a", `"a`, `["a"]`, `"a" "b"`} {
		if got, ok := jsonString([]byte(text)); ok {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// TestLongestToken: the bound is the same for tokens that are cached and those that are not.
func TestLongestToken(t *testing.T) {
	rig := newGateRig(t, Config{})
	for n := 5500; ; n++ {
		token := hs256(access(map[string]any{"pad": strings.Repeat("x", n)}))
		_, err := rig.Authenticate(t.Context(), media.Token{Value: token, From: media.FromHeader})
		if want := len(token) <= maxTokenBytes; (err == nil) != want {
			t.Fatalf("%d bytes: %v", len(token), err)
		}
		if len(token) > maxTokenBytes {
			return
		}
		if len(token) < maxTokenBytes-8 {
			n += (maxTokenBytes - 8 - len(token)) / 2
		}
	}
}

// TestSpoiltPayload: a payload whose base64url breaks off is refused, although its beginning is
// good and the signature covers all of it.
func TestSpoiltPayload(t *testing.T) {
	v := newTestVerifier(t, Config{JWTSecret: testSecret, PlaybackSecret: playOne})
	spoilt := func(token string, key []byte) string {
		parts := strings.Split(token, ".")
		for len(parts[1])%4 != 0 {
			t.Fatal("the payload has to end with whole bytes")
		}
		text := parts[0] + "." + parts[1] + "A"
		signature, err := jwt.SigningMethodHS256.Sign(text, key)
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + base64url.EncodeToString(signature)
	}
	whole := func(claims map[string]any, sign func(any) string) string {
		for pad := ""; ; pad += "x" {
			claims["pad"] = pad
			if token := sign(claims); len(strings.Split(token, ".")[1])%4 == 0 {
				return token
			}
		}
	}
	for name, token := range map[string]string{
		"the platform's": spoilt(whole(access(nil), hs256), []byte(testSecret)),
		"ours":           spoilt(whole(playback(nil), func(claims any) string { return withKey(playOne, claims) }), newSigningKey("playback", []byte(playOne)).secret),
	} {
		if _, err := v.Verify(t.Context(), token); outcome(err) != isInvalid || media.RefusalOf(err).Forged {
			t.Errorf("%s: %v", name, err)
		}
	}
}
