package cache

import (
	"slices"
	"time"
)

// What readers and flights do to each other; all of it under Cache.mu.

// board gives a reader a place; false when it has one, or none is to be had.
func (f *flight) board(r *reader) bool {
	if f.closed || slices.Contains(r.flights, f) {
		return false
	}
	f.aboard = append(f.aboard, r)
	r.flights = append(r.flights, f)
	r.flew(f)
	return true
}

// wait is closed when a reader may find something new.
func (f *flight) wait() <-chan struct{} {
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// tell wakes the readers that wait.
func (f *flight) tell() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// done tells a flight that a chunk is committed: it has nothing more to do with it.
func (f *flight) done(fl *fill) {
	i := fl.index - f.first
	if f.fills[i] != fl {
		return
	}
	f.fills[i] = nil
	f.tell()
	if fl.refs--; fl.refs == 0 {
		f.c.discard(fl)
	}
}

// land is a flight's end. One that failed leaves the table at once, with all that
// is not committed. What cannot be committed stays for those who read it.
func (f *flight) land(err error) {
	f.over, f.err = true, err
	if f.lingering != nil {
		f.lingering.Stop()
	}
	if err != nil && !f.calledOff {
		f.c.metrics.event(eventFailed)
	}
	if err != nil {
		f.abandon()
	}
	if len(f.aboard) == 0 {
		f.close()
	}
	f.tell()
}

// abandon lets go of every fill.
func (f *flight) abandon() {
	for i, fl := range f.fills {
		if fl == nil {
			continue
		}
		f.fills[i] = nil
		if fl.lose(f) {
			f.c.unlist(fl) // its memory may be in a reader's hands: others begin anew
			for _, p := range fl.parts {
				p.f.shed()
			}
		}
		if fl.refs--; fl.refs == 0 {
			f.c.discard(fl)
		}
	}
}

// leave gives a reader's place back. The last one to leave calls the flight off
// and takes it out of the table in the same step, so that nobody can join it any
// more; unless it lingers, or only has to store its last chunk.
func (f *flight) leave(r *reader) {
	i := slices.Index(f.aboard, r)
	if i < 0 {
		return
	}
	f.aboard = slices.Delete(f.aboard, i, i+1)
	switch {
	case len(f.aboard) > 0:
		f.shed()
	case f.over:
		f.close()
	case f.lingering == nil && !f.arrived():
		f.callOff()
	}
}

func (f *flight) callOff() {
	f.calledOff = true
	for _, fl := range f.fills {
		if fl != nil && (fl.refs == 1 || !fl.part(f).believed) {
			f.c.unlist(fl)
		}
	}
	f.cancel()
}

// linger lets a flight go on without readers, for a while.
func (f *flight) linger() {
	if f.over || f.lingering != nil {
		return
	}
	f.lingering = time.AfterFunc(lingerFor, func() {
		f.c.mu.Lock()
		defer f.c.mu.Unlock()
		if len(f.aboard) == 0 && !f.over {
			f.callOff()
		}
	})
}

// arrived tells whether every byte is here.
func (f *flight) arrived() bool { return f.got == f.to-f.from }

// close is what comes last: the flight is over and nobody is aboard.
func (f *flight) close() {
	if f.closed {
		return
	}
	f.closed = true
	f.abandon()
	f.c.flown.closed(f)
}

// shed lets go of the chunks that all readers have passed and that will never be
// stored.
func (f *flight) shed() {
	low := f.end
	for _, r := range f.aboard {
		low = min(low, r.at)
	}
	for i, fl := range f.fills {
		if fl == nil || fl.index >= low || fl.storing && fl.room > 0 || fl.listed && fl.room > 0 || !fl.part(f).believed {
			continue // not passed, to be stored, or still being filled
		}
		f.fills[i] = nil
		if fl.refs--; fl.refs == 0 {
			f.c.discard(fl)
		}
	}
}

// landing tells whether so little is missing that the next flight's first byte
// will not come before it: the next may then start without being one more stream.
func (f *flight) landing(now time.Time) bool {
	if f.over || f.arrived() {
		return true
	}
	flying := now.Sub(f.firstByte)
	if f.got == 0 || flying <= 0 {
		return false
	}
	latency := f.firstByte.Sub(f.began)
	left := f.to - f.from - f.got
	return float64(left)*float64(flying) <= 1.25*float64(latency)*float64(f.got)
}
