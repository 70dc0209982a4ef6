package origin

import (
	"errors"
	"io"

	"github.com/lectiospace/lectern/internal/media"
)

// FaultBody gives the errors of an HTTP body their kinds: a body that ends early is Corrupt,
// others are what fault makes of them. Closing it unread closes its connection, which is what
// stops the transfer. It is used by one goroutine at a time.
func FaultBody(body io.ReadCloser, op string, fault func(op string, err error) error) io.ReadCloser {
	return faultBody{body, op, fault}
}

type faultBody struct {
	io.ReadCloser
	op    string
	fault func(op string, err error) error
}

func (b faultBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, media.Fault(media.Corrupt, b.op, io.ErrUnexpectedEOF)
	default:
		return n, b.fault(b.op, err)
	}
}
