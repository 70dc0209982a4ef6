package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"fmt"
	"time"
)

// signInLife is how long a person may take at the provider.
const signInLife = 10 * time.Minute

// sealedSignIn is the plain text of a seal.
type sealedSignIn struct {
	Expires int64           `json:"expires"` // Unix time
	Value   json.RawMessage `json:"value"`
}

// SealSignIn encrypts what a browser keeps of a sign-in that has begun, so that neither the
// browser nor a log of cookies shows it. value is encoded as JSON. From expires on, a whole
// second, OpenSignIn refuses the seal.
func (m *Minter) SealSignIn(value any) (seal string, expires time.Time, err error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("seal a sign-in: %w", err)
	}
	expires = time.Unix(m.now().Add(signInLife).Unix(), 0).UTC()
	plain, err := json.Marshal(sealedSignIn{expires.Unix(), encoded})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("seal a sign-in: %w", err)
	}
	sealing, err := m.secrets.Load().signIn.keys[0].sealing() // the first seals
	if err != nil {
		return "", time.Time{}, err
	}
	return base64url.EncodeToString(sealing.Seal(nil, nil, plain, []byte(signInAudience))), expires, nil
}

// OpenSignIn decodes what SealSignIn has sealed, and returns when the seal expires. ok reports
// whether a key of ours sealed it and it has not expired.
func (m *Minter) OpenSignIn(seal string, value any) (expires time.Time, ok bool) {
	encrypted, err := base64url.DecodeString(seal)
	if err != nil || len(seal) > maxTokenBytes || !isTokenAlphabet(seal) { // the decoder skips line ends
		return time.Time{}, false
	}
	for _, key := range m.secrets.Load().signIn.keys {
		sealing, err := key.sealing()
		if err != nil {
			return time.Time{}, false
		}
		plain, err := sealing.Open(nil, nil, encrypted, []byte(signInAudience))
		if err != nil {
			continue // sealed by another key
		}
		var s sealedSignIn
		if json.Unmarshal(plain, &s) != nil || m.now().Unix() >= s.Expires || json.Unmarshal(s.Value, value) != nil {
			return time.Time{}, false
		}
		return time.Unix(s.Expires, 0).UTC(), true
	}
	return time.Time{}, false
}

// sealing is AES-256-GCM; a key seals far fewer than the 2^32 messages that random nonces
// allow (NIST SP 800-38D section 8.3).
func (k signingKey) sealing() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.secret)
	if err != nil {
		return nil, fmt.Errorf("auth-playback-secret: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}
