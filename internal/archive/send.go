package archive

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// sendStall is how long a request may move no byte of its body and get no answer.
const sendStall = 60 * time.Second

// Send runs a request that sends body. It cancels the request's context, and returns Timeout,
// when for a minute no byte of the body is read: the connection is stuck. A timeout of the
// whole would end slow uploads that progress.
func Send(ctx context.Context, op string, body io.ReadSeeker, request func(ctx context.Context, body io.ReadSeekCloser) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := &watchedBody{ReadSeeker: body}
	watched.timer = time.AfterFunc(sendStall, func() { watched.stalled.Store(true); cancel() })
	defer watched.timer.Stop()
	err := request(ctx, watched)
	if err != nil && watched.stalled.Load() {
		return media.Faultf(media.Timeout, op, "no byte moved for %s", sendStall)
	}
	return err
}

// watchedBody puts off the end of its request with each read.
type watchedBody struct {
	io.ReadSeeker
	timer   *time.Timer
	stalled atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(sendStall)
	return b.ReadSeeker.Read(p)
}

// Close implements io.Closer for HTTP clients, which close bodies: the file is its owner's.
func (b *watchedBody) Close() error { return nil }
