package zoom

import "net/netip"

// globallyReachable reports whether an address is that of a host in the public internet,
// as the IANA special-purpose address registries state it (RFC 6890; the column "Globally
// Reachable"). Ranges without a statement count as not reachable.
//
// https://www.iana.org/assignments/iana-ipv4-special-registry
// https://www.iana.org/assignments/iana-ipv6-special-registry
func globallyReachable(a netip.Addr) bool {
	if a = a.Unmap(); a.Zone() != "" {
		return false
	}
	if translated.Contains(a) { // leads to the IPv4 address in its last four bytes
		bytes := a.As16()
		a = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if a.Is6() && !globalUnicast6.Contains(a) || within(a, notReachable) && !within(a, reachableWithin) {
		return false
	}
	return a.IsValid()
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

var (
	// translated is the prefix of NAT64 (RFC 6052 section 2.1).
	translated = netip.MustParsePrefix("64:ff9b::/96")
	// globalUnicast6 is all of IPv6 that is allocated to hosts (RFC 4291 section 2.4).
	globalUnicast6 = netip.MustParsePrefix("2000::/3")

	notReachable = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	)
	// reachableWithin are the exceptions within notReachable.
	reachableWithin = prefixes(
		"192.0.0.9/32", "192.0.0.10/32",
		"2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28",
	)
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}
