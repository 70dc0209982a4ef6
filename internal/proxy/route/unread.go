package route

import "github.com/valyala/fasthttp"

// bodyUnread is the key of a user value.
type bodyUnread struct{}

// SetBodyUnread says that a request's body was larger than is read, so that it seems empty.
func SetBodyUnread(c *fasthttp.RequestCtx) { c.SetUserValue(bodyUnread{}, true) }

// BodyUnread reports whether a request's body was not read, since it is too large.
func BodyUnread(c *fasthttp.RequestCtx) bool { return c.UserValue(bodyUnread{}) != nil }
