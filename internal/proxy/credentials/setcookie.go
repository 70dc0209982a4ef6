package credentials

import "fmt"

// SetCookie is the value of a Set-Cookie header; a life of 0 s removes the cookie. SameSite=Lax
// keeps the cookie out of what pages of other sites load and send, and lets a link from them
// open a page signed in.
func SetCookie(name, value string, life int64, path string, secure bool) string {
	text := fmt.Sprintf("%s=%s; Max-Age=%d; Path=%s; HttpOnly; SameSite=Lax", name, value, life, path)
	if secure {
		text += "; Secure"
	}
	return text
}
