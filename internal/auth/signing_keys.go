package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// ownAudience is what the aud of each kind of Lectern's own tokens begins with. A token of
// the platform never carries such an audience.
const ownAudience = "lectern:"

// The audiences keep the kinds of tokens apart from each other and from every other token.
// Each is also the label with which the keys of its kind are derived, and names them.
const (
	playbackAudience = ownAudience + "playback"
	sessionAudience  = ownAudience + "session"
	embedAudience    = ownAudience + "embed"
	codeAudience     = ownAudience + "session-code"
	signInAudience   = ownAudience + "sign-in"
)

// signingKey signs one kind of Lectern's own tokens and is named by its kid.
type signingKey struct {
	id     string
	secret []byte
}

// signingKeys are the keys of one kind of Lectern's own tokens: the first signs, all verify.
type signingKeys struct {
	audience string
	keys     []signingKey
}

// ownKeys are the keys of Lectern's own tokens, by kind.
type ownKeys struct{ playback, session, embed, code, signIn signingKeys }

// newOwnKeys uses the configured secrets, or derives them from the platform's key (HKDF, RFC
// 5869), so that a leaked key of one kind reveals neither the platform's nor that of another
// kind.
func newOwnKeys(cfg Config) (ownKeys, error) {
	secrets, err := cfg.playbackSecrets()
	if err != nil {
		return ownKeys{}, err
	}
	keys := ownKeys{playback: signingKeys{audience: playbackAudience}}
	for _, secret := range secrets {
		keys.playback.keys = append(keys.playback.keys, newSigningKey(playbackAudience, []byte(secret)))
	}
	if len(secrets) == 0 {
		secrets = []string{cfg.JWTSecret}
		if keys.playback, err = derivedKeys(secrets, playbackAudience); err != nil {
			return ownKeys{}, err
		}
	}
	if keys.session, err = derivedKeys(secrets, sessionAudience); err != nil {
		return ownKeys{}, err
	}
	if keys.embed, err = derivedKeys(secrets, embedAudience); err != nil {
		return ownKeys{}, err
	}
	if keys.code, err = derivedKeys(secrets, codeAudience); err != nil {
		return ownKeys{}, err
	}
	keys.signIn, err = derivedKeys(secrets, signInAudience)
	return keys, err
}

// derivedKeys derives a key of the kind with an audience from each secret.
func derivedKeys(secrets []string, audience string) (signingKeys, error) {
	derived := signingKeys{audience: audience}
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, []byte(secret), nil, audience, sha256.Size)
		if err != nil {
			return signingKeys{}, fmt.Errorf("auth-playback-secret: derive a key: %w", err)
		}
		derived.keys = append(derived.keys, newSigningKey(audience, key))
	}
	return derived, nil
}

// newSigningKey names a key by a digest of it: every gateway with the same setting finds the
// same name, and a rotation needs no second setting. The digest reveals no more of the secret
// than a signature made with it.
func newSigningKey(audience string, secret []byte) signingKey {
	kind := strings.TrimPrefix(audience, ownAudience)
	sum := sha256.Sum256(append([]byte("lectern "+kind+" kid:"), secret...))
	return signingKey{id: base64.RawURLEncoding.EncodeToString(sum[:9]), secret: secret}
}

// byID looks up the key of a kid; no key has the kid "".
func (k signingKeys) byID(kid string) (signingKey, bool) {
	for _, key := range k.keys {
		if key.id == kid {
			return key, true
		}
	}
	return signingKey{}, false
}
