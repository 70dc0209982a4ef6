package cache

import (
	"slices"
	"time"
)

// How readers and fetches act on each other. Cache.mu is held in every function of
// this file.

// detachGrace is how long a fetch goes on for a reader that has read its whole span,
// so that the chunk in which the span ends becomes complete.
const detachGrace = 5 * time.Second

// aboutToEnd is when a fetch that nobody reads any longer is not worth cancelling: its bytes have
// been asked for, and are under way.
const aboutToEnd = 25 * time.Millisecond

// littleLeft is how many bytes are fetched at most for nobody but those who may come to them.
const littleLeft = 1 << 20

// attach adds a reader. It reports false when the reader is attached already, or the
// fetch is closed.
func (f *fetch) attach(r *reader) bool {
	if f.closed || slices.Contains(r.fetches, f) {
		return false
	}
	if f.starter != nil && f.starter.speculative {
		f.starter = r
	}
	if f.keep && !r.keep { // a viewer does not wait for the disk
		f.keep = false
		f.c.writes.broadcast()
	}
	f.readers = append(f.readers, r)
	r.fetches = append(r.fetches, f)
	r.extendFetched(f)
	return true
}

// detach removes a reader. The last one cancels the fetch and unlists its fills in
// the same hold of the lock, so that nobody joins a cancelled fetch; unless its
// grace has begun, it only has to store its last chunk, it completes a chunk of which
// most is there, its last byte is about to arrive, or little is left of what others may come to.
func (f *fetch) detach(r *reader) {
	i := slices.Index(f.readers, r)
	if i < 0 {
		return
	}
	f.readers = slices.Delete(f.readers, i, i+1)
	switch {
	case len(f.readers) > 0:
		f.releasePassed()
	case f.finished:
		f.close()
	case f.graceTimer != nil || f.allReceived():
	case f.isBackfill && worthCompleting(f.fills[0]), f.nearlyReceived() && f.forWatched() && !f.c.buffers.hasWaiters():
		f.startDetachGrace()
	case f.endsWithin(aboutToEnd) && !f.c.buffers.hasWaiters():
		f.startGrace(4 * aboutToEnd)
	default:
		f.cancel()
	}
}

// nearlyReceived reports whether the origin has begun to send, and little is left.
func (f *fetch) nearlyReceived() bool { return f.received > 0 && f.to-f.from-f.received <= littleLeft }

// forWatched reports whether others may come to what the fetch still brings.
func (f *fetch) forWatched() bool {
	return slices.ContainsFunc(f.fills, func(fl *fill) bool {
		return fl != nil && fl.toBeStored() && fl.o.isWatched() && !fl.partOf(f).verified
	})
}

