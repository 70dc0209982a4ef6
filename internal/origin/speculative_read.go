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

// Peeker reads what lies at a place now, without knowing which version it is: the
// bytes of span, or fewer where the content ends before, and the whole's size.
type Peeker interface {
	Peek(ctx context.Context, loc media.Location, span media.Span) (body io.ReadCloser, size int64, err error)
}

const (
	// peekLen bridges the time until the first bytes of a read that is certain.
	// They are fetched twice, once in the life of a lesson.
	peekLen = 256 << 10
	// peekTimeout bounds a peek, peekRoom how many there may be.
	peekTimeout = 10 * time.Second
	maxPeeks    = 64
	// settled is how old content must be for a peek at it to be used. Within its
	// first minute the answer to "what is it?" and the bytes may be of two versions.
	minPeekAge = time.Minute
)

// Headstart lets the first bytes of an object that nobody has asked for yet be
// fetched while it is found out what the object is. A read that begins where a
// peek has begun is given the peek's bytes first. They are not certain: the same
// bytes are read of the version that was found out, and compared; whatever the
// peek has given is vouched for, or the read fails as Changed, at the latest in
// Prove, which is asked before any of it is kept.
type SpeculativeReader struct {
	Origin
	peeker Peeker

	mu    sync.Mutex
	peeks map[media.Location]*peek // guarded by mu
}

// NewHeadstart puts peeks in front of an origin.
func NewSpeculativeReader(next Origin, peeker Peeker) *SpeculativeReader {
	return &SpeculativeReader{Origin: next, peeker: peeker, peeks: map[media.Location]*peek{}}
}

// Begin asks for the bytes from off on of what lies at a place. What is given back
// ends the matter, and must be called when the read has begun or will not come.
func (h *SpeculativeReader) Prefetch(loc media.Location, off int64) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peeks[loc] != nil || len(h.peeks) >= maxPeeks {
		return func() {}
	}
	ctx, cancel := context.WithTimeout(context.Background(), peekTimeout)
	p := &peek{off: off, began: time.Now(), cancel: cancel, changed: make(chan struct{}), ended: make(chan struct{})}
	h.peeks[loc] = p
	go p.run(ctx, h.peeker, loc)
	return func() {
		if h.remove(loc, p) {
			p.stop()
		}
	}
}

// remove takes a peek out of the table; false when somebody has done so.
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

// peek is some bytes of an unknown version.
type peek struct {
	off    int64
	began  time.Time
	cancel context.CancelFunc
	ended  chan struct{} // closed when its goroutine is through

	mu      sync.Mutex
	data    []byte        // guarded by mu; what is there does not change
	size    int64         // of the whole, as the answer told; guarded by mu
	changed chan struct{} // closed and replaced when data grows; guarded by mu
}

func (p *peek) run(ctx context.Context, peeker Peeker, loc media.Location) {
	defer close(p.ended)
	defer p.cancel()
	body, size, err := peeker.Peek(ctx, loc, media.Span{Off: p.off, Len: peekLen})
	if err != nil {
		return // the read that counts will say why
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

// look gives what is there of an object of size bytes, and what tells of more.
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

// startedBody gives a peek's bytes until the certain ones have come.
type speculativeBody struct {
	peek   *peek
	obj    media.Object
	span   media.Span
	cancel context.CancelFunc
	served int // bytes of the peek that were given

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

// Read gives the peek's bytes while the certain ones are on their way.
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

// Prove waits until all bytes given so far are vouched for, or known to be wrong.
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
		b.result = media.Faultf(media.Changed, "origin: body", "the file was replaced while it was looked at")
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
