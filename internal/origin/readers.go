package origin

import (
	"context"

	"github.com/lectiospace/lectern/internal/media"
)

// OpenReaderFunc opens a reader on a span of an object, as the cache and the local
// folder do.
type OpenReaderFunc func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error)

// Readers opens readers by provider. Objects of the direct providers are read where they
// are and never cached: a local file is on a disk of ours already, so a copy in the
// cache would cost space and save nothing. All others are read through the cache. It
// does not change after NewReaders and is safe for concurrent use.
type Readers struct {
	direct map[string]OpenReaderFunc
	cached OpenReaderFunc
}

// NewReaders makes a table of the direct providers; cached opens all others.
func NewReaders(direct map[string]OpenReaderFunc, cached OpenReaderFunc) *Readers {
	return &Readers{direct, cached}
}

// Open opens a reader on a span of obj.
func (r *Readers) Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
	if open, ok := r.direct[obj.Provider]; ok {
		return open(ctx, obj, span)
	}
	return r.cached(ctx, obj, span)
}

// Direct reports whether the objects of a provider are never cached.
func (r *Readers) Direct(provider string) bool { return r.direct[provider] != nil }
