package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

var (
	errStalled = errors.New("the client read no bytes within the write deadline")
	errPanic   = errors.New("panic")
)

// body writes an exchange's bytes. fasthttp calls WriteTo once, after the
// headers are flushed (Response.ImmediateHeaderFlush) and the handler has
// returned, then Close; Close alone when the headers could not be written.
//
// It writes to the connection, not to the writer that WriteTo is given: that one
// buffers, so a small piece would stay in it while the origin is waited for, and it
// returns how much it accepted, not how much was sent. A file is sent with
// sendfile(2), see corkedconn, and the headers leave with the first piece.
//
// Any error makes fasthttp close the connection. Missing bytes are never padded: a
// short body is how a client learns of the error.
type body struct {
	x      *exchange
	plan   bodyPlan
	rate   rateLimit
	began  bool
	closed bool
	// renewed is true once a write had a deadline of its own.
	renewed bool
	// reopenedAt is the offset from which bytes were last read anew; -1 before.
	reopenedAt int64
	err        error
}

// fileError is why a piece's file could not be sent: it is too short, or the disk failed.
type fileError struct{ error }

func (e fileError) Unwrap() error { return e.error }

// Read exists because a body stream has to be an io.Reader; fasthttp prefers WriteTo,
// and only WriteTo has deadlines, the rate limit and sendfile.
func (b *body) Read([]byte) (int, error) { panic("BUG: a body is written, never read") }

// WriteTo implements io.WriterTo. It returns the number of bytes sent, which
// fasthttp compares with Content-Length.
func (b *body) WriteTo(io.Writer) (n int64, err error) {
	b.began = true
	defer func() {
		if p := recover(); p != nil {
			b.x.h.records.WritePanic(b.x.record.ID(), p)
			b.err = fmt.Errorf("%w: %v", errPanic, p)
		}
		n, err = b.x.record.Bytes, b.err
	}()
	b.x.streaming.Store(true)
	b.x.record.FirstByte = b.x.h.now().Sub(b.x.record.Began) // its first piece is there
	b.x.h.metrics.first(b.x.record.Cache, b.x.record.FirstByte)
	b.err = b.send()
	b.x.streaming.Store(false)
	if media.RefusalOf(b.err) != nil {
		// A viewer whose access was revoked does not get what is still in the socket's
		// buffer either, which can be minutes of a lesson.
		if tcp, ok := b.x.conn.(interface{ SetLinger(int) error }); ok {
			tcp.SetLinger(0)
		}
	}
	return
}

// Close ends the exchange, once: after that its memory may be that of the connection's next one.
func (b *body) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	b.x.streaming.Store(false)
	if !b.began {
		b.err = respond.ErrHangup // the headers could not be written
	}
	if b.x.corked != nil {
		b.x.corked.Discard()
	}
	b.x.finish(b.err)
	if b.x.kept != nil {
		b.x.kept.reuse(b.x)
	}
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
		sent, err := b.writePiece(piece)
		left -= sent
		if err != nil {
			if err := b.reopen(err, media.Span{Off: seg.span.End() - left, Len: left}); err != nil {
				return err
			}
		}
	}
	return nil
}

// reopen has the reader invalidate a piece whose file could not be sent, and opens the rest
// of its span anew: a damaged chunk file costs a viewer a wait, and no later viewer anything.
// It returns err where that cannot help, or has not helped.
func (b *body) reopen(err error, rest media.Span) error {
	var file fileError
	invalidator, ok := b.x.reader.(PieceInvalidator)
	if !ok || !errors.As(err, &file) {
		return err
	}
	invalidator.InvalidatePiece(err)
	if rest.Off == b.reopenedAt {
		return err
	}
	b.reopenedAt = rest.Off
	b.x.closeReader()
	return b.openNext(rest)
}

// openNext opens a later span, whose first byte has its own timeout.
func (b *body) openNext(span media.Span) error {
	b.x.startTimeout()
	defer b.x.stopTimeout()
	return b.x.open(span)
}

// piece returns the next piece: the first one was read before the headers. A drain
// aborts a stream between two pieces.
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

// writePiece writes one piece, in parts where there is a rate limit: the first piece
// was read without regard to it and may be larger than the bucket. It returns how many
// bytes of the piece were sent.
func (b *body) writePiece(p media.Piece) (off int64, err error) {
	for off < p.Len {
		n := min(p.Len-off, b.rate.piece)
		if err := b.waitForRate(n); err != nil {
			return off, err
		}
		sent, err := b.write(p, off, n)
		b.x.h.metrics.sent(p.From, sent)
		off += sent
		if err != nil {
			return off, err
		}
	}
	return off, nil
}

// waitForRate waits for the token bucket. No origin timeout runs meanwhile; the
// hang-up watcher does look.
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
	switch conn := b.x.corked; {
	case p.File != nil && conn != nil:
		sent, err = conn.SendFile(p.File, p.Residency, p.Off+off, n)
	case p.File != nil:
		sent, err = corkedconn.CopyFile(b.x.conn, p.File, p.Off+off, n)
	default:
		sent, err = b.writeData(p.Data[off : off+n])
	}
	b.x.record.Bytes += sent
	if err != nil {
		return sent, b.classifyWriteError(err)
	}
	if sent != n {
		return sent, fileError{media.Faultf(media.Corrupt, "proxy: write", "a file ends %d bytes early", n-sent)}
	}
	return sent, nil
}

// writeBytes sends the bytes that delimit the parts of a multipart body.
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

// renewDeadline sets the deadline of the next write; fasthttp has just set that of the
// first. abort ends ctx before it sets a deadline in the past; this reads ctx after it
// has set the new deadline, so that one of the two stops the write.
func (b *body) renewDeadline() error {
	if !b.renewed {
		b.renewed = true
		return context.Cause(b.x.ctx)
	}
	if err := b.x.conn.SetWriteDeadline(time.Now().Add(b.x.h.cfg.WriteIdle)); err != nil {
		return respond.ErrHangup
	}
	return context.Cause(b.x.ctx)
}

// classifyWriteError returns why a write failed: the stream was aborted, the client
// reads nothing, or it hung up. An error of reading the file is none of these.
func (b *body) classifyWriteError(err error) error {
	if cause := context.Cause(b.x.ctx); cause != nil {
		return cause
	}
	var path *os.PathError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errStalled
	case errors.As(err, &path), errors.Is(err, syscall.EIO): // the latter from sendfile
		return fileError{media.Fault(media.Unavailable, "proxy: read a file", err)}
	default:
		return respond.ErrHangup
	}
}
