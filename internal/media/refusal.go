package media

import (
	"errors"
	"time"
)

// Code is the closed list of refusals. Codes are in the bodies of error responses, so
// clients depend on them. Each code's HTTP status is decided in proxy/respond/status.go.
type Code string

// The codes, in the order in which refusals are considered.
const (
	CodeNotAuthenticated Code = "not_authenticated"
	CodeTokenNotValid    Code = "token_not_valid"
	CodeCodeNotValid     Code = "code_not_valid"
	CodeUserNotFound     Code = "user_not_found"
	CodeUserInactive     Code = "user_inactive"
	CodeCSRF             Code = "csrf"
	CodeNotFound         Code = "not_found"
	CodeNoMedia          Code = "no_media"
	CodeNoAccess         Code = "no_access"
	CodeWrongRecording   Code = "wrong_recording"
	CodeExpired          Code = "expired"
	CodeOtherSession     Code = "other_session"
	CodeProcessing       Code = "processing"
	CodeThrottled        Code = "throttled"
	CodeTooManyStreams   Code = "too_many_streams"
	CodeOriginInvalid    Code = "origin_invalid"
	CodeOriginDown       Code = "origin_unavailable"
	CodeOriginQuota      Code = "origin_quota"
	CodeOriginTimeout    Code = "origin_timeout"
	CodeCatalogDown      Code = "catalog_unavailable"
	CodeOverloaded       Code = "overloaded"
)

// TokenMessage is why a token was refused, in the shape of Django's simplejwt.
type TokenMessage struct {
	Class   string `json:"token_class"`
	Type    string `json:"token_type"`
	Message string `json:"message"`
}

// Refusal is a decision, not a failure: the request is refused for the reason Code.
type Refusal struct {
	Code Code
	// Detail is one sentence for a person.
	Detail string
	// Messages are set with CodeTokenNotValid only.
	Messages []TokenMessage
	// Forged: no trusted key signed the token or the code, or a callback of a sign-in is not of
	// this browser, so that it may be a guess. Such refusals are limited by client address.
	Forged bool
	// RetryAfter is when a retry may succeed; 0 = never.
	RetryAfter time.Duration
}

// Error implements error.
func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Detail }

// Refuse makes a Refusal.
func Refuse(code Code, detail string) *Refusal { return &Refusal{Code: code, Detail: detail} }

// RefuseToken refuses a token, in simplejwt's words and for one of its reasons.
func RefuseToken(message string) *Refusal {
	r := Refuse(CodeTokenNotValid, "Given token not valid for any token type")
	r.Messages = []TokenMessage{{Class: "AccessToken", Type: "access", Message: message}}
	return r
}

// RefusalOf is the Refusal in an error's chain, or nil.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}
