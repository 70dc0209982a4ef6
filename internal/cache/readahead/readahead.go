// Package readahead decides how much is requested of an origin at a time, and how
// far ahead of a reader. It is arithmetic: it knows no lock, no fetch and no clock.
//
// Google Drive bills the bytes that are requested and allows few requests. The
// first request of a seek is therefore small, because half of all seeks are
// followed by another one; later requests grow while the reader reads on.
package readahead

import (
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	// Interval is how often, in bytes read, read-ahead is planned again.
	Interval = 64 << 10
	// PassThroughRequest bounds a request, in bytes, whose chunks will not be stored
	// on the disk: they occupy memory until their readers have passed.
	PassThroughRequest = 2 << 20

	// steadyReader is how many bytes must be read before a reader counts as one that
	// stays.
	steadyReader = 1 << 20
	// firstRequest is the first request of a seek: what makes a steady reader, and
	// what is read while the next request's first byte is awaited.
	firstRequest = steadyReader + 384<<10
	// smallRequest and largeRequest bound every request after the first.
	smallRequest = 2 << 20
	largeRequest = 16 << 20
	// lastRequest bounds the requests at the end of a span, where a stream's share is
	// small: less is not worth a request.
	lastRequest = 512 << 10
	// aheadFor is how much time read-ahead covers at the rate at which the reader
	// takes bytes, and aheadAtBitrate at the recording's own bit rate.
	aheadFor       = 8 * time.Second
	aheadAtBitrate = 20 * time.Second
)

// Planner plans one reader's requests from what the reader asked for, how fast it
// takes bytes, and whether it had to wait for the origin. It is not safe for
// concurrent use.
type Planner struct {
	streams         int   // most requests that may transfer at a time
	from, end       int64 // of the span
	wholeSpanWanted bool  // all of the span is wanted, or very probably
	bitrate         int64 // bytes a second of the recording; 0 = unknown
	waitedAt        int64 // where the reader last waited for the origin; before steadyReader it does not count
	rate            int64 // bytes a second that the reader takes; 0 = unknown
	seenAt          int64 // the reader's position at seenTime
	seenTime        time.Time
}

// New plans for a reader of the span want of an object of size bytes. A range with
// an end is wanted whole, and so, nearly always, is the whole object from its start.
// An open end behind the start is a seek: nothing is known of how much will be read.
func New(streams int, want media.Span, size int64) Planner {
	return Planner{
		streams: max(1, streams), from: want.Off, end: want.End(),
		wholeSpanWanted: want.Off == 0 || want.End() < size,
	}
}

// SetBitrate sets the recording's bytes a second, so that a player is kept ahead by
// time. 0 = unknown.
func (p *Planner) SetBitrate(bytesPerSecond int64) { p.bitrate = bytesPerSecond }

// Streams is the most requests that may transfer at a time; at least 1.
func (p *Planner) Streams() int { return p.streams }

// WholeSpanWanted reports whether read-ahead may begin with the first byte.
func (p *Planner) WholeSpanWanted() bool { return p.wholeSpanWanted }

// First is the size of the first request when left bytes of the span remain. An
// exact request must not be rounded up to the end of a chunk.
func (p *Planner) First(left int64) (size int64, exact bool) {
	if p.wholeSpanWanted {
		return min(left, smallRequest), false
	}
	return min(left, firstRequest), left > firstRequest
}

// Waited records that the reader waited for the origin at pos.
func (p *Planner) Waited(pos int64) { p.waitedAt = pos }

// Observe records the reader's position, which yields its rate.
func (p *Planner) Observe(pos int64, now time.Time) {
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

// originBound reports whether the origin's rate limits the reader. A reader has to
// have read enough for this to count: what fills a client's socket buffers is not
// yet what the client wants.
func (p *Planner) originBound(pos int64) bool {
	enough := int64(steadyReader)
	if !p.wholeSpanWanted {
		enough *= 2
	}
	return pos-p.from >= enough && p.waitedAt >= p.from+enough && pos-p.waitedAt <= largeRequest
}

// ahead is how many bytes beyond pos should be cached or requested.
func (p *Planner) ahead(pos int64) int64 {
	read := pos - p.from
	most := 2 * int64(p.streams) * largeRequest
	target := int64(smallRequest)
	if p.wholeSpanWanted {
		target *= int64(p.streams)
	}
	if p.originBound(pos) {
		// All streams, each with requests that grow while the reader stays.
		target = max(2*int64(p.streams)*smallRequest, 3*read)
	}
	if p.rate > 0 {
		target = min(target, max(smallRequest, p.rate*int64(aheadFor/time.Second)))
	}
	if p.bitrate > 0 {
		target = max(target, min(largeRequest, p.bitrate*int64(aheadAtBitrate/time.Second)))
	}
	return min(most, target)
}

// Horizon is the first byte beyond pos that read-ahead has no use for.
func (p *Planner) Horizon(pos int64) int64 { return min(p.end, pos+p.ahead(pos)) }

// ShouldFetch reports whether a request at from should start now, for a reader at
// pos of whose requests busy are transferring. passThrough says that its chunks are
// not stored: such bytes are requested shortly before they are needed.
func (p *Planner) ShouldFetch(pos, from int64, busy int, passThrough bool) bool {
	ahead := from - pos
	switch {
	case passThrough:
		return busy == 0 && ahead < PassThroughRequest/2
	case !p.wholeSpanWanted && pos-p.from < steadyReader:
		return false
	}
	target := p.ahead(pos)
	if !p.originBound(pos) {
		target = max(target-p.requestSize(pos)+1, target/2)
	}
	return busy < p.streams && ahead < target
}

// RequestSize is how many bytes a request at from asks for, while the reader's other
// requests have inFlight bytes to bring: half of a stream's share of the read-ahead, so
// that the next round starts before this one has finished. Towards the end of the span
// it is half of a stream's share of all that is left, so that later requests even out
// how far the streams have come, and at last that share to the byte: all streams end
// together. An exact request must not be rounded up to the end of a chunk.
func (p *Planner) RequestSize(pos, from, inFlight int64) (size int64, exact bool) {
	size = p.requestSize(pos)
	left := p.end - from
	if !p.originBound(pos) || p.Horizon(pos) < p.end {
		return min(left, size), false
	}
	share := (left + inFlight) / int64(p.streams)
	if share > 2*smallRequest {
		return min(left, size, share/2), false
	}
	return min(left, max(share, lastRequest)), true
}

// requestSize is half of a stream's share of the read-ahead, in bytes.
func (p *Planner) requestSize(pos int64) int64 {
	return min(largeRequest, max(smallRequest, p.ahead(pos)/int64(2*p.streams)))
}
