package media

import (
	"errors"
	"time"
)

// Code is the closed list of refusals a client can meet. They stand in the
// error bodies, so they are part of the contract; the HTTP status of each is
// decided in proxy/respond/status.go.
type Code string

// The codes, in the order in which refusals are considered.
const (
	CodeNotAuthenticated Code = "not_authenticated"
	CodeTokenNotValid    Code = "token_not_valid"
	CodeUserNotFound     Code = "user_not_found"
	CodeUserInactive     Code = "user_inactive"
	CodeNotFound         Code = "not_found"
	CodeNoMedia          Code = "no_media"
	CodeNoAccess         Code = "no_access"
	CodeWrongRecording   Code = "wrong_recording"
	CodeExpired          Code = "expired"
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

// TokenMessage is simplejwt's account of why a token was refused.
type TokenMessage struct {
	Class   string `json:"token_class"`
	Type    string `json:"token_type"`
	Message string `json:"message"`
}

// Refusal is a decision, not a fault: the answer is no, for the reason Code.
type Refusal struct {
	Code Code
	// Detail is one sentence for a person.
	Detail string
	// Messages go with token_not_valid only.
	Messages []TokenMessage
	// Forged: the token was not signed by anybody we believe, so that it may be a guess.
	Forged bool
	// RetryAfter is when to come back; 0 = it will not help.
	RetryAfter time.Duration
}

// Error implements error.
func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Detail }

// Refuse makes a Refusal.
func Refuse(code Code, detail string) *Refusal { return &Refusal{Code: code, Detail: detail} }

// RefusalOf finds the Refusal in an error's chain, or nil.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}
