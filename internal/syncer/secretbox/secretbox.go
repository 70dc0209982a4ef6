// Package secretbox seals the secrets that the syncer keeps in the database, so that
// they are unreadable without a key that is not there: AES-256-GCM with a fresh nonce
// for each text. A Box is safe for concurrent use.
package secretbox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// Box seals and opens texts with one key.
type Box struct{ aead cipher.AEAD }

// New makes a box with a key of KeySize bytes.
func New(key []byte) (Box, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return Box{}, err
	}
	aead, err := cipher.NewGCM(block)
	return Box{aead}, err
}

// DeriveKey makes a key of another secret, for what is sealed where no key is
// configured (HKDF with SHA-256, RFC 5869).
func DeriveKey(secret, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(secret), nil, "lectern "+purpose, KeySize)
}

// Seal seals a text for a purpose, without which it cannot be opened; "" stays "".
func (b Box) Seal(text, purpose string) string {
	if text == "" {
		return ""
	}
	nonce := make([]byte, b.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return base64.StdEncoding.EncodeToString(b.aead.Seal(nonce, nonce, []byte(text), []byte(purpose)))
}

// ErrOtherKey says that a text was sealed with another key or for another purpose.
var ErrOtherKey = errors.New("it was sealed with another key")

// Open gives a sealed text back, or ErrOtherKey; "" stays "".
func (b Box) Open(sealed, purpose string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(data) < b.aead.NonceSize() {
		return "", ErrOtherKey
	}
	n := b.aead.NonceSize()
	text, err := b.aead.Open(nil, data[:n], data[n:], []byte(purpose))
	if err != nil {
		return "", ErrOtherKey
	}
	return string(text), nil
}
