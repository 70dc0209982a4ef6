package origin

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// wholeStall is how long a whole read waits for the next bytes. Nobody watches meanwhile.
const wholeStall = time.Minute

// ReadWhole reads an object from its beginning as a chain of bounded reads of one version,
// step bytes each: origins bill the requested bytes, and a read that ends early has then
// requested at most one step too many. Timeout: nothing has come for a minute. It is used by one
// goroutine at a time.
func ReadWhole(ctx context.Context, from Opener, obj media.Object, step int64) io.ReadCloser {
	return &wholeReader{ctx: ctx, from: watchdog{from, wholeStall, func() {}}, obj: obj, step: step}
}

type wholeReader struct {
	ctx  context.Context
	from Opener
	obj  media.Object
	step int64
	at   int64
	body io.ReadCloser // nil between two reads
}

func (r *wholeReader) Read(p []byte) (int, error) {
	if r.body == nil {
		if r.at >= r.obj.Size {
			return 0, io.EOF
		}
		body, err := r.from.Open(r.ctx, r.obj, media.Span{Off: r.at, Len: min(r.step, r.obj.Size-r.at)})
		if err != nil {
			return 0, err
		}
		r.body = body
	}
	n, err := r.body.Read(p)
	r.at += int64(n)
	if errors.Is(err, io.EOF) {
		err = r.Close()
	}
	return n, err
}

func (r *wholeReader) Close() error {
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
