package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// playbackAudience keeps playback tokens apart from every other token.
const playbackAudience = "lectern:playback"

// playbackKey signs playback tokens and is named by its kid.
type playbackKey struct {
	id     string
	secret []byte
}

// playbackKeys: the first signs, all verify.
type playbackKeys []playbackKey

// newPlaybackKeys uses the configured secrets, or derives one from the platform's key (HKDF,
// RFC 5869), so that a leaked playback key does not reveal the platform's and neither can
// replace the other.
func newPlaybackKeys(cfg Config) (playbackKeys, error) {
	secrets, err := cfg.playbackSecrets()
	if err != nil {
		return nil, err
	}
	if len(secrets) == 0 {
		derived, err := hkdf.Key(sha256.New, []byte(cfg.JWTSecret), nil, playbackAudience, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("auth-playback-secret: derive from the JWT secret: %w", err)
		}
		return playbackKeys{newPlaybackKey(derived)}, nil
	}
	keys := make(playbackKeys, 0, len(secrets))
	for _, secret := range secrets {
		keys = append(keys, newPlaybackKey([]byte(secret)))
	}
	return keys, nil
}

// newPlaybackKey names a key by a digest of it: every gateway with the same
// setting finds the same name, and a rotation needs no second setting. The
// digest reveals no more of the secret than a signature made with it.
func newPlaybackKey(secret []byte) playbackKey {
	sum := sha256.Sum256(append([]byte("lectern playback kid:"), secret...))
	return playbackKey{id: base64.RawURLEncoding.EncodeToString(sum[:9]), secret: secret}
}

// byID looks up the key of a kid; no key has the kid "".
func (k playbackKeys) byID(kid string) (playbackKey, bool) {
	for _, key := range k {
		if key.id == kid {
			return key, true
		}
	}
	return playbackKey{}, false
}
