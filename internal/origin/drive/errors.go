package drive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"github.com/lectiospace/lectern/internal/media"
)

// quotaReasons are used up for hours: asking again only makes it longer.
var quotaReasons = map[string]bool{"downloadQuotaExceeded": true, "dailyLimitExceeded": true, "quotaExceeded": true}

// busyReasons are over soon: Drive wants the caller to go slower.
var busyReasons = map[string]bool{"userRateLimitExceeded": true, "rateLimitExceeded": true, "sharingRateLimitExceeded": true, "backendError": true}

// fault gives an error of the API or of the network its Kind. A status of 403
// means nothing without its reason. The texts of Drive and of URLs stay out.
func fault(op string, err error) error {
	var apiErr *googleapi.Error
	var tokenErr *oauth2.RetrieveError
	var netErr net.Error
	switch {
	case errors.As(err, &apiErr):
		reason := reasonOf(apiErr)
		return &media.Error{Kind: kindOf(apiErr.Code, reason), Op: op, Reason: reason, RetryAfter: retryAfter(apiErr.Header), Err: fmt.Errorf("status %d", apiErr.Code)}
	case media.KindOf(err) == media.Canceled, errors.Is(err, context.Canceled):
		return media.Fault(media.Canceled, op, context.Canceled)
	case errors.As(err, &tokenErr):
		return media.Faultf(media.Unavailable, op, "no access token: %s", tokenErr.ErrorCode)
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return media.Faultf(media.Timeout, op, "no answer in time")
	default:
		var opErr *net.OpError
		if errors.As(err, &opErr) {
			return media.Faultf(media.Unavailable, op, "%s: %w", opErr.Op, opErr.Err)
		}
		return media.Faultf(media.Unavailable, op, "the connection failed")
	}
}

// reasonOf is the first machine-readable reason, if it is one.
func reasonOf(e *googleapi.Error) string {
	for _, item := range e.Errors {
		if fileID.MatchString(item.Reason) {
			return item.Reason
		}
	}
	return ""
}

func kindOf(status int, reason string) media.Kind {
	switch {
	case quotaReasons[reason]:
		return media.Quota
	case busyReasons[reason], status == http.StatusTooManyRequests, status >= 500:
		return media.Unavailable
	case status == http.StatusUnauthorized: // after a renewal: credentials that stopped working may be mended
		return media.Unavailable
	case status == http.StatusForbidden:
		return media.Denied
	case status == http.StatusNotFound:
		return media.NotFound
	case status == http.StatusRequestTimeout:
		return media.Timeout
	case status == http.StatusRequestedRangeNotSatisfiable:
		return media.Changed // the size is not what it was
	case status >= 400:
		return media.Invalid
	default:
		return media.Corrupt
	}
}

// retryAfter reads both forms of the header.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(v); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
