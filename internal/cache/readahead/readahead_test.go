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

func TestFirstRequestThatIsAllThatIsLeft(t *testing.T) {
	const size, off = 1000 * mib, 100 * mib
	p := New(4, media.Span{Off: off, Len: size - off}, size)
	for left, exact := range map[int64]bool{firstRequest - 1: false, firstRequest: false, firstRequest + 1: true} {
		if got, e := p.First(left); got != min(left, firstRequest) || e != exact {
			t.Errorf("%d bytes left: %d, exact %v", left, got, e)
		}
	}
	if whole := New(4, media.Span{Len: size}, size); p.WholeSpanWanted() || !whole.WholeSpanWanted() {
		t.Error("a seek is wanted whole, or the whole object is not")
	}
}

func TestRate(t *testing.T) {
	start := time.Unix(0, 0)
	for _, c := range []struct {
		name string
		seen []int64 // positions at each half second from the first on; -1 = none
		want int64
	}{
		{"seen once", []int64{100}, 0},
		{"half a second", []int64{100, 500_100}, 0},
		{"a second", []int64{100, -1, 400_100}, 400_000},
		{"two seconds", []int64{100, -1, -1, -1, 800_100}, 400_000},
		{"the mean with what was before", []int64{100, -1, 400_100, -1, 1_200_100}, 600_000},
		{"a reader that stands still", []int64{100, -1, 100}, 1},
	} {
		p := New(4, media.Span{Len: 1000 * mib}, 1000*mib)
		for i, pos := range c.seen {
			if pos >= 0 {
				p.Observe(pos, start.Add(time.Duration(i)*time.Second/2))
			}
		}
		if p.rate != c.want {
			t.Errorf("%s: %d bytes a second, want %d", c.name, p.rate, c.want)
		}
	}
}

func TestOriginBound(t *testing.T) {
	const size, off = 1000 * mib, int64(100 * mib)
	ranged, seek := media.Span{Off: off, Len: 800 * mib}, media.Span{Off: off, Len: size - off}
	for _, c := range []struct {
		name        string
		span        media.Span
		pos, waited int64 // from the span's start
		want        bool
	}{
		{"just enough", ranged, mib, mib, true},
		{"read too little", ranged, mib - 1, mib, false},
		{"waited too early", ranged, 2 * mib, mib - 1, false},
		{"waited at the start", ranged, 2 * mib, 0, false},
		{"waited a request ago", ranged, 17 * mib, mib, true},
		{"waited longer ago", ranged, 17*mib + 1, mib, false},
		{"a seek, just enough", seek, 2 * mib, 2 * mib, true},
		{"a seek, too little", seek, 2*mib - 1, 2*mib - 1, false},
	} {
		p := New(4, c.span, size)
		p.Waited(off + c.waited)
		if got := p.originBound(off + c.pos); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestAhead has every bound of read-ahead once.
func TestAhead(t *testing.T) {
	const size, off = 1000 * mib, int64(100 * mib)
	ranged, seek := media.Span{Off: off, Len: 800 * mib}, media.Span{Off: off, Len: size - off}
	for _, c := range []struct {
		name          string
		span          media.Span
		read          int64
		waits         bool
		rate, bitrate int64
		want          int64
	}{
		{"the span is wanted whole", ranged, 20 * mib, false, 0, 0, 4 * smallRequest},
		{"a seek", seek, 20 * mib, false, 0, 0, smallRequest},
		{"waits, at first", ranged, mib, true, 0, 0, 16 * mib},
		{"waits, later", ranged, 20 * mib, true, 0, 0, 60 * mib},
		{"waits, at most", ranged, 100 * mib, true, 0, 0, 128 * mib},
		{"a rate", ranged, 20 * mib, false, 400_000, 0, 3_200_000},
		{"a low rate", ranged, 20 * mib, false, 1, 0, smallRequest},
		{"a bit rate", ranged, 20 * mib, false, 400_000, 500_000, 10_000_000},
		{"a bit rate that says less", ranged, 20 * mib, false, 0, 1, 4 * smallRequest},
		{"a high bit rate", ranged, 20 * mib, false, 0, 10 * mib, largeRequest},
	} {
		p := New(4, c.span, size)
		p.SetBitrate(c.bitrate)
		p.rate = c.rate
		if c.waits {
			p.Waited(off + c.read)
		}
		if got := p.ahead(off + c.read); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestShouldFetch: up to which byte, and beside how many other requests.
func TestShouldFetch(t *testing.T) {
	const size, off = 1000 * mib, int64(100 * mib)
	ranged, seek := media.Span{Off: off, Len: 800 * mib}, media.Span{Off: off, Len: size - off}
	for _, c := range []struct {
		name        string
		span        media.Span
		read        int64
		waits       bool
		passThrough bool
		most        int64 // ahead, for which a request starts; one byte more is too far
		busy        int   // requests beside which one starts; beside one more it does not
	}{
		{"from the first byte on", ranged, 0, false, false, 6 * mib, 3},
		{"a steady reader after a seek", seek, steadyReader, false, false, mib - 1, 3},
		{"a reader that waits", ranged, 20 * mib, true, false, 60*mib - 1, 3},
		{"chunks that are not stored", ranged, 20 * mib, true, true, PassThroughRequest/2 - 1, 0},
	} {
		p := New(4, c.span, size)
		pos := off + c.read
		if c.waits {
			p.Waited(pos)
		}
		for _, at := range []struct {
			ahead int64
			busy  int
			want  bool
		}{{0, 0, true}, {c.most, c.busy, true}, {c.most + 1, c.busy, false}, {c.most, c.busy + 1, false}} {
			if got := p.ShouldFetch(pos, pos+at.ahead, at.busy, c.passThrough); got != at.want {
				t.Errorf("%s, %d ahead, %d busy: %v", c.name, at.ahead, at.busy, got)
			}
		}
	}
}

// TestRequestSize: no request is cut to a share before the read-ahead reaches the end.
func TestRequestSize(t *testing.T) {
	const size = 256 * mib
	for _, c := range []struct {
		name      string
		pos, from int64
		waits     bool
		want      int64
	}{
		{"half of a stream's share", 20 * mib, 40 * mib, true, 7*mib + mib/2},
		{"no reader that waits", 20 * mib, 24 * mib, false, smallRequest},
		{"no reader that waits, near the end", size - 4*mib, size - 4*mib, false, smallRequest},
		{"the rest, far ahead", 20 * mib, size - 6*mib, true, 6 * mib},
	} {
		p := New(4, media.Span{Len: size}, size)
		if c.waits {
			p.Waited(c.pos)
		}
		if got, exact := p.RequestSize(c.pos, c.from, 0); got != c.want || exact {
			t.Errorf("%s: %d, exact %v; want %d", c.name, got, exact, c.want)
		}
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
