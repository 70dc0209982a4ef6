// Package forwarded reads what a request says of the way it came: the client's
// address, the scheme and the host, through reverse proxies or without.
package forwarded

import (
	"net"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"
)

// Resolver knows which peers' X-Forwarded-* headers are believed. The zero value
// believes nobody's. Safe for concurrent use.
type Resolver struct {
	// PublicURL is the base of absolute links; "" = taken from the request.
	PublicURL string
	// TrustedProxies are the peers whose X-Forwarded-* headers are believed.
	TrustedProxies []netip.Prefix
}

// Client returns the client's address for the access log and the auth-failure
// limiter, and whether the peer is a trusted proxy. The address is the zero Addr
// where the connection has none (a Unix socket).
func (r Resolver) Client(c *fasthttp.RequestCtx) (client netip.Addr, trusted bool) {
	peer := peerAddress(c.RemoteAddr())
	if !trustedAddress(peer, r.TrustedProxies) {
		return peer, false
	}
	var lines []string
	for _, line := range c.Request.Header.PeekAll("X-Forwarded-For") {
		lines = append(lines, string(line))
	}
	return clientAddress(peer, strings.Join(lines, ","), r.TrustedProxies), true
}

// clientAddress returns the peer or, where the peer is a trusted proxy, the
// rightmost address of X-Forwarded-For that is not one. Everything left of that
// address was written by somebody untrusted. An element that is no address ends
// the walk at the last proxy that was one.
func clientAddress(peer netip.Addr, forwardedFor string, trusted []netip.Prefix) netip.Addr {
	client := peer.Unmap()
	for trustedAddress(client, trusted) && forwardedFor != "" {
		var last string
		if comma := strings.LastIndexByte(forwardedFor, ','); comma >= 0 {
			forwardedFor, last = forwardedFor[:comma], forwardedFor[comma+1:]
		} else {
			forwardedFor, last = "", forwardedFor
		}
		if last = strings.Trim(last, optionalWhitespace); last == "" {
			continue
		}
		addr, ok := parseAddress(last)
		if !ok {
			break
		}
		client = addr
	}
	return client
}

// optionalWhitespace is OWS of RFC 9110 section 5.6.3.
const optionalWhitespace = " \t"

// parseAddress parses an address with or without a port, IPv6 with or without
// brackets. A zone is dropped: it means nothing on another machine.
func parseAddress(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}

func trustedAddress(addr netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// peerAddress is the address of the other end of the connection; the zero Addr,
// which is never trusted, when it has none (a Unix socket).
func peerAddress(addr net.Addr) netip.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		ip, _ := netip.AddrFromSlice(tcp.IP)
		return ip.Unmap()
	}
	return netip.Addr{}
}
