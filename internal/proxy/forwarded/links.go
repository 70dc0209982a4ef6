package forwarded

import (
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// BaseURL is the base of absolute links, without a final slash: PublicURL or, when
// there is none, the scheme and Host of this request.
func (r Resolver) BaseURL(c *fasthttp.RequestCtx) string {
	if r.PublicURL != "" {
		return strings.TrimRight(r.PublicURL, "/")
	}
	host := string(c.Host())
	if !plausibleHost(host) {
		host = c.LocalAddr().String()
	}
	if r.Secure(c) {
		return "https://" + host
	}
	return "http://" + host
}

// BasePath is the path of BaseURL as it stands in addresses, "" for most.
func (r Resolver) BasePath(c *fasthttp.RequestCtx) string {
	u, err := url.Parse(r.BaseURL(c))
	if err != nil {
		return ""
	}
	return u.EscapedPath()
}

// Secure reports whether the client uses https: PublicURL says so, or a trusted
// proxy says so of this request.
func (r Resolver) Secure(c *fasthttp.RequestCtx) bool {
	if r.PublicURL != "" {
		u, err := url.Parse(r.PublicURL)
		if err == nil && u.Scheme == "https" {
			return true
		}
	}
	if !trustedAddress(peerAddress(c.RemoteAddr()), r.TrustedProxies) {
		return false
	}
	// Each proxy of a chain appends its own scheme; the first is the client's.
	first, _, _ := strings.Cut(string(c.Request.Header.Peek("X-Forwarded-Proto")), ",")
	return strings.EqualFold(strings.Trim(first, optionalWhitespace), "https")
}

// plausibleHost accepts a Host of letters, digits and the punctuation of names,
// addresses and ports, that is the host of a URL. Links repeat it, so nothing else is
// accepted.
func plausibleHost(host string) bool {
	for _, r := range host {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("-._:[]", r) {
			continue
		}
		return false
	}
	u, err := url.Parse("http://" + host)
	return err == nil && u.Hostname() != ""
}
