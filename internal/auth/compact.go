package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
)

// maxTokenBytes is above the length of every token of ours or the platform's.
const maxTokenBytes = 8 << 10

// base64url is strict: one token has one spelling.
var base64url = base64.RawURLEncoding.Strict()

// compact is a token in the compact serialisation (RFC 7515 section 7.1), split. Nothing
// in it is verified.
type compact struct {
	alg       string
	kid       string // "" when the header has none
	signed    string // header and payload as the signature covers them
	payload   string // in base64url
	signature []byte
}

// foreignHeaders carry or point to a key, or change what the signature means.
// Keys come from the configuration alone (RFC 8725 section 3.10), and an
// extension that is not understood must not be ignored (RFC 7515 section 4.1.11).
var foreignHeaders = []string{"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"}

// parseCompact splits a token and refuses every deviation from the usual form.
func parseCompact(token string) (compact, bool) {
	// The decoder skips line ends, so other alphabets have to be refused first.
	if len(token) > maxTokenBytes || !isTokenAlphabet(token) {
		return compact{}, false
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok || header == "" || payload == "" || signature == "" || strings.Contains(signature, ".") {
		return compact{}, false
	}
	t := compact{signed: token[:len(header)+1+len(payload)], payload: payload}
	var err error
	if t.signature, err = base64url.DecodeString(signature); err != nil {
		return compact{}, false
	}
	raw, err := base64url.DecodeString(header)
	if err != nil {
		return compact{}, false
	}
	fields, ok := jsonObject(raw)
	if !ok {
		return compact{}, false
	}
	for _, name := range foreignHeaders {
		if _, found := fields[name]; found {
			return compact{}, false
		}
	}
	if _, found := fields["typ"]; found {
		if _, ok := jsonString(fields["typ"]); !ok {
			return compact{}, false
		}
	}
	if t.alg, ok = jsonString(fields["alg"]); !ok {
		return compact{}, false
	}
	if raw, found := fields["kid"]; found {
		if t.kid, ok = jsonString(raw); !ok || t.kid == "" {
			return compact{}, false
		}
	}
	return t, true
}

// isTokenAlphabet reports whether a token has only the characters of base64url and dots.
func isTokenAlphabet(token string) bool {
	for i := range len(token) {
		c := token[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// jsonObject reads one JSON object. A name that stands twice is refused, since
// another reader may have taken the other value (RFC 7515 section 4, RFC 7519
// section 4), and so is anything after the object.
func jsonObject(raw []byte) (map[string]json.RawMessage, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, false
	}
	fields := make(map[string]json.RawMessage, 8)
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		key, ok := name.(string)
		if _, twice := fields[key]; !ok || twice {
			return nil, false
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return nil, false
		}
		fields[key] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, false
	}
	_, err := decoder.Token()
	return fields, err == io.EOF
}

// jsonString reads a JSON string, and nothing else.
func jsonString(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}
