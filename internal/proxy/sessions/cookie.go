package sessions

import (
	"github.com/lectiospace/lectern/internal/proxy/credentials"
)

// cookie is the header's value; a life of 0 s removes the cookie.
func (x *request) cookie(token string, life int64) string {
	return x.attributes(credentials.SessionCookie, token, life, "/")
}

func (x *request) attributes(name, value string, life int64, path string) string {
	return credentials.SetCookie(name, value, life, path, x.h.Links.Secure(x.c))
}
