package proxy

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Check returns an error of the form "setting: what is wrong with it", which quotes the origin.
func (c EmbedConfig) Check() error {
	seen := map[string]bool{}
	for _, origin := range c.Origins {
		if problem := embedOriginProblem(origin); problem != "" {
			return fmt.Errorf("embed-origins: %q %s", origin, problem)
		}
		if seen[origin] {
			return fmt.Errorf("embed-origins: %q is listed twice", origin)
		}
		seen[origin] = true
	}
	return nil
}

// embedOriginProblem is what is wrong with a web origin, "" for nothing. The origin becomes a
// source of frame-ancestors, where a star would stand for many hosts and a semicolon would end
// the directive, and it is compared with what browsers call the origin of a message. So only
// the browser's own spelling is accepted: lower case, without the port that the scheme has
// anyway (RFC 6454 section 6.2), and without anything behind it.
func embedOriginProblem(origin string) string {
	const form = "is not a web origin: write https://HOST or https://HOST:PORT, as https://lms.example.org"
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil {
		return form
	}
	host := u.Hostname()
	switch {
	case strings.HasPrefix(u.Host, "["):
		return "has an IPv6 address, which frame-ancestors cannot name: give the host a name"
	case host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "":
		return form + "; one exact host, in lower case, with an international name in its xn-- form"
	case u.Scheme == "http" && !isLoopback(host):
		return "is plain http: only https is accepted, and http on a loopback address"
	case origin != u.Scheme+"://"+u.Host || strings.HasSuffix(u.Host, ":"):
		return form
	case u.Port() != "" && (u.Port() == map[string]string{"http": "80", "https": "443"}[u.Scheme] || !isPort(u.Port())):
		return "has a port that browsers leave out, or that is none: " + form
	}
	return ""
}

// isPort reports whether a port is one, as browsers write it.
func isPort(text string) bool {
	port, err := netip.ParseAddrPort("127.0.0.1:" + text)
	return err == nil && port.Port() > 0 && fmt.Sprint(port.Port()) == text
}

// isLoopback reports whether a host name is of the machine itself, as browsers decide it.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}
