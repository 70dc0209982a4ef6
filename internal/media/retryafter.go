package media

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter bounds how long another side can make us wait: a service whose clock or
// configuration is wrong must not put a job off for years. Quotas last a day at most.
const MaxRetryAfter = 24 * time.Hour

// ParseRetryAfter reads the value of Retry-After, seconds or a date (RFC 9110 section 10.2.3),
// as a wait from now on. It is between 0, also for what is neither, and MaxRetryAfter.
func ParseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) { // also what 64 bits cannot hold
			return MaxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return Until(at, now)
	}
	return 0
}

// Until is the wait for a moment that another side states, between 0 and MaxRetryAfter.
func Until(at, now time.Time) time.Duration {
	return min(max(0, at.Sub(now)), MaxRetryAfter)
}
