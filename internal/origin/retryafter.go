package origin

import (
	"net/http"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// RetryAfter is how long an answer asks to wait (RFC 9110 section 10.2.3), bounded as
// media.ParseRetryAfter does; 0 when it does not ask.
func RetryAfter(h http.Header) time.Duration {
	return media.ParseRetryAfter(h.Get("Retry-After"), time.Now())
}
