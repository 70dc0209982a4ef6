package watchstate

import (
	"encoding/binary"
	"errors"
	"slices"
)

// maxBuckets is more than any recording has: what is damaged takes no memory.
const maxBuckets = 1 << 20

var errEncoding = errors.New("no encoding of played pieces")

// Encode is p as it is stored: the length of the bits and the bits; then for each bucket that
// has spans its distance from the one before, the number of its spans, and for each span
// the distance from the end of the one before and its length. Numbers are unsigned varints.
func (p Played) Encode() []byte {
	out := binary.AppendUvarint(nil, uint64(len(p.full)))
	out = append(out, p.full...)
	before := int64(0)
	for _, bucket := range p.sortedSpans() {
		out = binary.AppendUvarint(out, uint64(bucket-before))
		before = bucket
		out = binary.AppendUvarint(out, uint64(len(p.spans[bucket])))
		end := int64(0)
		for _, s := range p.spans[bucket] {
			out = binary.AppendUvarint(out, uint64(s.from-end))
			out = binary.AppendUvarint(out, uint64(s.to-s.from))
			end = s.to
		}
	}
	return out
}

// Decode reads what Encode has written.
func Decode(stored []byte) (p Played, err error) {
	r := reader{rest: stored}
	n := r.number(uint64(len(stored)))
	if r.bad || n > int64(len(r.rest)) {
		return Played{}, errEncoding
	}
	p.full, r.rest = slices.Clone(r.rest[:n]), r.rest[n:]
	bucket := int64(0)
	for len(r.rest) > 0 && !r.bad {
		if bucket += r.number(maxBuckets); bucket > maxBuckets {
			return Played{}, errEncoding
		}
		end := int64(0)
		for range r.number(maxSpans) {
			from := end + r.number(uint64(bucketMS))
			end = from + r.number(uint64(bucketMS))
			if r.bad || end > bucketMS || end <= from {
				return Played{}, errEncoding
			}
			p.addSpan(bucket, span{from, end})
		}
	}
	if r.bad {
		return Played{}, errEncoding
	}
	return p, nil
}

// reader reads varints; bad is set, and stays, where there is none.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number(most uint64) int64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > most {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return int64(v)
}
