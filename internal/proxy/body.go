package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

var (
	errStalled = errors.New("the client took no bytes within the write deadline")
	errPanic   = errors.New("panic")
)

// body writes an exchange's bytes. fasthttp calls WriteTo once, after the
// headers are flushed (Response.ImmediateHeaderFlush) and the handler has
// returned, then Close; Close alone when the headers could not be written.
//
// It writes to the connection itself, not to the writer it is given: that one
// buffers, so a small piece would lie in it while the origin is waited for, and
// it tells how much it took, not how much was sent. A file goes by sendfile(2),
// see conn, and the headers with the first piece.
//
// When anything goes wrong the error makes fasthttp close the connection. What
// is missing is never padded: a short body is how a client learns of it.
type body struct {
	x     *exchange
	plan  bodyPlan
	rate  rateLimit
	began bool
	// renewed is true once a write was given its deadline.
	renewed bool
	err     error
}

// Read is there because a body stream has to be an io.Reader; fasthttp prefers
// WriteTo, and only WriteTo keeps deadlines, pace and sendfile.
func (b *body) Read([]byte) (int, error) { panic("BUG: a body is written, never read") }

// WriteTo implements io.WriterTo. It returns the number of bytes sent, which
// fasthttp compares with Content-Length.
func (b *body) WriteTo(io.Writer) (n int64, err error) {
	b.began = true
	defer func() {
		if p := recover(); p != nil {
			b.x.s.logPanic(b.x.record.RequestID, p)
			b.err = fmt.Errorf("%w: %v", errPanic, p)
		}
		n, err = b.x.record.Bytes, b.err
	}()
	b.x.streaming.Store(true)
	b.x.s.metrics.first(b.x.record.Cache, b.x.s.now().Sub(b.x.record.Began)) // its first piece is at hand
	b.err = b.send()
	b.x.streaming.Store(false)
	if media.RefusalOf(b.err) != nil {
		// Somebody who may not watch any longer does not get what still lies in the
		// socket's buffer either, which can be minutes of a lesson.
		if tcp, ok := b.x.conn.(interface{ SetLinger(int) error }); ok {
			tcp.SetLinger(0)
		}
	}
	return
}

// Close ends the exchange.
func (b *body) Close() error {
	b.x.streaming.Store(false)
	if !b.began {
		b.err = errHangup // the headers could not be written
	}
	if b.x.corked != nil {
		b.x.corked.Discard()
	}
	b.x.finish(b.err)
	return nil
}

// send writes the segments one after the other.
func (b *body) send() error {
	for i, seg := range b.plan.segments {
		if i > 0 {
			if err := b.openNext(seg.span); err != nil {
				return err
			}
		}
		if err := b.sendSegment(seg); err != nil {
			return err
		}
		b.x.closeReader()
	}
	return b.writeBytes(b.plan.tail)
}

func (b *body) sendSegment(seg segment) error {
	if err := b.writeBytes(seg.head); err != nil {
		return err
	}
	for left := seg.span.Len; left > 0; {
		piece, err := b.piece(left)
		if err != nil {
			return err
		}
		if err := b.writePiece(piece); err != nil {
			return err
		}
		left -= piece.Len
	}
	return nil
}

// openNext opens a later part, whose first byte has its own time to come.
func (b *body) openNext(span media.Span) error {
	b.x.startTimeout()
	defer b.x.stopTimeout()
	return b.x.open(span)
}

// piece gets the next piece: the primed one at first. Its border is where a
// stream is cut.
func (b *body) piece(left int64) (media.Piece, error) {
	p := b.x.firstPiece
	b.x.firstPiece = media.Piece{}
	if p.Len == 0 {
		b.x.startTimeout()
		var err error
		p, err = b.x.nextPiece(left, b.rate.piece)
		b.x.stopTimeout()
		if err != nil {
			return p, err
		}
	}
	return p, context.Cause(b.x.ctx)
}

// writePiece writes one piece, slowly where there is a pace: the primed piece
// was taken before the pace was known and may be larger than the bucket.
func (b *body) writePiece(p media.Piece) error {
	for off := int64(0); off < p.Len; {
		n := min(p.Len-off, b.rate.piece)
		if err := b.waitForRate(n); err != nil {
			return err
		}
		sent, err := b.write(p, off, n)
		b.x.s.metrics.sent(p.From, sent)
		if err != nil {
			return err
		}
		off += n
	}
	return nil
}

// takePace waits for the bucket. The origin is not waited for here, so its
// timeout does not run; a hang-up is looked for.
func (b *body) waitForRate(n int64) error {
	b.x.waiting.Store(true)
	defer b.x.waiting.Store(false)
	if b.rate.wait(b.x.ctx, n) != nil {
		return context.Cause(b.x.ctx)
	}
	return nil
}

// write sends n bytes of a piece, from its off on, under a fresh deadline.
func (b *body) write(p media.Piece, off, n int64) (sent int64, err error) {
	if err := b.renewDeadline(); err != nil {
		return 0, err
	}
	switch own := b.x.corked; {
	case p.File != nil && own != nil:
		sent, err = own.SendFile(p.File, p.Off+off, n)
	case p.File != nil:
		sent, err = CopyFile(b.x.conn, p.File, p.Off+off, n)
	default:
		sent, err = b.writeData(p.Data[off : off+n])
	}
	b.x.record.Bytes += sent
	if err != nil {
		return sent, b.classifyWriteError(err)
	}
	if sent != n {
		return sent, media.Faultf(media.Corrupt, "proxy: write", "a file ends %d bytes early", n-sent)
	}
	return sent, nil
}

// writeBytes sends what frames the parts of a multipart body.
func (b *body) writeBytes(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if err := b.renewDeadline(); err != nil {
		return err
	}
	n, err := b.writeData(data)
	b.x.record.Bytes += n
	if err != nil {
		return b.classifyWriteError(err)
	}
	return nil
}

func (b *body) writeData(data []byte) (int64, error) {
	if b.x.corked != nil {
		return b.x.corked.SendBytes(data)
	}
	n, err := b.x.conn.Write(data)
	return int64(n), err
}

// renewDeadline gives the next write its time; the first has just been given it
// by fasthttp. Whoever cuts the stream ends ctx before it sets its own deadline;
// looking at ctx after setting ours makes sure that one of the two is seen.
func (b *body) renewDeadline() error {
	if !b.renewed {
		b.renewed = true
		return context.Cause(b.x.ctx)
	}
	if err := b.x.conn.SetWriteDeadline(time.Now().Add(b.x.s.cfg.WriteIdle)); err != nil {
		return errHangup
	}
	return context.Cause(b.x.ctx)
}

// blame says why a write failed: because we cut it, because the client takes
// nothing, or because it is gone. A fault of reading the file is none of these.
func (b *body) classifyWriteError(err error) error {
	if cause := context.Cause(b.x.ctx); cause != nil {
		return cause
	}
	var path *os.PathError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errStalled
	case errors.As(err, &path), errors.Is(err, syscall.EIO): // the latter from sendfile
		return media.Fault(media.Unavailable, "proxy: read a file", err)
	default:
		return errHangup
	}
}
