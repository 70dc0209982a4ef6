package zoom

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Account is one teacher's server-to-server OAuth app.
type Account struct {
	ID           string // Zoom's account id
	ClientID     string
	ClientSecret string // a secret
	UserID       string // whose recordings are listed; "" means the app's owner
}

// Complete reports whether all three credentials are there.
func (a Account) Complete() bool { return a.ID != "" && a.ClientID != "" && a.ClientSecret != "" }

// Trimmed is the account without blanks around its fields, which people paste.
func (a Account) Trimmed() Account {
	return Account{strings.TrimSpace(a.ID), strings.TrimSpace(a.ClientID), strings.TrimSpace(a.ClientSecret), strings.TrimSpace(a.UserID)}
}

// user is the path element that names whose recordings are meant.
func (a Account) user() string {
	if a.UserID == "" {
		return "me"
	}
	return a.UserID
}

// key identifies the credentials without holding the secret. Changed credentials have
// another key.
func (a Account) key() string {
	sum := sha256.Sum256([]byte(a.ID + "\x00" + a.ClientID + "\x00" + a.ClientSecret))
	return hex.EncodeToString(sum[:])
}
