package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// minRSABits is what RFC 7518 section 3.3 asks of an RS256 key.
const minRSABits = 2048

// keySet is one fetched set of public keys. It is immutable.
type keySet struct {
	digest     [sha256.Size]byte // of the document it was read from
	generation uint64            // 1 for the first set of a process, then counting; never 0
	kids       map[string]bool
	lookup     keyfunc.Keyfunc
	skipped    int // keys of the document that cannot be used here
}

// parseKeySet reads a JWKS (RFC 7517 section 5). A key that cannot be used, being for
// encryption, of another kind, too weak or malformed, is skipped and counted: one odd key
// must not lock everybody out. A document without a usable key is an error, so that it
// cannot replace keys that work.
func parseKeySet(document []byte) (*keySet, error) {
	var listed struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &listed); err != nil {
		return nil, errors.New("the answer is not a JWKS")
	}
	set := &keySet{digest: sha256.Sum256(document), kids: map[string]bool{}}
	storage := jwkset.NewMemoryStorage()
	for _, raw := range listed.Keys {
		key, ok := usableKey(raw)
		// Of two keys with one kid the first counts, as keyfunc looks them up.
		if !ok || set.kids[key.Marshal().KID] && key.Marshal().KID != "" {
			set.skipped++
			continue
		}
		set.kids[key.Marshal().KID] = true
		if err := storage.KeyWrite(context.Background(), key); err != nil {
			return nil, fmt.Errorf("keep a key: %w", err)
		}
	}
	if len(set.kids) == 0 {
		return nil, errors.New("the JWKS holds no RS256, ES256 or EdDSA (Ed25519) key for signatures")
	}
	delete(set.kids, "") // keys without a kid serve tokens without one
	lookup, err := keyfunc.New(keyfunc.Options{Storage: storage})
	if err != nil {
		return nil, err
	}
	set.lookup = lookup
	return set, nil
}

// usableKey reads one key, its public half only.
func usableKey(raw json.RawMessage) (jwkset.JWK, bool) {
	var listed jwkset.JWKMarshal
	if json.Unmarshal(raw, &listed) != nil || listed.USE != "" && listed.USE != jwkset.UseSig {
		return jwkset.JWK{}, false
	}
	listed.ALG = jwkset.ALG(canonicalAlg(string(listed.ALG)))
	key, err := jwkset.NewJWKFromMarshal(listed, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return jwkset.JWK{}, false
	}
	var alg jwkset.ALG
	switch k := key.Key().(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits {
			return jwkset.JWK{}, false
		}
		alg = jwkset.AlgRS256
	case *ecdsa.PublicKey:
		// The library checks the length of an ES256 signature, not the curve.
		if k.Curve != elliptic.P256() {
			return jwkset.JWK{}, false
		}
		alg = jwkset.AlgES256
	case ed25519.PublicKey:
		alg = jwkset.AlgEdDSA
	}
	// A symmetric key has no alg here, and would turn a published document into a secret.
	return key, alg != "" && (listed.ALG == "" || listed.ALG == alg)
}

// canonicalAlg is the older name of an algorithm that has two. RFC 9864 section 2.2 renames
// EdDSA with an Ed25519 key to Ed25519; keys and tokens may come with either name.
func canonicalAlg(alg string) string {
	if alg == "Ed25519" {
		return jwt.SigningMethodEdDSA.Alg()
	}
	return alg
}

// contains reports whether the set can verify a token: by its kid, or for a token
// without one (simplejwt writes none) always.
func (s *keySet) contains(kid string) bool { return kid == "" || s.kids[kid] }

// verify checks a signature against the key a token names or, when it names
// none, against each.
func (s *keySet) verify(method jwt.SigningMethod, t compact) bool {
	header := map[string]any{"alg": canonicalAlg(t.alg)}
	if t.kid != "" {
		header["kid"] = t.kid
	}
	found, err := s.lookup.Keyfunc(&jwt.Token{Header: header})
	if err != nil {
		return false
	}
	all, several := found.(jwt.VerificationKeySet)
	if !several {
		return method.Verify(t.signed, t.signature, found) == nil
	}
	for _, key := range all.Keys {
		if method.Verify(t.signed, t.signature, key) == nil {
			return true
		}
	}
	return false
}