// nextChange is closed when a reader may find something new.
func (f *fetch) nextChange() <-chan struct{} {
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// broadcast wakes the readers that wait.
func (f *fetch) broadcast() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// startDetachGrace lets a fetch go on without readers, for detachGrace.
func (f *fetch) startDetachGrace() { f.startGrace(detachGrace) }

// startGrace lets a fetch go on without readers for a while, unless that has begun.
func (f *fetch) startGrace(d time.Duration) {
	if f.finished || f.graceTimer != nil {
		return
	}
	f.graceTimer = time.AfterFunc(d, f.endGrace)
}

// endGrace is the timer's; unlike the others it takes the lock itself. Readers that are
// attached by now cancel the fetch when they leave, as without a grace.
func (f *fetch) endGrace() {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.graceTimer = nil
	if len(f.readers) == 0 && !f.finished {
		f.cancel()
	}
}

// cancel ends the request. What no other fetch has a part in is unlisted at once.
func (f *fetch) cancel() {
	f.cancelled = true
	f.completeChunks()
	for _, fl := range f.fills {
		if fl != nil && (fl.refs == 1 || !fl.partOf(f).verified) {
			f.c.unlist(fl)
		}
	}
	f.cancelCtx()
}

// finish is the end of the fetch's goroutine. A failed fetch unlists at once what is
// not committed. Verified chunks that are not committed stay for their readers.
func (f *fetch) finish(err error) {
	f.finished, f.err = true, err
	for ; f.granted > 0; f.granted-- {
		f.c.buffers.release(f.c.chunkSize)
	}
	if f.graceTimer != nil {
		f.graceTimer.Stop()
	}
	if err != nil && !f.cancelled {
		f.c.metrics.event(eventFailed)
	}
	if err != nil {
		if f.cancelled {
			f.completeChunks() // that another fetch had a part in until now
		}
		f.abandon()
	}
	if len(f.readers) == 0 {
		f.close()
	}
	f.broadcast()
}

// close ends a finished fetch that has no readers.
func (f *fetch) close() {
	if f.closed {
		return
	}
	f.closed = true
	f.completeChunks() // a failed one has none left
	f.abandon()
	f.c.metrics.fetchClosed(f)
}

// completeChunks has the gaps fetched of the chunks that would be dropped with the fetch although
// most of them is there, or others watch the object: a seek begins and ends in the middle of a chunk, and who comes there
// later would ask for the same bytes again. Where others wait for memory they come first.
func (f *fetch) completeChunks() {
	if f.c.closed || f.c.buffers.hasWaiters() {
		return
	}
	for _, fl := range f.fills {
		if fl != nil && fl.refs == 1 && fl.received() && worthCompleting(fl) {
			f.c.backfillDetached(fl, f.obj)
		}
	}
}

// abandon gives up every fill.
func (f *fetch) abandon() {
	for i, fl := range f.fills {
		if fl == nil {
			continue
		}
		f.fills[i] = nil
		if fl.dropUnverified(f) {
			f.c.unlist(fl) // a reader may hold its buffer: the next fetch uses another one
			for _, p := range fl.parts {
				p.fetch.releasePassed()
			}
		}
		f.c.unrefFill(fl)
	}
}

// chunkCommitted gives up the fill of a chunk that is committed.
func (f *fetch) chunkCommitted(fl *fill) {
	i := fl.index - f.first
	if f.fills[i] != fl {
		return
	}
	f.fills[i] = nil
	f.broadcast()
	f.c.unrefFill(fl)
}

// releasePassed gives up the fills that all readers have passed and that will never
// be stored.
func (f *fetch) releasePassed() {
	low := f.end
	for _, r := range f.readers {
		low = min(low, r.chunk)
	}
	for i, fl := range f.fills {
		switch {
		case fl == nil || fl.index >= low:
			continue // not passed
		case fl.toBeStored() && (fl.storing || fl.listed):
			continue // to be stored
		case !fl.partOf(f).verified:
			continue // still being received
		}
		f.fills[i] = nil
		f.c.unrefFill(fl)
	}
}

// allReceived reports whether every byte has been received.
func (f *fetch) allReceived() bool { return f.received == f.to-f.from }

// endsWithin reports whether the last byte arrives within d, as far as the rate since the first
// bytes can tell.
func (f *fetch) endsWithin(d time.Duration) bool {
	left, since := f.to-f.from-f.received, f.received-f.atFirst
	return since > 0 && float64(left)*float64(time.Since(f.firstByteAt)) <= float64(since)*float64(d)
}

// leftAfterFirstByte is how many bytes will be left to receive when the first byte of a
// new fetch arrives, as far as can be told: 0 when a new one is not one more stream.
// c.mu is held.
func (f *fetch) leftAfterFirstByte(now time.Time) int64 {
	if f.finished {
		return 0
	}
	left := f.to - f.from - f.received
	transferring := now.Sub(f.firstByteAt)
	if f.received == 0 || transferring <= 0 {
		return left
	}
	latency := 1.25 * float64(f.firstByteAt.Sub(f.startedAt))
	meanwhile := latency * float64(f.received) / float64(transferring)
	return left - min(left, int64(meanwhile))
}
