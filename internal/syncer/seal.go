package syncer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// seal keeps secrets in the database unreadable without a key that is not there
// (AES-256-GCM, a fresh nonce each).
type seal struct{ aead cipher.AEAD }

func newSeal(key []byte) (seal, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, err
	}
	aead, err := cipher.NewGCM(block)
	return seal{aead}, err
}

// derivedKey makes a key of another secret, for what is sealed without SECRETS_KEY.
func derivedKey(secret, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(secret), nil, "lectern "+purpose, 32)
}

// close seals a text for a purpose; "" stays "".
func (s seal) close(text, purpose string) string {
	if text == "" {
		return ""
	}
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, []byte(text), []byte(purpose)))
}

var errSealed = errors.New("it was sealed with another key")

// open gives the text back; "" stays "".
func (s seal) open(sealed, purpose string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(data) < s.aead.NonceSize() {
		return "", errSealed
	}
	n := s.aead.NonceSize()
	text, err := s.aead.Open(nil, data[:n], data[n:], []byte(purpose))
	if err != nil {
		return "", errSealed
	}
	return string(text), nil
}
