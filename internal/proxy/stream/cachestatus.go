package stream

import "github.com/lectiospace/lectern/internal/media"

// cacheStatuses are the values of Cache-Status (RFC 9211) for a cache status, and where
// something was forwarded, for what became of that: plain, stored, collapsed, both.
var cacheStatuses = [media.CacheStatuses][4]string{
	media.CacheHit:     {"lectern; hit", "lectern; hit", "lectern; hit", "lectern; hit"},
	media.CacheMiss:    {"lectern; fwd=miss", "lectern; fwd=miss; stored", "lectern; fwd=miss; collapsed", "lectern; fwd=miss; stored; collapsed"},
	media.CachePartial: {"lectern; fwd=partial", "lectern; fwd=partial; stored", "lectern; fwd=partial; collapsed", "lectern; fwd=partial; stored; collapsed"},
	media.CacheBypass:  {"lectern; fwd=bypass", "lectern; fwd=bypass", "lectern; fwd=bypass", "lectern; fwd=bypass"},
}

// cacheStatus writes the field of an answer whose first piece is there, "" when no reader
// was opened. The field is sent before the body: hit, miss and partial are of the whole
// span, stored and collapsed of the first bytes that had to be forwarded. They are absent
// when those come later in the body, as in a partial answer that begins with cached bytes,
// and for HEAD, which forwards nothing.
func cacheStatus(s media.CacheStatus, f media.Forwarding) string {
	variant := 0
	if f.Stored {
		variant |= 1
	}
	if f.Collapsed {
		variant |= 2
	}
	return cacheStatuses[s][variant]
}
