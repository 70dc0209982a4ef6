// Package respond writes answers: JSON bodies, and errors as an HTTP status with a
// body. status.go is the only file of the gateway that maps refusal codes, error
// kinds and reasons to HTTP statuses.
package respond

import (
	"errors"
	"net/http"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// StatusClientClosed is nginx's status for a client that closed the connection. It
// appears in logs and metrics; no client receives it.
const StatusClientClosed = 499

// The codes of answers that are not refusals of the shared vocabulary.
const (
	CodeInternal        media.Code = "internal"
	CodePrecondition    media.Code = "precondition_failed"
	CodeUnsatisfiable   media.Code = "range_not_satisfiable"
	CodeBadRequest      media.Code = "bad_request"
	CodeRequestTimeout  media.Code = "request_timeout"
	CodeTooLarge        media.Code = "request_too_large"
	CodeHeadersTooLarge media.Code = "headers_too_large"
	CodeTargetTooLong   media.Code = "uri_too_long"
	CodeVersion         media.Code = "http_version_not_supported"
	CodeExpectation     media.Code = "expectation_failed"
	CodeCoding          media.Code = "transfer_coding_not_supported"
)

// Upstream is what a request was waiting for when it failed: the same kind of error
// has another status when it comes from the catalog than when it comes from an
// origin.
type Upstream uint8

// The upstreams of a request.
const (
	Catalog Upstream = iota // users, recordings, and the access decision
	Origin                  // the object's identity and its bytes
)

// Problem is an answer that says what went wrong: status and body.
type Problem struct {
	Status     int           `json:"-"`
	RetryAfter time.Duration `json:"-"` // 0 = no Retry-After

	Detail   string               `json:"detail"`
	Code     media.Code           `json:"code,omitempty"`
	Messages []media.TokenMessage `json:"messages,omitempty"`
	SignIn   *SignIn              `json:"sign_in,omitempty"`
}

// SignIn is a sign-in that a page may offer where nobody is signed in.
type SignIn struct {
	// URL is a path below the public URL, to which ?next= adds where to come back to.
	URL   string `json:"url"`
	Label string `json:"label"`
}

// ProblemOf maps an error to an answer. The texts are fixed: an error's own text
// may name paths and ids that a client must not see.
func ProblemOf(err error, from Upstream) Problem {
	if r := media.RefusalOf(err); r != nil {
		return ProblemOfRefusal(r)
	}
	switch {
	case errors.Is(err, ErrHangup):
		return Problem{Status: StatusClientClosed}
	case errors.Is(err, ErrDrained):
		return ProblemOfRefusal(media.Refuse(media.CodeOverloaded, "The server is being restarted, please try again."))
	case errors.Is(err, ErrTimeout):
		err = media.Fault(media.Timeout, "proxy: wait", err)
	}
	code, detail := CodeInternal, "Internal error."
	switch kind := media.KindOf(err); {
	case from == Catalog && (kind == media.Unavailable || kind == media.Timeout || kind == media.Canceled):
		code, detail = media.CodeCatalogDown, "The catalog cannot be reached, please try again."
	case from == Origin:
		code, detail = codeOfOriginError(kind)
	}
	r := media.Refuse(code, detail)
	r.RetryAfter = media.RetryAfterOf(err)
	return ProblemOfRefusal(r)
}

func codeOfOriginError(kind media.Kind) (media.Code, string) {
	switch kind {
	case media.NotFound:
		return media.CodeNoMedia, "The recording's file does not exist."
	case media.Denied, media.Corrupt, media.Invalid, media.Changed:
		return media.CodeOriginInvalid, "The storage did not give the recording's file."
	case media.Unavailable, media.Canceled:
		return media.CodeOriginDown, "The storage cannot be reached, please try again."
	case media.Quota:
		return media.CodeOriginQuota, "The storage's quota is used up, please try again later."
	case media.Timeout:
		return media.CodeOriginTimeout, "The storage did not answer in time."
	default:
		return CodeInternal, "Internal error."
	}
}

// ProblemOfRefusal maps a refusal's code to a status, and to a Retry-After where
// coming back helps.
func ProblemOfRefusal(r *media.Refusal) Problem {
	p := Problem{Detail: r.Detail, Code: r.Code, Messages: r.Messages}
	var wait time.Duration
	switch r.Code {
	case media.CodeNotAuthenticated, media.CodeTokenNotValid, media.CodeCodeNotValid, media.CodeUserNotFound, media.CodeUserInactive:
		p.Status = http.StatusUnauthorized
	case media.CodeSignInRefused:
		p.Status = http.StatusBadRequest
	case media.CodeNoAccess, media.CodeNoAccount, media.CodeWrongRecording, media.CodeCSRF:
		p.Status = http.StatusForbidden
	case media.CodeNotFound, media.CodeNoMedia:
		p.Status = http.StatusNotFound
	case media.CodeOtherSession:
		p.Status = http.StatusConflict
	case media.CodeProcessing:
		p.Status, wait = http.StatusConflict, 30*time.Second
	case media.CodeExpired:
		p.Status = http.StatusGone
	case media.CodeThrottled:
		p.Status, wait = http.StatusTooManyRequests, time.Minute
	case media.CodeTooManyStreams:
		p.Status, wait = http.StatusTooManyRequests, 5*time.Second
	case media.CodeProviderDown:
		p.Status, wait = http.StatusBadGateway, 5*time.Second
	case media.CodeOriginInvalid:
		p.Status = http.StatusBadGateway
	case media.CodeOriginDown, media.CodeCatalogDown, media.CodeOverloaded:
		p.Status, wait = http.StatusServiceUnavailable, 5*time.Second
	case media.CodeOriginQuota:
		p.Status, wait = http.StatusServiceUnavailable, time.Minute
	case media.CodeOriginTimeout:
		p.Status = http.StatusGatewayTimeout
	default:
		return Problem{Status: http.StatusInternalServerError, Detail: "Internal error.", Code: CodeInternal}
	}
	if wait > 0 {
		p.RetryAfter = wait
		if r.RetryAfter > 0 {
			p.RetryAfter = r.RetryAfter
		}
	}
	return p
}

// StatusOfEdit is the status of an edit of a recording that was turned down: for
// media.NotFound, and for media.Denied by its reason; 0 for any other error, which
// ProblemOf maps.
func StatusOfEdit(err error) (status int, reason string) {
	var e *media.Error
	switch kind := media.KindOf(err); {
	case kind == media.NotFound:
		return http.StatusNotFound, ""
	case kind != media.Denied || !errors.As(err, &e):
		return 0, ""
	}
	switch e.Reason {
	case media.ReasonSubscription, media.ReasonNotOwner:
		status = http.StatusForbidden
	case media.ReasonNoMeeting, media.ReasonNoAccount:
		status = http.StatusBadRequest
	case media.ReasonGoneAtZoom:
		status = http.StatusNotFound
	case media.ReasonQuota:
		status = http.StatusConflict
	case media.ReasonPurged:
		status = http.StatusGone
	}
	return status, e.Reason
}
