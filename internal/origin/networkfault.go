package origin

import (
	"context"
	"errors"
	"net"

	"github.com/lectiospace/lectern/internal/media"
)

// NetworkFault gives an error without an answer of the service its Kind: Timeout, or
// Unavailable. It holds the operation and the cause of the network, and no URL: that may
// hold a secret.
func NetworkFault(op string, err error) error {
	var netErr net.Error
	var opErr *net.OpError
	switch {
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return media.Faultf(media.Timeout, op, "no answer in time")
	case errors.As(err, &opErr):
		return media.Faultf(media.Unavailable, op, "%s: %w", opErr.Op, opErr.Err)
	default:
		return media.Faultf(media.Unavailable, op, "the connection failed")
	}
}
