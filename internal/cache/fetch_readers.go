package cache

import (
	"slices"
	"time"
)

// What readers and flights do to each other; all of it under Cache.mu.

// board gives a reader a place; false when it has one, or none is to be had.
func (f *fetch) attach(r *reader) bool {
	if f.closed || slices.Contains(r.fetches, f) {
		return false
	}
	f.readers = append(f.readers, r)
	r.fetches = append(r.fetches, f)
	r.noteFetched(f)
	return true
}

// wait is closed when a reader may find something new.
func (f *fetch) nextChange() <-chan struct{} {
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// tell wakes the readers that wait.
func (f *fetch) broadcast() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// done tells a flight that a chunk is committed: it has nothing more to do with it.
func (f *fetch) chunkCommitted(fl *fill) {
	i := fl.index - f.first
	if f.fills[i] != fl {
		return
	}
	f.fills[i] = nil
	f.broadcast()
	if fl.refs--; fl.refs == 0 {
		f.c.discardFill(fl)
	}
}

// land is a flight's end. One that failed leaves the table at once, with all that
// is not committed. What cannot be committed stays for those who read it.
func (f *fetch) finish(err error) {
	f.finished, f.err = true, err
	if f.graceTimer != nil {
		f.graceTimer.Stop()
	}
	if err != nil && !f.cancelled {
		f.c.metrics.event(eventFailed)
	}
	if err != nil {
		f.abandon()
	}
	if len(f.readers) == 0 {
		f.close()
	}
	f.broadcast()
}

// abandon lets go of every fill.
func (f *fetch) abandon() {
	for i, fl := range f.fills {
		if fl == nil {
			continue
		}
		f.fills[i] = nil
		if fl.dropUnverified(f) {
			f.c.unlist(fl) // its memory may be in a reader's hands: others begin anew
			for _, p := range fl.parts {
				p.fetch.releasePassed()
			}
		}
		if fl.refs--; fl.refs == 0 {
			f.c.discardFill(fl)
		}
	}
}

// leave gives a reader's place back. The last one to leave calls the flight off
// and takes it out of the table in the same step, so that nobody can join it any
// more; unless it lingers, or only has to store its last chunk.
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
	case f.graceTimer == nil && !f.allReceived():
		f.cancel()
	}
}

func (f *fetch) cancel() {
	f.cancelled = true
	for _, fl := range f.fills {
		if fl != nil && (fl.refs == 1 || !fl.partOf(f).verified) {
			f.c.unlist(fl)
		}
	}
	f.cancelCtx()
}

// linger lets a flight go on without readers, for a while.
func (f *fetch) startDetachGrace() {
	if f.finished || f.graceTimer != nil {
		return
	}
	f.graceTimer = time.AfterFunc(detachGrace, func() {
		f.c.mu.Lock()
		defer f.c.mu.Unlock()
		if len(f.readers) == 0 && !f.finished {
			f.cancel()
		}
	})
}

// arrived tells whether every byte is here.
func (f *fetch) allReceived() bool { return f.received == f.to-f.from }

// close is what comes last: the flight is over and nobody is aboard.
func (f *fetch) close() {
	if f.closed {
		return
	}
	f.closed = true
	f.abandon()
	f.c.fetchMetrics.closed(f)
}

// shed lets go of the chunks that all readers have passed and that will never be
// stored.
func (f *fetch) releasePassed() {
	low := f.end
	for _, r := range f.readers {
		low = min(low, r.chunk)
	}
	for i, fl := range f.fills {
		if fl == nil || fl.index >= low || fl.storing && fl.reserved > 0 || fl.listed && fl.reserved > 0 || !fl.partOf(f).verified {
			continue // not passed, to be stored, or still being filled
		}
		f.fills[i] = nil
		if fl.refs--; fl.refs == 0 {
			f.c.discardFill(fl)
		}
	}
}

// landing tells whether so little is missing that the next flight's first byte
// will not come before it: the next may then start without being one more stream.
func (f *fetch) nearlyDone(now time.Time) bool {
	if f.finished || f.allReceived() {
		return true
	}
	flying := now.Sub(f.firstByteAt)
	if f.received == 0 || flying <= 0 {
		return false
	}
	latency := f.firstByteAt.Sub(f.startedAt)
	left := f.to - f.from - f.received
	return float64(left)*float64(flying) <= 1.25*float64(latency)*float64(f.received)
}
