package origin

import (
	"context"
	"errors"
	"io"

	"github.com/lectiospace/lectern/internal/media"
)

// Verify checks that a body has exactly span.Len bytes. One that ends early or goes on
// for longer is Corrupt. The last byte of a body that ends with an error is withheld, so that
// Retry has something left to request: without it a connection that breaks behind the last byte,
// before the end is known, would fail a read that one that breaks before it does not. A body that is too
// long is not continued: what it began with may be wrong as well.
func Verify(next Origin) Origin { return wrapped{next, verifier{next}} }

type verifier struct{ next Opener }

func (v verifier) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	if span.Len <= 0 || span.Off < 0 || span.Len > obj.Size-span.Off {
		return nil, media.Faultf(media.Invalid, "origin: open", "span %d+%d of %d bytes", span.Off, span.Len, obj.Size)
	}
	body, err := v.next.Open(ctx, obj, span)
	if err != nil {
		return nil, err
	}
	return &verifiedBody{body, span.Len}, nil
}

type verifiedBody struct {
	io.ReadCloser
	left int64
}

func (b *verifiedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	switch {
	case b.left == 0:
		// An error that comes together with the last byte still counts: the origin may
		// have found at its end that the version has changed.
		if err == nil || errors.Is(err, io.EOF) {
			err = b.end()
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong) {
			b.left = 1
			return n - 1, err
		}
		return n, err
	case errors.Is(err, io.EOF):
		return n, media.Fault(media.Corrupt, "origin: body", io.ErrUnexpectedEOF)
	}
	return n, err
}

var errTooLong = errors.New("more bytes than were asked for")

// end reads the end of the body, where an origin may report a failed check of its own.
func (b *verifiedBody) end() error {
	var one [1]byte
	for range 100 {
		n, err := b.ReadCloser.Read(one[:])
		switch {
		case n > 0:
			return media.Fault(media.Corrupt, "origin: body", errTooLong)
		case errors.Is(err, io.EOF):
			return io.EOF
		case err != nil:
			return err
		}
	}
	return media.Fault(media.Corrupt, "origin: body", io.ErrNoProgress)
}
