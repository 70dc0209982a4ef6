package origin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Peeker reads the current content of a location, whichever version it is: the bytes of
// span, or fewer where the content ends before, and the size of the whole.
type Peeker interface {
	Peek(ctx context.Context, loc media.Location, span media.Span) (body io.ReadCloser, size int64, err error)
}

const (
	// peekLen is how many bytes a peek asks for: enough for the round trip until the
	// confirmed read has its first bytes. They are fetched twice, once for each recording.
	peekLen = 256 << 10
	// peekTimeout bounds a peek, maxPeeks how many run at a time.
	peekTimeout = 10 * time.Second
	maxPeeks    = 64
	// minPeekAge is how old content must be for its peek to be used. Just after an upload
	// the metadata and the bytes may belong to two versions.
	minPeekAge = time.Minute
)

// SpeculativeReader fetches the first bytes of an unknown object (a peek) while its Stat
// is still running. A read that begins where a peek began serves the peek's bytes first.
// The same bytes are then read of the version that Stat found, the confirmed read, and
// compared: either every byte served was right, or the read fails as Changed, at the
// latest in Verify, which a caller must call before it stores any of them.
type SpeculativeReader struct {
	Origin
	peeker Peeker

	mu    sync.Mutex
	peeks map[media.Location]*peek // guarded by mu
}

// NewSpeculativeReader adds peeks to an origin. Without a peeker (nil) objects that are
// unknown are described before they are read, so that each request for bytes names a version.
func NewSpeculativeReader(next Origin, peeker Peeker) *SpeculativeReader {
	return &SpeculativeReader{Origin: next, peeker: peeker, peeks: map[media.Location]*peek{}}
}

// Prefetch starts a peek from off on. At most one runs for a location. cancel is never
// nil, waits for the peek's end unless a read has taken it over, and must be called when
// the read is open or will not be. The peek carries the traceparent of ctx, and does not end
// with it.
func (h *SpeculativeReader) Prefetch(ctx context.Context, loc media.Location, off int64) (cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peeker == nil || h.peeks[loc] != nil || len(h.peeks) >= maxPeeks {
		return func() {}
	}
	ctx, stop := context.WithTimeout(media.WithTraceparent(context.Background(), media.TraceparentOf(ctx)), peekTimeout)
	p := &peek{off: off, began: time.Now(), cancel: stop, changed: make(chan struct{}), ended: make(chan struct{})}
	h.peeks[loc] = p
	go p.run(ctx, h.peeker, loc)
	return func() {
		if h.remove(loc, p) {
			p.stop()
		}
	}
}

// remove takes a peek out of the table; false when it is not there any more.
func (h *SpeculativeReader) remove(loc media.Location, p *peek) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peeks[loc] != p {
		return false
	}
	delete(h.peeks, loc)
	return true
}

// Open implements Opener.
func (h *SpeculativeReader) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	h.mu.Lock()
	p := h.peeks[obj.Location()]
	h.mu.Unlock()
	if p == nil || p.off != span.Off || !h.remove(obj.Location(), p) {
		return h.Origin.Open(ctx, obj, span)
	}
	if obj.ModTime.IsZero() || p.began.Sub(obj.ModTime) < minPeekAge {
		p.stop()
		return h.Origin.Open(ctx, obj, span)
	}
	return newSpeculativeBody(ctx, h.Origin, p, obj, span), nil
}

// peek is the first bytes of an unknown version, as they arrive.
type peek struct {
	off    int64
	began  time.Time
	cancel context.CancelFunc
	ended  chan struct{} // closed when its goroutine has ended

	mu      sync.Mutex
	data    []byte        // guarded by mu; only ever appended to
	size    int64         // of the whole, from the response; guarded by mu
	changed chan struct{} // closed and replaced when data grows; guarded by mu
}

func (p *peek) run(ctx context.Context, peeker Peeker, loc media.Location) {
	defer close(p.ended)
	defer p.cancel()
	body, size, err := peeker.Peek(ctx, loc, media.Span{Off: p.off, Len: peekLen})
	if err != nil {
		return // the confirmed read reports the error
	}
	defer body.Close()
	buf := make([]byte, peekLen)
	for n := 0; n < len(buf); {
		got, err := body.Read(buf[n:])
		n += got
		p.mu.Lock()
		p.data, p.size = buf[:n], size
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// snapshot is the bytes so far, and a channel that is closed when there are more. A peek
// of another size has none.
func (p *peek) snapshot(size int64) ([]byte, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.size != size {
		return nil, p.changed
	}
	return p.data, p.changed
}

func (p *peek) stop() {
	p.cancel()
	<-p.ended
}

// speculativeBody serves a peek's bytes until the confirmed ones have come.
type speculativeBody struct {
	peek   *peek
	obj    media.Object
	span   media.Span
	cancel context.CancelFunc
	served int // bytes of the peek that were served

	confirmed chan struct{} // closed when the following are set
	body      io.ReadCloser
	head      []byte // its first bytes
	err       error  // why there is none

	compared bool
	result   error
}

func newSpeculativeBody(ctx context.Context, next Opener, p *peek, obj media.Object, span media.Span) *speculativeBody {
	ctx, cancel := context.WithCancel(ctx)
	b := &speculativeBody{peek: p, obj: obj, span: span, cancel: cancel, confirmed: make(chan struct{})}
	go func() {
		defer close(b.confirmed)
		body, err := next.Open(ctx, obj, span)
		if err != nil {
			b.err = err
			return
		}
		b.body, b.head = body, make([]byte, min(peekLen, span.Len))
		n, err := io.ReadFull(body, b.head)
		if b.head = b.head[:n]; err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = media.Fault(media.Corrupt, "origin: body", io.ErrUnexpectedEOF)
			}
			b.err = err
		}
	}()
	return b
}

// Read serves the peek's bytes until the confirmed read has its own.
func (b *speculativeBody) Read(p []byte) (int, error) {
	for {
		select {
		case <-b.confirmed:
			return b.readConfirmed(p)
		default:
		}
		data, more := b.peek.snapshot(b.obj.Size)
		if data = data[:min(int64(len(data)), b.span.Len)]; b.served < len(data) {
			n := copy(p, data[b.served:])
			b.served += n
			return n, nil
		}
		select {
		case <-more:
		case <-b.confirmed:
		}
	}
}

func (b *speculativeBody) readConfirmed(p []byte) (int, error) {
	if err := b.Verify(); err != nil {
		return 0, err
	}
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	return b.body.Read(p)
}

// Verify waits for the confirmed read and reports whether all bytes served so far were
// right. It may be called repeatedly, by the goroutine that reads.
func (b *speculativeBody) Verify() error {
	<-b.confirmed
	if b.compared {
		return b.result
	}
	b.compared = true
	data, _ := b.peek.snapshot(b.obj.Size)
	switch {
	case b.err != nil:
		b.result = b.err
	case !bytes.HasPrefix(b.head, data[:b.served]):
		b.result = media.Faultf(media.Changed, "origin: body", "the file was replaced during the speculative read")
	default:
		b.head = b.head[b.served:]
	}
	return b.result
}

// Close ends both reads.
func (b *speculativeBody) Close() error {
	b.cancel()
	b.peek.stop()
	<-b.confirmed
	if b.body == nil {
		return nil
	}
	return b.body.Close()
}
