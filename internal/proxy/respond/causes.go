package respond

import (
	"context"
	"errors"

	"github.com/lectiospace/lectern/internal/media"
)

// Why a request's context ended before its answer did.
var (
	ErrHangup  = errors.New("the client closed the connection")
	ErrTimeout = errors.New("no answer within the timeout")
	ErrDrained = errors.New("the server is shutting down")
)

// Cause returns the cause with which ctx has ended, and err while it has not. What a request
// waits for fails when its context ends, with an error that says less. A refusal stays: it was
// decided.
func Cause(ctx context.Context, err error) error {
	if media.RefusalOf(err) == nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
	}
	return err
}
