package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// ownAudience is what the aud of each kind of Lectern's own tokens begins with. A token of
// the platform never carries such an audience.
const ownAudience = "lectern:"

// The audiences keep the kinds of tokens apart from each other and from every other token.
// Each is also the label with which the keys of its kind are derived.
const (
	playbackAudience = ownAudience + "playback"
	sessionAudience  = ownAudience + "session"
	codeAudience     = ownAudience + "session-code"
	signInAudience   = ownAudience + "sign-in"
)

// signingKey signs one kind of Lectern's own tokens and is named by its kid.
type signingKey struct {
	id     string
	secret []byte
}

// signingKeys: the first signs, all verify.
type signingKeys []signingKey

// ownKeys are the keys of Lectern's own tokens, by kind.
type ownKeys struct{ playback, session, code, signIn signingKeys }

// newOwnKeys uses the configured secrets, or derives them from the platform's key (HKDF, RFC
// 5869), so that a leaked key of one kind reveals neither the platform's nor that of another
// kind.
func newOwnKeys(cfg Config) (ownKeys, error) {
	secrets, err := cfg.playbackSecrets()
	if err != nil {
		return ownKeys{}, err
	}
	var keys ownKeys
	if len(secrets) == 0 {
		derived, err := derive(cfg.JWTSecret, playbackAudience)
		if err != nil {
			return ownKeys{}, err
		}
		keys.playback = signingKeys{newSigningKey("playback", derived)}
		secrets = []string{cfg.JWTSecret}
	} else {
		for _, secret := range secrets {
			keys.playback = append(keys.playback, newSigningKey("playback", []byte(secret)))
		}
	}
	if keys.session, err = derivedKeys(secrets, "session", sessionAudience); err != nil {
		return ownKeys{}, err
	}
	if keys.code, err = derivedKeys(secrets, "session code", codeAudience); err != nil {
		return ownKeys{}, err
	}
	keys.signIn, err = derivedKeys(secrets, "sign-in", signInAudience)
	return keys, err
}

// derivedKeys derives a key of one kind from each secret.
func derivedKeys(secrets []string, kind, label string) (signingKeys, error) {
	keys := make(signingKeys, 0, len(secrets))
	for _, secret := range secrets {
		derived, err := derive(secret, label)
		if err != nil {
			return nil, err
		}
		keys = append(keys, newSigningKey(kind, derived))
	}
	return keys, nil
}

func derive(secret, label string) ([]byte, error) {
	derived, err := hkdf.Key(sha256.New, []byte(secret), nil, label, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("auth-playback-secret: derive a key: %w", err)
	}
	return derived, nil
}

// newSigningKey names a key by a digest of it: every gateway with the same setting finds the
// same name, and a rotation needs no second setting. The digest reveals no more of the secret
// than a signature made with it.
func newSigningKey(kind string, secret []byte) signingKey {
	sum := sha256.Sum256(append([]byte("lectern "+kind+" kid:"), secret...))
	return signingKey{id: base64.RawURLEncoding.EncodeToString(sum[:9]), secret: secret}
}

// byID looks up the key of a kid; no key has the kid "".
func (k signingKeys) byID(kid string) (signingKey, bool) {
	for _, key := range k {
		if key.id == kid {
			return key, true
		}
	}
	return signingKey{}, false
}
