package media

import "time"

// Role is a user's role according to the database, never to a token. An unknown role is
// kept as it is and gives no access.
type Role string

// The roles of the platform.
const (
	RoleStudent Role = "student"
	RoleTeacher Role = "teacher"
	RoleAdmin   Role = "admin"
)

// User is a user of the platform.
type User struct {
	ID     int64
	Role   Role
	Active bool
}

// TokenSource is the part of a request that carried a token.
type TokenSource uint8

// The sources, in order of precedence.
const (
	FromHeader  TokenSource = iota + 1 // Authorization: Bearer
	FromQuery                          // ?token=
	FromCookie                         // lectern_playback
	FromSession                        // lectern_session
	FromEmbed                          // lectern_embed
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
	// Playback is the one recording that a playback token is valid for; 0 for an access
	// token.
	Playback int64
	// Embedded is whether the token is an embedded player's, for whose requests only it is valid.
	Embedded bool
	// Expires is when the token expires.
	Expires time.Time
}
