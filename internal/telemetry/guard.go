package telemetry

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxProfile bounds profiles and traces, in seconds: each slows the process down while
// it lasts.
const maxProfile = 60

// guard protects the operators' routes from web pages that an operator's browser has
// open. The admin listener has no authentication, so a browser on its network is all
// that such a page needs:
//
//   - A page whose name resolves to the listener's address after its first answer (DNS
//     rebinding) is of the same origin for the browser. The browser still names it in
//     Host, so that Host has to be an address, localhost, or the listen name.
//   - A page of another origin sends requests whose answers it cannot read. Browsers mark
//     them with Sec-Fetch-Site or Origin. Unsafe methods need application/json besides,
//     which no page sends across origins without a preflight.
//   - A page may show the listener in a frame below its own buttons.
//
// Metrics and probes change nothing and stay open to every client.
type guard struct {
	next http.Handler
	// listenName is the host of the setting admin-listen; "" when it has none.
	listenName string
	// scripted are prefixes of pages whose own scripts send changes without a content
	// type. A request that the browser marks as the page's own needs none there.
	scripted []string
}

func newGuard(next http.Handler, listen string) *guard {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		host = ""
	}
	return &guard{next: next, listenName: host}
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch r.URL.Path { // as it was sent: "/metrics/../cache/purge" is none of them
	case "/metrics", "/healthz", "/readyz":
		g.next.ServeHTTP(w, r)
		return
	}
	if problem := g.refusal(r); problem != "" {
		answer(w, http.StatusForbidden, map[string]string{"detail": problem, "code": "forbidden"})
		return
	}
	if strings.HasPrefix(r.URL.Path, "/debug/pprof/") && !profileBounded(r) {
		answer(w, http.StatusBadRequest, map[string]string{"detail": "Profiles and traces last at most " + strconv.Itoa(maxProfile) + " seconds.", "code": "bad_request"})
		return
	}
	g.next.ServeHTTP(w, r)
}

// refusal is why a request is not answered, or "".
func (g *guard) refusal(r *http.Request) string {
	if !g.ownHost(r.Host) {
		return "The Host of the admin listener is an address, localhost or the name it listens on."
	}
	if crossSite(r) {
		return "The admin listener takes no requests of other web pages."
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return ""
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/json" {
		return ""
	}
	for _, prefix := range g.scripted {
		if strings.HasPrefix(r.URL.Path, prefix) && ofOwnPage(r) {
			return ""
		}
	}
	return "Send changes as application/json."
}

// ownHost reports whether a Host cannot be a name that somebody else controls.
func (g *guard) ownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return strings.EqualFold(host, "localhost") || g.listenName != "" && strings.EqualFold(host, g.listenName)
}

// crossSite reports whether a browser marks a request as that of a page of another
// origin. Pages of the same site are others too: every port of localhost is one site.
// Clients that are no browsers send neither field.
//
// https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
func crossSite(r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	for _, origin := range r.Header.Values("Origin") {
		if !sameOrigin(origin, r.Host) {
			return true
		}
	}
	return false
}

// sameOrigin reports whether origin is that of host. Its scheme may be either: TLS may
// end in front of the listener. "null" is the origin of a sandboxed frame, and no other's.
func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host)
}

// ofOwnPage reports whether a browser says that a request is one of a page of this
// listener. It is called after crossSite.
func ofOwnPage(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "same-origin" || r.Header.Get("Origin") != ""
}

// profileBounded reports whether a profile ends within maxProfile.
func profileBounded(r *http.Request) bool {
	text := r.FormValue("seconds") // as package pprof reads it
	if text == "" {
		return true
	}
	seconds, err := strconv.ParseFloat(text, 64)
	return err == nil && seconds <= maxProfile
}
