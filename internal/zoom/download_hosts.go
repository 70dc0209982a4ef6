package zoom

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/lectiospace/lectern/internal/media"
)

// publicOnly refuses connections to addresses that are not public: the name in a redirect
// is not ours, and may resolve to a host of our own network.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("not an address")
	}
	if !globallyReachable(at.Addr()) {
		return refusedHost("a redirect to an address that is not public")
	}
	return nil
}

func refusedHost(why string) error {
	return &media.Error{Kind: media.Denied, Op: "zoom: download", Reason: ReasonHost, Err: errors.New(why)}
}

// mayHaveToken reports whether a redirect's target is a host that the token may be sent to.
func (d downloader) mayHaveToken(u *url.URL) bool {
	listed, byAddress := d.downloads.contains(u.Hostname())
	return listed && (u.Scheme == "https" || u.Scheme == "http" && byAddress)
}

// hasSignature reports whether a link carries a signature in its query, as those of
// CloudFront and S3 do.
func hasSignature(u *url.URL) bool {
	for name := range u.Query() {
		switch strings.ToLower(name) {
		case "signature", "x-amz-signature", "sig":
			return true
		}
	}
	return false
}

// checkLink checks the link itself.
func (d downloader) checkLink(u *url.URL) (*http.Client, error) {
	listed, byAddress := d.downloads.contains(u.Hostname())
	switch {
	case !listed:
		return nil, refusedHost("the download link's host is not one of zoom-download-hosts")
	case u.Scheme != "https" && !(u.Scheme == "http" && byAddress):
		return nil, refusedHost("the download link is not https")
	}
	return d.listed, nil
}

// checkRedirect checks where a redirect leads.
func (d downloader) checkRedirect(u *url.URL) (*http.Client, error) {
	for _, list := range []hostList{d.downloads, d.redirects} {
		if listed, byAddress := list.contains(u.Hostname()); listed && (u.Scheme == "https" || u.Scheme == "http" && byAddress) {
			return d.listed, nil
		}
	}
	if u.Scheme != "https" {
		return nil, refusedHost("a redirect that is not https")
	}
	return d.public, nil
}

// clientFor is the client for a host that no setting names. Where a proxy connects to it,
// every address of the host is judged first: the proxy may reach hosts of our own network
// on our behalf. A name that only the proxy can resolve cannot be judged, and fails.
func (d downloader) clientFor(req *http.Request) (*http.Client, error) {
	proxy, err := d.proxy(req)
	if err != nil {
		return nil, err
	}
	if proxy == nil {
		return d.public, nil
	}
	addresses, err := d.lookup(req.Context(), "ip", req.URL.Hostname())
	if err != nil {
		return nil, err
	}
	for _, a := range addresses {
		if !globallyReachable(a) {
			return nil, refusedHost("a redirect to an address that is not public")
		}
	}
	return d.proxied, nil
}
