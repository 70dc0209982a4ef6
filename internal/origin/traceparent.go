package origin

import (
	"net/http"

	"github.com/lectiospace/lectern/internal/media"
)

// WithTraceparent has requests carry the traceparent of their context, where there is one,
// so that an origin's own trace joins ours. A redirect to another host gets none: what
// connects our requests is nobody else's concern.
func WithTraceparent(next http.RoundTripper) http.RoundTripper { return traceparentSender{next} }

type traceparentSender struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (s traceparentSender) RoundTrip(req *http.Request) (*http.Response, error) {
	traceparent := media.TraceparentOf(req.Context())
	if traceparent == "" || redirectedAway(req) {
		return s.next.RoundTrip(req)
	}
	req = req.Clone(req.Context()) // a RoundTripper must not change its request
	req.Header.Set("Traceparent", traceparent)
	return s.next.RoundTrip(req)
}

// redirectedAway reports whether a redirect has led a request to another host.
func redirectedAway(req *http.Request) bool {
	for r := req; r.Response != nil && r.Response.Request != nil; r = r.Response.Request {
		if r.Response.Request.URL.Host != req.URL.Host {
			return true
		}
	}
	return false
}

// CloseIdleConnections closes those of the next RoundTripper, as http.Client wants it.
func (s traceparentSender) CloseIdleConnections() {
	if c, ok := s.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
