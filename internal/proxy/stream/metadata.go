package stream

import (
	"sync"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/contenttype"
	"github.com/lectiospace/lectern/internal/proxy/precondition"
)

// maxMetadata bounds the cached response metadata: some 500 bytes each.
const maxMetadata = 4096

// metadata is what the headers say of a recording's bytes, the same in every answer.
type metadata struct {
	etag        string
	modified    string // Last-Modified, "" when the origin gives none
	contentType string
	disposition string
	digests     digestFields
}

// metadataKey is all that metadata depends on.
type metadataKey struct {
	object    media.Object
	recording int64
	title     string
	download  bool
	sha256    string // lower-case hex, "" unknown
	companion string // a companion's Content-Type, "" for a recording's
}

// metadataCache caches response metadata: digests, MIME parameters and RFC 8187 cost
// more than the rest of a short answer. Safe for concurrent use.
type metadataCache struct {
	mu      sync.RWMutex
	entries map[metadataKey]metadata // guarded by mu
}

// get describes a recording's bytes, or those of a companion of this Content-Type.
func (l *metadataCache) get(obj media.Object, rec media.Recording, download bool, companion string) metadata {
	key := metadataKey{obj, rec.ID, rec.Title, download, media.DigestOf(obj, rec.Digest), companion}
	l.mu.RLock()
	found, ok := l.entries[key]
	l.mu.RUnlock()
	if ok {
		return found
	}
	made := metadata{etag: obj.ETag(), contentType: contenttype.Of(obj), digests: digestFieldsOf(key.sha256)}
	if companion != "" {
		made.contentType = companion // ours, by the kind of the file, and never the origin's
	}
	made.disposition = disposition(rec, made.contentType, download)
	if !obj.ModTime.IsZero() {
		made.modified = precondition.FormatDate(obj.ModTime.UTC())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil || len(l.entries) >= maxMetadata {
		l.entries = make(map[metadataKey]metadata) // all at once: entries in use come back soon
	}
	l.entries[key] = made
	return made
}
