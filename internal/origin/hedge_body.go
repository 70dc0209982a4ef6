package origin

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Open implements Opener.
func (h *hedger) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	h.began()
	b := &hedgedBody{h: h, ctx: ctx, obj: obj, left: span}
	if err := b.open(); err != nil {
		b.rivals.Wait()
		return nil, err
	}
	return b, nil
}

// hedgedBody is one read: a current request, whose bytes it hands on, and, while that is
// late, a rival. One goroutine uses it; the timer and the rival have one each.
//
//	          late                   rival's first bytes come first
//	current ───────▶ current, rival ────────────────────────────────▶ rival is current
//	   ▲                   │
//	   └───────────────────┘
//	    current goes on: the rival is cancelled
type hedgedBody struct {
	h   *hedger
	ctx context.Context
	obj media.Object

	left    media.Span    // yet to be read; changed while nothing is awaited
	waited  time.Duration // for the current request's first byte, which has not come
	started bool          // the current request has brought bytes
	cancel  context.CancelFunc
	body    io.ReadCloser
	head    []byte      // what a rival had read when it became current
	headErr error       // that came with it
	timer   *time.Timer // of the wait; nil before the first
	rivals  sync.WaitGroup

	mu     sync.Mutex
	since  time.Time // when the wait began; guarded by mu
	lateAt time.Time // when what is awaited will be late; zero = nothing is awaited; guarded by mu
	rival  *rival    // of the wait; guarded by mu
	// decided: the first byte was late, and whether it gets a rival has been decided.
	// Guarded by mu.
	decided bool
}

// rival is a second request for what a read waits for.
type rival struct {
	cancel context.CancelFunc
	ended  chan struct{} // closed when it has won, lost or failed

	// Set before ended is closed.
	body    io.ReadCloser // nil unless it has won
	head    []byte        // its first bytes
	headErr error         // that came with them
}

// open makes the first request.
func (b *hedgedBody) open() (err error) {
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(b.ctx)
	b.await()
	b.body, err = b.h.next.Open(ctx, b.obj, b.left)
	if err == nil {
		b.answered()
		return nil
	}
	if b.arrived(false, err) {
		return nil
	}
	b.cancel()
	return err
}

// answered ends the wait for the current request's answer. That is not the first byte: a
// rival goes on, so that the wait for the first byte has one rival and not two.
func (b *hedgedBody) answered() {
	b.timer.Stop()
	if r := b.endWait(false); r != nil && b.hasWon(r) {
		<-r.ended
		b.replace(r)
	}
}

// Read implements io.Reader.
func (b *hedgedBody) Read(p []byte) (n int, err error) {
	if len(b.head) == 0 && b.headErr == nil {
		b.await()
		n, err = b.body.Read(p)
		b.arrived(n > 0 || errors.Is(err, io.EOF), err)
	}
	if len(b.head) > 0 || b.headErr != nil {
		// A rival has become current: what the former one has brought is not used.
		n, err = copy(p, b.head), nil
		if b.head = b.head[n:]; len(b.head) == 0 {
			err, b.headErr = b.headErr, nil
		}
	}
	if n > 0 && !b.started {
		b.started = true
		b.h.reads.add(b.waited)
	}
	b.left.Off, b.left.Len = b.left.Off+int64(n), b.left.Len-int64(n)
	return n, err
}

