package proxy

import (
	"sync"

	"github.com/lectiospace/lectern/internal/media"
)

// maxLabels bounds how many labels are remembered: some 500 bytes each.
const maxLabels = 4096

// label is what headers say of a recording's bytes, the same in every answer.
type label struct {
	etag        string
	modified    string // Last-Modified, when it may be told
	contentType string
	disposition string
}

// labelKey is all that a label depends on.
type labelKey struct {
	object    media.Object
	recording int64
	title     string
	download  bool
}

// labels remembers them: digests, MIME parameters and RFC 8187 cost more than the
// rest of a short answer. Safe for concurrent use.
type labels struct {
	mu    sync.RWMutex
	known map[labelKey]label // guarded by mu
}

func (l *labels) of(obj media.Object, rec media.Recording, download bool) label {
	key := labelKey{obj, rec.ID, rec.Title, download}
	l.mu.RLock()
	found, ok := l.known[key]
	l.mu.RUnlock()
	if ok {
		return found
	}
	made := label{etag: obj.ETag(), contentType: contentTypeOf(obj)}
	made.disposition = disposition(rec, made.contentType, download)
	if !obj.ModTime.IsZero() {
		made.modified = formatDate(obj.ModTime.UTC())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= maxLabels {
		l.known = make(map[labelKey]label) // all at once: what is asked for comes back soon
	}
	l.known[key] = made
	return made
}
