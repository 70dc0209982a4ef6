package readahead

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lectiospace/lectern/internal/media"
)

const mib = 1 << 20

func TestFirstRequest(t *testing.T) {
	const size = 1000 * mib
	for _, c := range []struct {
		name  string
		want  media.Span
		size  int64
		exact bool
	}{
		{"the whole object", media.Span{Len: size}, smallRequest, false},
		{"a range with an end", media.Span{Off: mib, Len: 10 * mib}, smallRequest, false},
		{"a seek", media.Span{Off: mib, Len: size - mib}, firstRequest, true},
		{"a seek near the end", media.Span{Off: size - mib, Len: mib}, mib, false},
		{"one byte", media.Span{Off: 5, Len: 1}, 1, false},
	} {
		p := New(4, c.want, size)
		if got, exact := p.First(c.want.Len); got != c.size || exact != c.exact {
			t.Errorf("%s: %d, exact %v; want %d, %v", c.name, got, exact, c.size, c.exact)
		}
	}
}

func TestSeekIsNotReadAheadBeforeTheReaderIsSteady(t *testing.T) {
	const size, off = 1000 * mib, 100 * mib
	p := New(4, media.Span{Off: off, Len: size - off}, size)
	if p.ShouldFetch(off+steadyReader-1, off+firstRequest, 0, false) {
		t.Error("read-ahead starts before the reader is steady")
	}
	if !p.ShouldFetch(off+steadyReader, off+firstRequest, 0, false) {
		t.Error("no read-ahead for a steady reader")
	}
}

func TestOriginBoundReaderGetsAllStreams(t *testing.T) {
	const size = 1000 * mib
	p := New(4, media.Span{Len: size}, size)
	p.Waited(20 * mib)
	if got, want := p.ahead(20*mib), int64(60*mib); got != want {
		t.Errorf("%d bytes ahead of a reader that waits, want %d", got, want)
	}
	if !p.ShouldFetch(20*mib, 40*mib, 3, false) || p.ShouldFetch(20*mib, 40*mib, 4, false) {
		t.Error("want a fourth stream and no fifth")
	}
}

// TestLastRequests: they shrink towards the end of the span, down to what lets a stream end
// with the others.
func TestLastRequests(t *testing.T) {
	const size = 256 * mib
	for _, c := range []struct {
		name           string
		left, inFlight int64
		size           int64
		exact          bool
	}{
		{"half of a share", 64 * mib, 0, 8 * mib, false},
		{"half of a share, others under way", 40 * mib, 24 * mib, 8 * mib, false},
		{"a share", 16 * mib, 0, 4 * mib, true},
		{"what the others leave of it", 5 * mib, 9 * mib, 3*mib + mib/2, true},
		{"no share is left", mib, 0, lastRequest, true},
		{"the rest", 1000, 40 * mib, 1000, false},
		{"the rest of little", 1000, 0, 1000, true},
	} {
		p := New(4, media.Span{Len: size}, size)
		pos := size - c.left - c.inFlight
		p.Waited(pos)
		if got, exact := p.RequestSize(pos, size-c.left, c.inFlight); got != c.size || exact != c.exact {
			t.Errorf("%s: %d, exact %v; want %d, %v", c.name, got, exact, c.size, c.exact)
		}
	}
}

func TestSlowReaderIsKeptAheadByTime(t *testing.T) {
	const size = 1000 * mib
	p, start := New(4, media.Span{Len: size}, size), time.Unix(0, 0)
	p.Observe(0, start)
	p.Observe(400_000, start.Add(time.Second))
	if got, want := p.ahead(400_000), int64(8*400_000); got != want {
		t.Errorf("%d bytes ahead of a reader of 400 kB a second, want %d", got, want)
	}
}

// TestBounds: no request and no horizon leaves the span, whatever the reader does.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(1, 20<<30).Draw(rt, "size")
		off := rapid.Int64Range(0, size-1).Draw(rt, "off")
		span := media.Span{Off: off, Len: rapid.Int64Range(1, size-off).Draw(rt, "len")}
		p, now := New(rapid.IntRange(0, 16).Draw(rt, "streams"), span, size), time.Unix(0, 0)
		p.SetBitrate(rapid.Int64Range(0, 10*mib).Draw(rt, "bitrate"))
		for pos := span.Off; pos < span.End(); {
			if rapid.Bool().Draw(rt, "waited") {
				p.Waited(pos)
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(rt, "passed")))
			p.Observe(pos, now)
			horizon := p.Horizon(pos)
			if horizon <= pos || horizon > span.End() || horizon-pos > 2*int64(p.Streams())*largeRequest {
				rt.Fatalf("horizon %d of a reader at %d of %+v", horizon, pos, span)
			}
			from := rapid.Int64Range(pos, span.End()-1).Draw(rt, "from")
			if n, _ := p.RequestSize(pos, from, rapid.Int64Range(0, size).Draw(rt, "in flight")); n <= 0 || n > largeRequest || from+n > span.End() {
				rt.Fatalf("%d bytes at %d of %+v", n, from, span)
			}
			pos += rapid.Int64Range(max(1, span.Len/20), max(1, span.Len/5)).Draw(rt, "read")
		}
	})
}
