package doctor

import (
	"net/netip"
	"net/url"
	"strings"
)

// PublicURL checks that the base of the links is https, or on this machine; "" means that
// it is taken from each request.
func (r *Report) PublicURL(base string) {
	switch u, _ := url.Parse(base); {
	case base == "":
		r.pass(namePublicURL, "taken from each request")
	case !isSecure(u):
		r.warn(namePublicURL, "put TLS in front and set public-url to https://…", "%s is not https: tokens and cookies travel in the clear", base)
	default:
		r.pass(namePublicURL, "%s", base)
	}
}

// CORS checks that the web origins that may read answers are https, or on this machine.
func (r *Report) CORS(origins []string) {
	var insecure []string
	for _, o := range origins {
		if u, err := url.Parse(o); err == nil && !isSecure(u) {
			insecure = append(insecure, o)
		}
	}
	switch {
	case len(insecure) > 0:
		r.warn(nameCORS, "use the https form of these origins", "%s may read answers over plain http", strings.Join(insecure, ", "))
	case len(origins) == 0:
		r.pass(nameCORS, "no other web origin may read answers")
	default:
		r.pass(nameCORS, "%s may read answers", strings.Join(origins, ", "))
	}
}

// TrustedProxies warns of networks that contain every address.
func (r *Report) TrustedProxies(networks []netip.Prefix) {
	for _, p := range networks {
		if p.Bits() == 0 {
			r.warn(nameTrustedProxies, "list only the addresses of your own proxies in trusted-proxies", "%s lets anybody write what address they come from", p)
		}
	}
}

// isSecure reports whether what is sent to u cannot be read on the way.
func isSecure(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
}

// Configuration reports why serve would refuse the settings; refused is nil when it would not.
func (r *Report) Configuration(refused error, detail string, args ...any) {
	if refused != nil {
		r.fail(nameConfiguration, "correct it as `--help` says: `serve` refuses to start", "%v", refused)
		return
	}
	r.pass(nameConfiguration, detail, args...)
}
