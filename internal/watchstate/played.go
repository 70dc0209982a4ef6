package watchstate

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"time"
)

const (
	// Bucket is the length of the pieces of a recording that count as watched or not.
	Bucket = 10 * time.Second
	// bucketMS is Bucket in milliseconds.
	bucketMS = int64(Bucket / time.Millisecond)
	// maxSpans is how many spans of one bucket are kept apart. A further one closes the
	// smallest gap, so that no viewer can make a state large.
	maxSpans = 16
)

// Piece is a part of a recording that was played, in milliseconds from its start.
type Piece struct{ From, To int64 }

// Played is the union of all pieces that a viewer has played. A bucket of which half was
// played is kept as one bit; of others the spans are kept exactly, so that pieces of several
// requests make a half together. The zero value is nothing.
type Played struct {
	full  []byte           // bit n%8 of byte n/8: bucket n
	spans map[int64][]span // of buckets that are not full: ascending, apart
}

// span is a part of a bucket in milliseconds from the bucket's start.
type span struct{ from, to int64 }

// Add adds a piece; a reversed, empty or negative one adds nothing.
func (p *Played) Add(piece Piece) {
	if piece.From < 0 {
		return
	}
	for from := piece.From; from < piece.To; {
		bucket := from / bucketMS
		start := bucket * bucketMS
		to := min(piece.To, start+bucketMS)
		p.addSpan(bucket, span{from - start, to - start})
		from = to
	}
}

// Merge adds all that another viewer's device, or another gateway, has reported.
func (p *Played) Merge(other Played) {
	if more := len(other.full) - len(p.full); more > 0 {
		p.full = append(p.full, make([]byte, more)...)
	}
	for i, b := range other.full {
		p.full[i] |= b
	}
	for bucket := range p.spans {
		if p.isFull(bucket) {
			delete(p.spans, bucket)
		}
	}
	for bucket, spans := range other.spans {
		for _, s := range spans {
			p.addSpan(bucket, s)
		}
	}
}

// Clone is a copy that shares nothing with p.
func (p Played) Clone() Played {
	out := Played{full: slices.Clone(p.full)}
	if len(p.spans) > 0 {
		out.spans = make(map[int64][]span, len(p.spans))
		for bucket, spans := range p.spans {
			out.spans[bucket] = slices.Clone(spans)
		}
	}
	return out
}

func (p *Played) isFull(bucket int64) bool {
	i := bucket / 8
	return i < int64(len(p.full)) && p.full[i]&(1<<(bucket%8)) != 0
}

func (p *Played) addSpan(bucket int64, s span) {
	if p.isFull(bucket) {
		return
	}
	spans := union(p.spans[bucket], s)
	if total(spans) < bucketMS/2 {
		if p.spans == nil {
			p.spans = map[int64][]span{}
		}
		p.spans[bucket] = spans
		return
	}
	delete(p.spans, bucket)
	if more := int(bucket/8) + 1 - len(p.full); more > 0 {
		p.full = append(p.full, make([]byte, more)...)
	}
	p.full[bucket/8] |= 1 << (bucket % 8)
}

// union is ascending spans that are apart, together with one more.
func union(spans []span, s span) []span {
	all := append(slices.Clone(spans), s)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := all[:1]
	for _, next := range all[1:] {
		if last := &out[len(out)-1]; next.from <= last.to {
			last.to = max(last.to, next.to)
		} else {
			out = append(out, next)
		}
	}
	if len(out) > maxSpans {
		out = closeSmallestGap(out)
	}
	return out
}

func closeSmallestGap(spans []span) []span {
	smallest := 1
	for i := 2; i < len(spans); i++ {
		if spans[i].from-spans[i-1].to < spans[smallest].from-spans[smallest-1].to {
			smallest = i
		}
	}
	spans[smallest-1].to = spans[smallest].to
	return slices.Delete(spans, smallest, smallest+1)
}

func total(spans []span) (ms int64) {
	for _, s := range spans {
		ms += s.to - s.from
	}
	return ms
}

// Watched are the buckets that count, ascending. Of the last bucket of a recording half of
// what lies in the recording is enough. A duration of 0 is not known.
func (p Played) Watched(duration time.Duration) []int64 {
	var out []int64
	end := duration.Milliseconds()
	for i, b := range p.full {
		for ; b != 0; b &= b - 1 {
			bucket := int64(i)*8 + int64(bits.TrailingZeros8(b))
			if end <= 0 || bucket*bucketMS < end {
				out = append(out, bucket)
			}
		}
	}
	if last := (end - 1) / bucketMS; end > 0 && !p.isFull(last) && len(p.spans[last]) > 0 && 2*total(p.spans[last]) >= end-last*bucketMS {
		out = append(out, last)
	}
	return out
}

// Share is how much of a recording was watched, from 0 to 1. known is false while the
// duration is 0.
func (p Played) Share(duration time.Duration) (share float64, known bool) {
	n := Buckets(duration)
	if n == 0 {
		return 0, false
	}
	return float64(len(p.Watched(duration))) / float64(n), true
}

// Buckets is how many a recording has.
func Buckets(duration time.Duration) int64 {
	return (duration.Milliseconds() + bucketMS - 1) / bucketMS
}

// Size is about how many bytes of memory p takes.
func (p Played) Size() int { return len(p.full) + len(p.spans)*spansSize }

// spansSize is what the spans of one bucket take at most, with their place in the map.
const spansSize = maxSpans*16 + 48

// sortedSpans are the buckets that have spans, ascending.
func (p Played) sortedSpans() []int64 { return slices.Sorted(maps.Keys(p.spans)) }
