package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"fmt"
	"time"
)

// SignInLife is how long a person may take at the provider: what SealSignIn seals is valid for
// that long.
const SignInLife = 10 * time.Minute

// sealedSignIn is the plain text of a seal.
type sealedSignIn struct {
	Expires int64           `json:"expires"` // Unix time
	Value   json.RawMessage `json:"value"`
}

// SealSignIn encrypts what a browser keeps of a sign-in that has begun, so that neither the
// browser nor a log of cookies shows it. value is encoded as JSON; the seal is valid for
// SignInLife.
func (m *Minter) SealSignIn(value any) (string, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("seal a sign-in: %w", err)
	}
	plain, err := json.Marshal(sealedSignIn{m.now().Add(SignInLife).Unix(), encoded})
	if err != nil {
		return "", fmt.Errorf("seal a sign-in: %w", err)
	}
	sealing, err := m.secrets.Load().signIn.keys[0].sealing() // the first seals
	if err != nil {
		return "", err
	}
	return base64url.EncodeToString(sealing.Seal(nil, nil, plain, []byte(signInAudience))), nil
}

// OpenSignIn decodes what SealSignIn has sealed. It reports whether a key of ours sealed it and
// it has not expired.
func (m *Minter) OpenSignIn(seal string, value any) bool {
	encrypted, err := base64url.DecodeString(seal)
	if err != nil || len(seal) > maxTokenBytes {
		return false
	}
	for _, key := range m.secrets.Load().signIn.keys {
		sealing, err := key.sealing()
		if err != nil {
			return false
		}
		plain, err := sealing.Open(nil, nil, encrypted, []byte(signInAudience))
		if err != nil {
			continue // sealed by another key
		}
		var s sealedSignIn
		return json.Unmarshal(plain, &s) == nil && m.now().Unix() < s.Expires && json.Unmarshal(s.Value, value) == nil
	}
	return false
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
