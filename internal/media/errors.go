package media

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind is the closed list of errors that cross package borders. Each kind's HTTP status is
// decided in proxy/respond/status.go.
type Kind uint8

// The kinds. Other is the zero value, so that a forgotten kind is an internal
// error and never, by accident, something milder.
const (
	Other       Kind = iota // an unforeseen error
	NotFound                // it certainly does not exist; never a guess
	Denied                  // the principal has no right to it; a retry does not help
	Unavailable             // unreachable or overloaded; a later retry may help
	Quota                   // a quota is used up; a retry before RetryAfter makes it worse
	Timeout                 // no answer, or no byte, within the deadline
	Changed                 // the object is no longer the requested version
	Corrupt                 // the response is not what was requested: wrong range, length, type or checksum
	Invalid                 // the request itself is wrong
	Canceled                // the caller canceled
)

var kindNames = [...]string{"other", "not_found", "denied", "unavailable", "quota", "timeout", "changed", "corrupt", "invalid", "canceled"}

// String is the kind's name as metrics and logs write it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "other"
}

// Passing reports whether the same operation may succeed soon.
func (k Kind) Passing() bool { return k == Unavailable || k == Timeout || k == Corrupt }

// Error is an error with its kind. Its text never contains a token or a secret.
type Error struct {
	Kind Kind
	// Op names the operation, as "drive: open".
	Op string
	// Reason is a code that says more than the kind: the origin's own (Drive's error
	// reason), or one of this package's Reason constants; "" when there is none.
	Reason string
	// RetryAfter is how long to wait before a retry, as the other side said; 0 = it did not.
	RetryAfter time.Duration
	// Err is the cause, or nil.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Op + ": " + e.Kind.String()
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// Fault makes an Error of a kind around a cause, which may be nil.
func Fault(kind Kind, op string, err error) error { return &Error{Kind: kind, Op: op, Err: err} }

// Faultf makes an Error of a kind from a text.
func Faultf(kind Kind, op, format string, args ...any) error {
	return &Error{Kind: kind, Op: op, Err: fmt.Errorf(format, args...)}
}

// KindOf is the kind of an error: that of the outermost Error in its chain,
// else Canceled or Timeout for a context's end, else Other. KindOf(nil) is Other.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	default:
		return Other
	}
}

// RetryAfterOf is how long to wait before a retry, 0 when the other side did not say.
func RetryAfterOf(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// ReasonOf is the reason of the outermost Error in an error's chain, or "".
func ReasonOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}
