package origin

import (
	"net/http"

	"github.com/lectiospace/lectern/internal/failpoint"
)

// WithFailpoints makes each request of a client a point at which tests end the process or
// have it fail, by the request's method. In a production build it is next.
func WithFailpoints(next http.RoundTripper) http.RoundTripper {
	if !failpoint.Enabled {
		return next
	}
	return failingTransport{next}
}

type failingTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t failingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := failpoint.ErrOf("origin.request", r.Method); err != nil {
		return nil, err
	}
	resp, err := t.next.RoundTrip(r)
	failpoint.HereOf("origin.answer", r.Method)
	return resp, err
}
