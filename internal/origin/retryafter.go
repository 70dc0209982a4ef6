package origin

import (
	"net/http"
	"strconv"
	"time"
)

// RetryAfter reads both forms of Retry-After (RFC 9110 section 10.2.3); 0 when there is none.
func RetryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(v); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
