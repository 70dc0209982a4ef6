package main

import (
	"context"

	"github.com/lectiospace/lectern/internal/media"
)

// opener is one way to the bytes of an object: the cache, or a local folder.
type opener interface {
	Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error)
}

// openerFunc makes a function an opener.
type openerFunc func(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error)

func (f openerFunc) Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
	return f(ctx, obj, span)
}

// shelves chooses the way to an object's bytes. A local file is already on a
// disk of ours: a second copy in the cache would cost space and win nothing.
type shelves struct {
	direct map[string]opener // by provider
	cached opener
}

func (s shelves) Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
	if o, ok := s.direct[obj.Provider]; ok {
		return o.Open(ctx, obj, span)
	}
	return s.cached.Open(ctx, obj, span)
}
