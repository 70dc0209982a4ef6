package zoom

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/lectiospace/lectern/internal/failpoint"
	"github.com/lectiospace/lectern/internal/media"
)

// stalledAfter is how long a download may deliver nothing.
const stalledAfter = 60 * time.Second

// readerCloser reads from one place and closes another.
type readerCloser struct {
	io.Reader
	io.Closer
}

// failedReader fails with err; it is empty where that is nil.
type failedReader struct{ err error }

func (r failedReader) Read([]byte) (int, error) { return 0, cmp.Or(r.err, io.EOF) }

// watchdogBody is a body that fails when no byte has come for stalledAfter.
type watchdogBody struct {
	io.Reader
	body   io.Closer
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

var errStalled = errors.New("the download stalled")

func newWatchdogBody(ctx context.Context, cancel context.CancelCauseFunc, body io.ReadCloser) *watchdogBody {
	return &watchdogBody{
		Reader: body, body: body, ctx: ctx, cancel: cancel,
		timer: time.AfterFunc(stalledAfter, func() { cancel(errStalled) }),
	}
}

func (w *watchdogBody) Read(p []byte) (int, error) {
	w.timer.Reset(stalledAfter)
	if err := failpoint.Err("zoom.read"); err != nil {
		return 0, network(w.ctx, "zoom: download", err)
	}
	n, err := w.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		if errors.Is(context.Cause(w.ctx), errStalled) {
			return n, media.Faultf(media.Timeout, "zoom: download", "no byte for %s", stalledAfter)
		}
		return n, network(w.ctx, "zoom: download", err)
	}
	return n, err
}

func (w *watchdogBody) Close() error {
	w.timer.Stop()
	w.cancel(nil)
	return w.body.Close()
}
