package media

import "time"

// Role is what the database, never a token, says a user is. Unknown words stay
// as they are and open nothing.
type Role string

// The roles of the platform.
const (
	RoleStudent Role = "student"
	RoleTeacher Role = "teacher"
	RoleAdmin   Role = "admin"
)

// User is a person of the catalog.
type User struct {
	ID     int64
	Role   Role
	Active bool
}

// TokenSource says where in a request a token stood.
type TokenSource uint8

// The places a token may stand, in the order they are looked at.
const (
	FromHeader TokenSource = iota + 1 // Authorization: Bearer
	FromQuery                         // ?token=
	FromCookie                        // lectern_playback
)

// Token is a credential as it arrived. Value is a secret: it must not reach a
// log, a metric or an error text.
type Token struct {
	Value string
	From  TokenSource
}

// Viewer is an authenticated user together with what the token limits them to.
type Viewer struct {
	User User
	// Playback is the one recording a playback token opens; 0 for an access token.
	Playback int64
	// Expires is when the token ends.
	Expires time.Time
}
