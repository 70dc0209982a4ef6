package media

import "fmt"

// Span is a run of bytes: Len bytes from Off on. Both are never negative in a
// valid Span, and Off+Len never overflows.
type Span struct {
	Off int64
	Len int64
}

// End is the first offset behind the span.
func (s Span) End() int64 { return s.Off + s.Len }

// Empty reports whether the span covers no byte.
func (s Span) Empty() bool { return s.Len <= 0 }

// Contains reports whether off lies in the span.
func (s Span) Contains(off int64) bool { return off >= s.Off && off < s.End() }

// Clip is the part of s that lies in [0, size). The result may be empty.
func (s Span) Clip(size int64) Span {
	if s.Off >= size || s.Len <= 0 {
		return Span{Off: min(s.Off, size)}
	}
	if s.Len > size-s.Off {
		s.Len = size - s.Off
	}
	return s
}

// Chunks is the half-open run of chunk indexes that s touches when the object
// is cut into chunks of size bytes. An empty span touches none.
func (s Span) Chunks(size int64) (first, end int64) {
	if s.Empty() {
		return s.Off / size, s.Off / size
	}
	return s.Off / size, (s.End()-1)/size + 1
}

// String writes the span as a byte range of RFC 9110 section 14.1.2: "a-b".
func (s Span) String() string { return fmt.Sprintf("%d-%d", s.Off, s.End()-1) }
