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

// Reasons that errors of this package carry, beyond their Kind. ClassOf says what a caller
// can do about each.
const (
	ReasonCredentials  = "invalid_credentials"    // the token endpoint refuses the app
	ReasonScope        = "missing_scope"          // the app lacks a scope, named in the text
	ReasonPermission   = "no_permission"          // code 200, or 403 of the API
	ReasonNoRecording  = "no_recording"           // 3301: nothing there, not yet, or in the trash
	ReasonNoUser       = "no_such_user"           // 1001, 1010
	ReasonBadPage      = "invalid_page"           // 300: page token expired, or a date
	ReasonNoList       = "answer_is_no_list"      // 200 without what was asked for
	ReasonNotAPI       = "not_an_api_answer"      // an error status without Zoom's error body
	ReasonRateLimited  = "rate_limited"           // 429 after all retries
	ReasonDailyLimit   = "daily_limit"            // 429 until a moment hours away
	ReasonExpiredToken = "token_refused"          // 401, 124 even with a fresh token
	ReasonHost         = "download_host_refused"  // a link that must not be followed
	ReasonPage         = "download_is_a_page"     // 200 with HTML, JSON or XML
	ReasonRange        = "download_range_invalid" // a response for another range
	ReasonLinkExpired  = "download_link_expired"  // a signed link is refused
	ReasonForbidden    = "download_forbidden"     // 403 of a file host
	ReasonNotReady     = "download_not_ready"     // 404 or 3301 of a file host
)

// ReasonOf is the reason of an error of this package, or "".
func ReasonOf(err error) string { return media.ReasonOf(err) }

// apiError is the body of Zoom's refusals; the token endpoint spells it differently.
type apiError struct {
	Code  text `json:"code"`
	Error text `json:"error"`
}

// scopes finds the scopes that error 4711 names.
var scopes = regexp.MustCompile(`scopes?:?\s*\[([a-zA-Z0-9_:., -]*)\]`)

// refusal turns an answer of the API that is not a success into an error. It holds none of
// Zoom's texts, except for the names of scopes. A 400, 403 or 404 without Zoom's error code
// is the page of a proxy or of Zoom's front end, and passes.
func refusal(op string, status int, header http.Header, body []byte) error {
	code := codeOf(body)
	fail := func(kind media.Kind, reason, format string, args ...any) error {
		e := media.Faultf(kind, op, format, args...).(*media.Error) //nolint:errorlint // Faultf returns nothing else
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
		if m := scopes.FindSubmatch(body); m != nil && len(m[1]) > 0 {
			named = string(m[1])
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
	case code == 0 && (status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusBadRequest):
		return fail(media.Unavailable, ReasonNotAPI, "status %d without an error of the API", status)
	case status == http.StatusForbidden:
		return fail(media.Denied, ReasonPermission, "status 403")
	case status == http.StatusNotFound:
		return fail(media.NotFound, "", "status 404, code %d", code)
	case status >= 500, status == http.StatusRequestTimeout:
		return fail(media.Unavailable, "", "status %d", status)
	default:
		return fail(media.Invalid, "", "status %d, code %d", status, code)
	}
}

// codeOf is the error code in the body of an answer, 0 when it has none.
func codeOf(body []byte) int {
	var in apiError
	_ = json.Unmarshal(body, &in) // what is not JSON has no code
	code, _ := strconv.Atoi(string(in.Code))
	return code
}

// tokenRefusal is refusal for the token endpoint, where a 4xx is about the credentials and
// does not pass.
func tokenRefusal(op string, status int, header http.Header, body []byte) error {
	if status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout {
		var in apiError
		_ = json.Unmarshal(body, &in)
		e := media.Faultf(media.Denied, op, "Zoom refuses the app's credentials (status %d%s): check account id, client id and secret, and that the app is activated", status, word(string(in.Error))).(*media.Error) //nolint:errorlint // Faultf returns nothing else
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

// network turns a failed exchange into an error that does not quote the URL.
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

// retryAfter reads the header in the forms that occur: seconds, an HTTP date, and the ISO
// 8601 time that Zoom sends with its daily limit, which RFC 9110 section 10.2.3 does not
// allow. It is at most media.MaxRetryAfter.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	for _, layout := range momentLayouts {
		if at, err := time.Parse(layout, v); err == nil {
			return media.Until(at, now)
		}
	}
	return media.ParseRetryAfter(v, now)
}