// await begins a wait for the current request.
func (b *hedgedBody) await() {
	late := b.h.reads.late(lateBody)
	if !b.started {
		// A response without bytes is not the first byte.
		late = b.h.reads.late(lateFirstByte) - b.waited
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since = time.Now()
	if !b.started && b.decided {
		// The answer came late: the wait for its first byte is the same one, which is
		// neither counted nor given a rival again.
		return
	}
	b.lateAt = b.since.Add(late)
	if b.timer == nil {
		b.timer = time.AfterFunc(late, b.late)
	} else {
		b.timer.Reset(late)
	}
}

// late is the timer's: what is awaited has not come in time.
func (b *hedgedBody) late() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lateAt.IsZero() || time.Now().Before(b.lateAt) || b.rival != nil || b.left.Len == 0 {
		return // the wait has ended, the timer is that of an earlier one, or nothing is left
	}
	b.decided = true
	if !b.h.slots.tryAcquire() {
		b.h.count(hedgeSkipped)
		return
	}
	if !b.h.allow(b.ctx) {
		b.h.slots.release()
		b.h.count(hedgeSkipped)
		return
	}
	ctx, cancel := context.WithCancel(b.ctx)
	r := &rival{cancel: cancel, ended: make(chan struct{})}
	b.rival = r
	span := b.left
	b.rivals.Go(func() { b.compete(ctx, r, span) })
}

// compete requests what the read waits for, and ends the current request when bytes come
// while it is still awaited. The slot of a rival that wins becomes free with the current
// request's end.
func (b *hedgedBody) compete(ctx context.Context, r *rival, span media.Span) {
	defer close(r.ended)
	began := time.Now()
	body, err := b.h.next.Open(ctx, b.obj, span)
	head := make([]byte, min(span.Len, 32<<10))
	n := 0
	for err == nil && n == 0 {
		n, err = body.Read(head)
	}
	if n > 0 {
		b.h.reads.add(time.Since(began))
		if b.win(r, body, head[:n], err) {
			return
		}
	} else {
		b.h.failed(err)
	}
	r.cancel()
	if body != nil {
		body.Close()
	}
	b.h.slots.release()
	b.h.count(hedgeLost)
}

// win reports whether the read still waits, and ends the current request then.
func (b *hedgedBody) win(r *rival, body io.ReadCloser, head []byte, err error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rival != r {
		return false
	}
	r.body, r.head, r.headErr = body, head, err
	b.cancel()
	return true
}

// arrived ends a wait. The current request has brought something, or has failed with err.
// It reports whether a rival has become the current request: what the former one has
// brought must not be used then.
func (b *hedgedBody) arrived(something bool, err error) (replaced bool) {
	b.timer.Stop()
	b.h.failed(err)
	r := b.endWait(something || !media.KindOf(err).Passing())
	if r == nil {
		return false
	}
	<-r.ended
	if r.body == nil {
		return false
	}
	b.replace(r)
	return true
}

func (b *hedgedBody) hasWon(r *rival) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return r.body != nil
}

// endWait returns the rival that has won, or that may still win because the current
// request has failed. One that does not matter any more, since the wait is decided, is
// cancelled.
func (b *hedgedBody) endWait(decided bool) *rival {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.started {
		b.waited += time.Since(b.since)
	}
	b.lateAt = time.Time{}
	r := b.rival
	if r != nil && r.body == nil && decided {
		b.rival = nil
		r.cancel()
		return nil
	}
	return r
}

// replace makes a rival that has won the current request. The slot that it took becomes
// free with the end of the former one.
func (b *hedgedBody) replace(r *rival) {
	b.h.count(hedgeWon)
	if !b.started {
		b.h.reads.add(b.waited) // at least: it would have taken longer
	}
	b.cancel()
	if b.body != nil {
		b.body.Close()
	}
	b.h.slots.release()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rival = nil
	b.cancel, b.body, b.head, b.headErr, b.started = r.cancel, r.body, r.head, r.headErr, true
}

// Close implements io.Closer.
func (b *hedgedBody) Close() error {
	b.cancel()
	b.endRival()
	err := b.body.Close()
	b.rivals.Wait()
	return err
}

// endRival ends a rival that competes, or has won, while nobody reads.
func (b *hedgedBody) endRival() {
	r := b.endWait(true)
	if r == nil {
		return
	}
	<-r.ended
	if r.body != nil {
		r.cancel()
		r.body.Close()
		b.h.slots.release()
		b.h.count(hedgeLost)
	}
}
