package zoom

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Reasons that errors of this package carry, beyond their Kind.
const (
	ReasonCredentials  = "invalid_credentials"    // the token endpoint refuses the app
	ReasonScope        = "missing_scope"          // the app lacks a scope, named in the text
	ReasonPermission   = "no_permission"          // Zoom's 200 or 400 with code 200
	ReasonNoRecording  = "no_recording"           // 3301: nothing there, or already gone
	ReasonNoUser       = "no_such_user"           // 1001, 1010
	ReasonBadPage      = "invalid_page"           // 300: page token over, or a date
	ReasonRateLimited  = "rate_limited"           // 429 after all patience
	ReasonDailyLimit   = "daily_limit"            // 429 until a moment hours away
	ReasonExpiredToken = "token_refused"          // 401, 124 even with a fresh token
	ReasonHost         = "download_host_refused"  // a link that must not be followed
	ReasonPage         = "download_is_a_page"     // 200 with text for people
	ReasonRange        = "download_range_invalid" // an answer for another range
)

// ReasonOf is the reason of an error of this package, or "".
func ReasonOf(err error) string {
	var e *media.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// apiError is the body of Zoom's refusals; the token endpoint spells it differently.
type apiError struct {
	Code    text `json:"code"`
	Message text `json:"message"`
	Reason  text `json:"reason"`
	Error   text `json:"error"`
}

// scopes finds the scopes that error 4711 names.
var scopes = regexp.MustCompile(`scopes?:?\s*\[([a-zA-Z0-9_:., -]*)\]`)

// refusal turns an answer that is not a success into an error. The texts of Zoom
// stay out, but for the names of scopes.
func refusal(op string, status int, header http.Header, body []byte) error {
	var in apiError
	_ = json.Unmarshal(body, &in) // what is not JSON leaves it empty: the status speaks
	code, _ := strconv.Atoi(string(in.Code))
	fail := func(kind media.Kind, reason, format string, args ...any) error {
		e := media.Faultf(kind, op, format, args...).(*media.Error)
		e.Reason = reason
		e.RetryAfter = retryAfter(header, time.Now())
		return e
	}
	switch {
	case status == http.StatusTooManyRequests:
		if strings.EqualFold(header.Get("X-RateLimit-Type"), "daily-limit") {
			return fail(media.Quota, ReasonDailyLimit, "the account's daily limit is used up")
		}
		return fail(media.Unavailable, ReasonRateLimited, "status 429")
	case code == 4711:
		named := "one that Zoom did not name"
		if m := scopes.FindStringSubmatch(string(in.Message)); m != nil && m[1] != "" {
			named = m[1]
		}
		return fail(media.Denied, ReasonScope, "the app lacks a scope: %s", named)
	case code == 3301:
		return fail(media.NotFound, ReasonNoRecording, "there is no such recording at Zoom")
	case code == 1001, code == 1010:
		return fail(media.Denied, ReasonNoUser, "the user is not on this Zoom account")
	case code == 200:
		return fail(media.Denied, ReasonPermission, "the app has not the right permissions")
	case code == 300:
		return fail(media.Invalid, ReasonBadPage, "an invalid page token or date")
	case status == http.StatusUnauthorized || code == 124:
		return fail(media.Denied, ReasonExpiredToken, "the access token was refused")
	case status == http.StatusForbidden:
		return fail(media.Denied, ReasonPermission, "status 403")
	case status == http.StatusNotFound:
		return fail(media.NotFound, "", "status 404")
	case status >= 500, status == http.StatusRequestTimeout:
		return fail(media.Unavailable, "", "status %d", status)
	default:
		return fail(media.Invalid, "", "status %d, code %d", status, code)
	}
}

// tokenRefusal is refusal for the token endpoint: what is 4xx there is about the
// credentials, and nobody's patience changes it.
func tokenRefusal(op string, status int, header http.Header, body []byte) error {
	if status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout {
		var in apiError
		_ = json.Unmarshal(body, &in)
		e := media.Faultf(media.Denied, op, "Zoom refuses the app's credentials (status %d%s): check account id, client id and secret, and that the app is activated", status, word(string(in.Error))).(*media.Error)
		e.Reason = ReasonCredentials
		return e
	}
	return refusal(op, status, header, body)
}

// word is an error's machine name, when it looks like one.
func word(s string) string {
	if !regexp.MustCompile(`^[a-z_]{1,40}$`).MatchString(s) {
		return ""
	}
	return ", " + s
}

// network turns a failed exchange into an error without the URL in it.
func network(ctx context.Context, op string, err error) error {
	var netErr net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return media.Fault(media.Canceled, op, context.Canceled)
	case ctx.Err() != nil:
		return media.Fault(media.Timeout, op, ctx.Err())
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return media.Faultf(media.Timeout, op, "no answer in time")
	}
	var known *media.Error
	if errors.As(err, &known) {
		return known
	}
	var opErr *net.OpError
	if errors.As(err, &opErr) {
		return media.Faultf(media.Unavailable, op, "%s: %w", opErr.Op, opErr.Err)
	}
	return media.Faultf(media.Unavailable, op, "the connection failed")
}

// retryAfter reads the header in the forms that are seen: seconds, an HTTP date,
// and the ISO 8601 moment that Zoom sends with its daily limit although RFC 9110
// section 10.2.3 knows no such form.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.Atoi(v); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, at.Sub(now))
	}
	for _, layout := range momentLayouts {
		if at, err := time.Parse(layout, v); err == nil {
			return max(0, at.Sub(now))
		}
	}
	return 0
}
