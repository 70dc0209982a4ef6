package proxy

import (
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// publicBase is what absolute links begin with, without a final slash: PublicURL
// or, when there is none, how this request says it came: scheme and Host.
func (s *Server) publicBase(c *fasthttp.RequestCtx) string {
	if s.cfg.PublicURL != "" {
		return strings.TrimRight(s.cfg.PublicURL, "/")
	}
	host := string(c.Host())
	if !plausibleHost(host) {
		host = c.LocalAddr().String()
	}
	if s.secure(c) {
		return "https://" + host
	}
	return "http://" + host
}

// secure reports whether people reach us by https: PublicURL says so, or a
// trusted proxy does, of this request.
func (s *Server) secure(c *fasthttp.RequestCtx) bool {
	if s.cfg.PublicURL != "" {
		u, err := url.Parse(s.cfg.PublicURL)
		if err == nil && u.Scheme == "https" {
			return true
		}
	}
	if !trustedAddress(peerAddress(c.RemoteAddr()), s.cfg.TrustedProxies) {
		return false
	}
	// Of a chain of proxies each appends its own word; the first is about the client.
	first, _, _ := strings.Cut(string(c.Request.Header.Peek("X-Forwarded-Proto")), ",")
	return strings.EqualFold(trimOWS(first), "https")
}

// plausibleHost takes a Host of letters, digits and the marks of names, addresses
// and ports. It ends up in links, so nothing else is repeated.
func plausibleHost(host string) bool {
	for _, r := range host {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("-._:[]", r) {
			continue
		}
		return false
	}
	return host != ""
}
