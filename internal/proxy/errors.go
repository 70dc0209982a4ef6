package proxy

import (
	"errors"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// The statuses this package answers with. statusClosed is nginx's number for a
// client that went away; it stands in logs and metrics, nobody reads it.
const (
	statusOK              = 200
	statusCreated         = 201
	statusAccepted        = 202
	statusNoContent       = 204
	statusPartial         = 206
	statusNotModified     = 304
	statusBadRequest      = 400
	statusUnauthorized    = 401
	statusForbidden       = 403
	statusNotFound        = 404
	statusMethod          = 405
	statusTimeout         = 408
	statusConflict        = 409
	statusGone            = 410
	statusPrecondition    = 412
	statusTooLarge        = 413
	statusMediaType       = 415
	statusUnsatisfiable   = 416
	statusTooMany         = 429
	statusHeadersTooLarge = 431
	statusClosed          = 499
	statusInternal        = 500
	statusBadGateway      = 502
	statusUnavailable     = 503
	statusGatewayTimeout  = 504
)

// The codes of answers that are not refusals of the shared vocabulary.
const (
	codeInternal        media.Code = "internal"
	codePrecondition    media.Code = "precondition_failed"
	codeUnsatisfiable   media.Code = "range_not_satisfiable"
	codeBadRequest      media.Code = "bad_request"
	codeRequestTimeout  media.Code = "request_timeout"
	codeTooLarge        media.Code = "request_too_large"
	codeHeadersTooLarge media.Code = "headers_too_large"
)

// Why an exchange's context ended before its body did.
var (
	errHangup  = errors.New("the client went away")
	errSlow    = errors.New("nothing came within the origin timeout")
	errDrained = errors.New("the server stops")
)

// step is how far an exchange had come when it failed; the same Kind means
// something else when it comes from the catalog than from an origin.
type step uint8

const (
	stepAccess step = iota // admission, credentials, the access decision
	stepOrigin             // the object's identity and its bytes
)

// problem is an answer other than the bytes: status and body.
type problem struct {
	status     int
	retryAfter time.Duration // 0 = no Retry-After

	Detail   string               `json:"detail"`
	Code     media.Code           `json:"code,omitempty"`
	Messages []media.TokenMessage `json:"messages,omitempty"`
}

// problemFor turns what went wrong into an answer. This is the only place where
// codes and kinds meet HTTP. The texts are fixed: an error's own text may name
// paths and ids that are nobody's business.
func problemFor(err error, at step) problem {
	if r := media.RefusalOf(err); r != nil {
		return problemOfRefusal(r)
	}
	switch {
	case errors.Is(err, errHangup):
		return problem{status: statusClosed}
	case errors.Is(err, errDrained):
		return problemOfRefusal(media.Refuse(media.CodeOverloaded, "The server is being restarted, please try again."))
	case errors.Is(err, errSlow):
		err = media.Fault(media.Timeout, "proxy: wait", err)
	}
	code, detail := codeInternal, "Internal error."
	switch kind := media.KindOf(err); {
	case at == stepAccess && (kind == media.Unavailable || kind == media.Timeout || kind == media.Canceled):
		code, detail = media.CodeCatalogDown, "The catalog cannot be reached, please try again."
	case at == stepOrigin:
		code, detail = codeOfOriginFault(kind)
	}
	r := media.Refuse(code, detail)
	r.RetryAfter = media.RetryAfterOf(err)
	return problemOfRefusal(r)
}

func codeOfOriginFault(kind media.Kind) (media.Code, string) {
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
		return codeInternal, "Internal error."
	}
}

// problemOfRefusal gives a code its status, and a Retry-After where coming back
// helps.
func problemOfRefusal(r *media.Refusal) problem {
	p := problem{Detail: r.Detail, Code: r.Code, Messages: r.Messages}
	var wait time.Duration
	switch r.Code {
	case media.CodeNotAuthenticated, media.CodeTokenNotValid, media.CodeUserNotFound, media.CodeUserInactive:
		p.status = statusUnauthorized
	case media.CodeNoAccess, media.CodeWrongRecording:
		p.status = statusForbidden
	case media.CodeNotFound, media.CodeNoMedia:
		p.status = statusNotFound
	case media.CodeProcessing:
		p.status, wait = statusConflict, 30*time.Second
	case media.CodeExpired:
		p.status = statusGone
	case media.CodeThrottled:
		p.status, wait = statusTooMany, time.Minute
	case media.CodeTooManyStreams:
		p.status, wait = statusTooMany, 5*time.Second
	case media.CodeOriginInvalid:
		p.status = statusBadGateway
	case media.CodeOriginDown, media.CodeCatalogDown, media.CodeOverloaded:
		p.status, wait = statusUnavailable, 5*time.Second
	case media.CodeOriginQuota:
		p.status, wait = statusUnavailable, time.Minute
	case media.CodeOriginTimeout:
		p.status = statusGatewayTimeout
	default:
		return problem{status: statusInternal, Detail: "Internal error.", Code: codeInternal}
	}
	if wait > 0 {
		p.retryAfter = wait
		if r.RetryAfter > 0 {
			p.retryAfter = r.RetryAfter
		}
	}
	return p
}

// outcomeOf names how a body ended, for the log.
func outcomeOf(err error) string {
	switch r := media.RefusalOf(err); {
	case err == nil:
		return "complete"
	case r != nil:
		return "revoked"
	case errors.Is(err, errHangup):
		return "hangup"
	case errors.Is(err, errDrained):
		return "cut"
	case errors.Is(err, errStalled):
		return "stalled"
	case errors.Is(err, errPanic):
		return "panic"
	case errors.Is(err, errSlow):
		return media.Timeout.String()
	default:
		return media.KindOf(err).String()
	}
}
