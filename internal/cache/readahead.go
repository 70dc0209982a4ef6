package cache

import (
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// How much is asked of an origin at a time, and how far ahead. Drive bills what
// is asked for and allows few requests, so the first of a seek is small, because
// half of all seeks go on elsewhere; what follows grows as somebody reads on.
const (
	// firstWindow is what the first request of a seek asks for: what has to be read
	// before a reader counts as one that stays, and what is read while the next
	// request's first byte is waited for.
	firstWindow = steadyReader + 384<<10
	// smallRequest and largeRequest bound every request after the first.
	smallRequest = 2 << 20
	largeRequest = 16 << 20
	// proven is how much has to be read before a reader counts as one that stays.
	steadyReader = 1 << 20
	// lookEvery is how often, in bytes, read-ahead is considered.
	planEvery = 64 << 10
	// aheadFor is how much time read-ahead covers, at the rate the reader takes
	// bytes; aheadOfPlayer the same at the lesson's own rate.
	aheadFor      = 8 * time.Second
	aheadOfPlayer = 20 * time.Second
)

// pace decides one reader's requests from what is known of it: what it asked for,
// how fast it takes what it gets, and whether it had to wait for the origin. It
// is arithmetic; it knows no lock and no flight.
type readAheadPlan struct {
	streams         int   // how many requests may bring bytes at a time
	from            int64 // where the span begins
	end             int64
	wholeSpanWanted bool  // all of the span is sure to be wanted, or nearly
	bitrate         int64 // bytes a second of the lesson; 0 = not known
	waitedAt        int64 // where the reader last had to wait
	rate            int64 // bytes a second that the reader takes; 0 = not known yet
	seenAt          int64 // the reader was here
	seenTime        time.Time
	share           int64 // of the last round: what is left, divided among the streams
}

// newPace looks at what is asked for. A part with an end is wanted, and so is
// nearly always the whole from its start; an open end behind the start is a seek,
// which says nothing of how much will be read.
func newReadAheadPlan(streams int, want media.Span, size int64) readAheadPlan {
	return readAheadPlan{
		streams: max(1, streams), from: want.Off, end: want.End(), waitedAt: -1, seenAt: want.Off,
		wholeSpanWanted: want.Off == 0 || want.End() < size,
	}
}

// first is how much the first request asks for, and whether it may not go on to
// the end of the chunk it leads into.
func (p *readAheadPlan) first(left int64) (want int64, exactly bool) {
	if p.wholeSpanWanted {
		return min(left, smallRequest), false
	}
	return min(left, firstWindow), left > firstWindow
}

// waits notes that the reader stands at pos and waits for the origin.
func (p *readAheadPlan) waits(pos int64) { p.waitedAt = pos }

// see notes how far the reader is.
func (p *readAheadPlan) observe(pos int64, now time.Time) {
	if p.seenTime.IsZero() {
		p.seenAt, p.seenTime = pos, now
		return
	}
	if passed := now.Sub(p.seenTime); passed >= time.Second {
		rate := int64(float64(pos-p.seenAt) / passed.Seconds())
		if p.rate > 0 {
			rate = (rate + p.rate) / 2
		}
		p.rate, p.seenAt, p.seenTime = max(1, rate), pos, now
	}
}

// hungry tells whether the origin is what holds a reader up that has read enough
// for this to matter: what a client's socket takes in is not yet what it wants.
func (p *readAheadPlan) originBound(pos int64) bool {
	enough := int64(steadyReader)
	if !p.wholeSpanWanted {
		enough *= 2
	}
	return pos-p.from >= enough && p.waitedAt >= p.from+enough && pos-p.waitedAt <= largeRequest
}

// ahead is how many bytes beyond pos should be there or asked for.
func (p *readAheadPlan) ahead(pos int64) int64 {
	read := pos - p.from
	most := 2 * int64(p.streams) * largeRequest
	target := int64(smallRequest)
	if p.wholeSpanWanted {
		target *= int64(p.streams)
	}
	if p.originBound(pos) {
		// As many streams as there may be, each asking for more the longer it goes on.
		target = max(2*int64(p.streams)*smallRequest, 3*read)
	}
	if p.rate > 0 {
		target = min(target, max(smallRequest, p.rate*int64(aheadFor/time.Second)))
	}
	if p.bitrate > 0 {
		target = max(target, min(largeRequest, p.bitrate*int64(aheadOfPlayer/time.Second)))
	}
	return min(most, target)
}

// horizon is how far it is of any use to look.
func (p *readAheadPlan) horizon(pos int64) int64 { return min(p.end, pos+p.ahead(pos)) }

// more reports whether a request at from should start now.
func (p *readAheadPlan) shouldFetch(pos, from int64, busy int, inMemory bool) bool {
	ahead := from - pos
	switch {
	case inMemory: // what cannot be stored is fetched when it is nearly needed
		return busy == 0 && ahead < passThroughFetch/2
	case !p.wholeSpanWanted && pos-p.from < steadyReader:
		return false
	}
	target := p.ahead(pos)
	if !p.originBound(pos) {
		target = max(target-p.requestSize(pos, from)+1, target/2)
	}
	return busy < p.streams && ahead < target
}

// want is how much a request at from asks for: half a stream's share of what may
// lie ahead, so that the next round can start before this one has landed; at the
// end equal shares of what is left, so that all streams end together.
func (p *readAheadPlan) requestSize(pos, from int64) int64 {
	size := min(largeRequest, max(smallRequest, p.ahead(pos)/int64(2*p.streams)))
	left := p.end - from
	if p.share == 0 && left <= size*int64(p.streams) && p.ahead(pos) >= left {
		p.share = (left + int64(p.streams) - 1) / int64(p.streams)
	}
	if p.share > 0 {
		size = min(size, max(steadyReader, p.share))
	}
	return min(left, size)
}
