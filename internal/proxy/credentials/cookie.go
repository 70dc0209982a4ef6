package credentials

import (
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/forwarded"
)

// AddPartitionedCookie adds a cookie of a player that is embedded in a page of another site.
// Browsers send it to frames of other sites' pages (SameSite=None) and keep it apart for each
// site whose page is on top (Partitioned, CHIPS): no other site's frames get it. Both need
// Secure; browsers take that over plain http from loopback addresses only.
func AddPartitionedCookie(c *fasthttp.RequestCtx, name, value string, life time.Duration, path string) {
	c.Response.Header.Add("Set-Cookie", fmt.Sprintf("%s=%s; Max-Age=%d; Path=%s; HttpOnly; SameSite=None; Secure; Partitioned", name, value, max(0, int64(life/time.Second)), path))
}

// AddCookie adds a Set-Cookie header to the answer; a life below 1 s removes the cookie.
// SameSite=Lax keeps the cookie out of what pages of other sites load and send, and lets a link
// from them open a page signed in.
func AddCookie(c *fasthttp.RequestCtx, links forwarded.Resolver, name, value string, life time.Duration, path string) {
	text := fmt.Sprintf("%s=%s; Max-Age=%d; Path=%s; HttpOnly; SameSite=Lax", name, value, max(0, int64(life/time.Second)), path)
	if links.Secure(c) {
		text += "; Secure"
	}
	c.Response.Header.Add("Set-Cookie", text)
}
