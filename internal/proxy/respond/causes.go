package respond

import "errors"

// Why a request's context ended before its answer did.
var (
	ErrHangup  = errors.New("the client closed the connection")
	ErrTimeout = errors.New("no answer within the timeout")
	ErrDrained = errors.New("the server is shutting down")
)
