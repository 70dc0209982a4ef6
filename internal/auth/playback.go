package auth

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
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

// newPlaybackKeys takes the configured secrets, or derives one from the
// platform's key, so that a leaked playback key does not tell the platform's.
func newPlaybackKeys(cfg Config) (playbackKeys, error) {
	var keys playbackKeys
	for part := range strings.SplitSeq(cfg.PlaybackSecret, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if len(part) < 32 {
			return nil, fmt.Errorf("auth-playback-secret: a key has %d bytes, at least 32 are needed", len(part))
		}
		keys = append(keys, newPlaybackKey([]byte(part)))
	}
	if len(keys) > 0 {
		return keys, nil
	}
	derived, err := hkdf.Key(sha256.New, []byte(cfg.JWTSecret), nil, playbackAudience, 32)
	if err != nil {
		return nil, fmt.Errorf("auth-playback-secret: %w", err)
	}
	return playbackKeys{newPlaybackKey(derived)}, nil
}

func newPlaybackKey(secret []byte) playbackKey {
	sum := sha256.Sum256(append([]byte("kid:"), secret...))
	return playbackKey{id: base64.RawURLEncoding.EncodeToString(sum[:9]), secret: secret}
}

// named finds the key that a token's header names. The header is not verified
// yet: it only chooses between the ways a token may be verified.
func (k playbackKeys) named(token string) (playbackKey, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(headerOf(token))
	if err != nil {
		return playbackKey{}, false
	}
	var header struct {
		Kid string `json:"kid"`
	}
	if json.Unmarshal(raw, &header) != nil || header.Kid == "" {
		return playbackKey{}, false
	}
	for _, key := range k {
		if key.id == header.Kid {
			return key, true
		}
	}
	return playbackKey{}, false
}

// playbackClaims are the claims of contract section 4.2.
type playbackClaims struct {
	jwt.RegisteredClaims
	Recording int64 `json:"rid"`
}

func (v *Verifier) verifyPlayback(token string, key playbackKey) (Claims, error) {
	var claims playbackClaims
	_, err := jwt.NewParser(
		jwt.WithValidMethods(secretAlgorithms), jwt.WithTimeFunc(v.now), jwt.WithLeeway(v.cfg.Leeway),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithAudience(playbackAudience), jwt.WithStrictDecoding(),
	).ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return key.secret, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Claims{}, expired
	case err != nil:
		return Claims{}, invalid
	}
	user, ok := userID(claims.Subject)
	if !ok || claims.Recording <= 0 || claims.ID == "" {
		return Claims{}, invalid
	}
	return Claims{User: user, Playback: claims.Recording, Expires: claims.ExpiresAt.Time}, nil
}

// Minter signs tokens.
type Minter struct {
	access   []byte // "" when only a JWKS is configured
	playback playbackKey
	now      func() time.Time
}

// NewMinter prepares the keys to sign with.
func NewMinter(cfg Config, now func() time.Time) (*Minter, error) {
	keys, err := newPlaybackKeys(cfg)
	if err != nil {
		return nil, err
	}
	return &Minter{access: []byte(cfg.JWTSecret), playback: keys[0], now: now}, nil
}

// Access signs an access token as simplejwt would.
func (m *Minter) Access(user int64, ttl time.Duration) (string, error) {
	if len(m.access) == 0 {
		return "", errors.New("auth-jwt-secret: needed to sign access tokens; the keys of a JWKS only verify")
	}
	now := m.now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"token_type": "access", "exp": now.Add(ttl).Unix(), "iat": now.Unix(), "jti": newJTI(),
		"user_id": strconv.FormatInt(user, 10),
	}).SignedString(m.access)
}

// Playback signs a token that opens one recording.
func (m *Minter) Playback(user, recording int64, ttl time.Duration) (string, error) {
	now := m.now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, playbackClaims{
		Recording: recording,
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: strconv.FormatInt(user, 10), Audience: jwt.ClaimStrings{playbackAudience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(ttl)), ID: newJTI(),
		},
	})
	token.Header["kid"] = m.playback.id
	return token.SignedString(m.playback.secret)
}

// newJTI is 32 hexadecimal digits, as simplejwt's.
func newJTI() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
