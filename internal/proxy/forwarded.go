package proxy

import (
	"net"
	"net/netip"
	"strings"
)

// clientAddress finds who asks, for the log and the brake: the peer, or, where the peer is a
// trusted proxy, the rightmost address of X-Forwarded-For that is not one.
// Everything left of that address was written by somebody we do not trust.
// An element that is no address ends the walk at the last proxy that was one.
func clientAddress(peer netip.Addr, forwardedFor string, trusted []netip.Prefix) netip.Addr {
	client := peer.Unmap()
	for trustedAddress(client, trusted) && forwardedFor != "" {
		var last string
		if cut := strings.LastIndexByte(forwardedFor, ','); cut >= 0 {
			forwardedFor, last = forwardedFor[:cut], forwardedFor[cut+1:]
		} else {
			forwardedFor, last = "", forwardedFor
		}
		if last = trimOWS(last); last == "" {
			continue
		}
		addr, ok := readAddress(last)
		if !ok {
			break
		}
		client = addr
	}
	return client
}

// readAddress reads an address with or without a port, IPv6 with or without
// brackets. A zone is dropped: it means nothing on another machine.
func readAddress(s string) (netip.Addr, bool) {
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
// which nobody trusts, when it has none (a Unix socket).
func peerAddress(addr net.Addr) netip.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		ip, _ := netip.AddrFromSlice(tcp.IP)
		return ip.Unmap()
	}
	return netip.Addr{}
}
