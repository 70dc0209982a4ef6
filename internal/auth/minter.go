package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lectiospace/lectern/internal/media"
)

// Minter signs tokens. Safe for concurrent use.
type Minter struct {
	secrets atomic.Pointer[secretKeys]
	now     func() time.Time
}

// NewMinter prepares the keys to sign with. The error names the setting that is wrong.
func NewMinter(cfg Config, now func() time.Time) (*Minter, error) {
	m := &Minter{now: now}
	if err := m.SetSecrets(cfg); err != nil {
		return nil, err
	}
	return m, nil
}

// SetSecrets replaces the keys to sign with. The error names the setting that is wrong, and
// then nothing has changed.
func (m *Minter) SetSecrets(cfg Config) error {
	keys, err := newSecretKeys(cfg)
	if err == nil {
		m.secrets.Store(keys)
	}
	return err
}

// Access signs an access token as simplejwt 5.5.1 would. Without a JWT secret it fails.
func (m *Minter) Access(userID int64, ttl time.Duration) (string, error) {
	secret := m.secrets.Load().access
	if secret == nil {
		return "", errors.New("auth-jwt-secret: needed to sign access tokens; the keys of a JWKS only verify")
	}
	if err := checkID("user", userID); err != nil {
		return "", err
	}
	now := m.now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"token_type": "access",
		"exp":        now.Add(ttl).Unix(),
		"iat":        now.Unix(),
		"jti":        newJTI(),
		"user_id":    strconv.FormatInt(userID, 10),
	}).SignedString(secret)
}

// Grant signs a playback token for a recording. It is valid for twice the recording's
// duration, so that a viewer can pause and go back, within shortestGrant and longestGrant.
func (m *Minter) Grant(userID int64, rec media.Recording) (media.Grant, error) {
	life := max(2*min(rec.Duration, longestGrant/2), shortestGrant)
	token, expires, err := m.playbackToken(userID, rec.ID, life)
	return media.Grant{Token: token, Expires: expires}, err
}

const (
	shortestGrant = 2 * time.Hour
	longestGrant  = 24 * time.Hour
)

// Playback signs a token that opens one recording to one user for ttl.
func (m *Minter) Playback(userID, recordingID int64, ttl time.Duration) (string, error) {
	token, _, err := m.playbackToken(userID, recordingID, ttl)
	return token, err
}

func (m *Minter) playbackToken(userID, recordingID int64, ttl time.Duration) (token string, expires time.Time, err error) {
	if err := checkID("recording", recordingID); err != nil {
		return "", time.Time{}, err
	}
	return m.sign(m.secrets.Load().playback, userID, m.now().Add(ttl), jwt.MapClaims{"rid": recordingID})
}

// sign makes a token of one kind of Lectern's own: the claims that all kinds have, and more.
// The token expires at the whole second before until, which expires is.
func (m *Minter) sign(keys signingKeys, userID int64, until time.Time, more jwt.MapClaims) (token string, expires time.Time, err error) {
	if err := checkID("user", userID); err != nil {
		return "", time.Time{}, err
	}
	expires = time.Unix(until.Unix(), 0).UTC()
	claims := jwt.MapClaims{
		"sub": strconv.FormatInt(userID, 10),
		"aud": keys.audience,
		"iat": m.now().Unix(),
		"exp": expires.Unix(),
		"jti": newJTI(),
	}
	maps.Copy(claims, more)
	unsigned := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	key := keys.keys[0] // the first signs
	unsigned.Header["kid"] = key.id
	token, err = unsigned.SignedString(key.secret)
	return token, expires, err
}

// checkID refuses an id that no row has; what names the kind of row.
func checkID(what string, id int64) error {
	if id <= 0 {
		return fmt.Errorf("%s %d: an id is a positive number", what, id)
	}
	return nil
}

// newJTI is 32 hexadecimal digits, as simplejwt's.
func newJTI() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
