package media

import (
	"context"
	"os"
)

// Source is where served bytes came from.
type Source uint8

// The sources, as the label of lectern_stream_bytes_total.
const (
	SourceCache  Source = iota // on the local disk
	SourceOrigin               // fetched, for this reader or for another that it joined
)

// String is the metric label.
func (s Source) String() string {
	if s == SourceCache {
		return "cache"
	}
	return "origin"
}

// CacheStatus is how much of a span was cached when its reader was opened (RFC 9211).
type CacheStatus uint8

// The statuses: everything on disk, nothing, some, or a store that has no cache.
const (
	CacheNone CacheStatus = iota // no reader was opened
	CacheHit
	CacheMiss
	CachePartial
	CacheBypass
)

// CacheStatuses is how many there are.
const CacheStatuses = int(CacheBypass) + 1

var cacheNames = [...]string{"none", "hit", "miss", "partial", "bypass"}

// String is the metric label.
func (s CacheStatus) String() string {
	if int(s) < len(cacheNames) {
		return cacheNames[s]
	}
	return "none"
}

// Forwarding is how the first bytes that were not cached came from the origin (RFC 9211
// sections 2.5 and 2.6). The zero value also stands for none yet.
type Forwarding struct {
	// Stored: their chunk has a place in the cache, and is written there once it is
	// complete.
	Stored bool
	// Collapsed: they came with an origin request that was made for another reader.
	Collapsed bool
}

// Piece is a run of bytes that can be written without waiting. Exactly one of File and
// Data is set. It belongs to the Reader that returned it and is valid until that Reader's
// next Next or Close.
type Piece struct {
	// File has the bytes from Off on. Other readers use it at the same time: its position
	// must neither be moved nor relied on.
	File *os.File
	Off  int64
	// Residency says whether File was in the page cache, shared by all its readers; nil where
	// nothing is remembered.
	Residency *Residency
	// Data are the bytes themselves.
	Data []byte
	// Len is the number of bytes, always > 0.
	Len int64
	// From is where they came from.
	From Source
}

// Reader reads the bytes of one span of one Object in order.
//
// It is used by one goroutine at a time. Close must be called once, by the same goroutine,
// and no method after it; it never blocks on an origin.
type Reader interface {
	// Next waits until at least one byte is available or ctx ends, and returns a piece of
	// at most limit bytes. io.EOF follows the span's last byte. Any other error is final,
	// has a Kind, and means that no byte beyond those already returned is known to be
	// right.
	Next(ctx context.Context, limit int64) (Piece, error)
	// Status is fixed when the reader is opened.
	Status() CacheStatus
	// Close releases the reader's resources.
	Close() error
}
