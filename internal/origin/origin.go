// Package origin is where bytes come from: the Origin interface, the decorators that
// every implementation is wrapped in, the router that picks one by provider, the stat
// cache, and speculative reads.
package origin

import (
	"context"
	"io"

	"github.com/lectiospace/lectern/internal/media"
)

// Stater identifies the object at a location as it is now. Safe for concurrent use.
// An error is NotFound only when the origin itself has said so.
type Stater interface {
	Stat(ctx context.Context, loc media.Location) (media.Object, error)
}

// Opener reads bytes of exactly one version. Safe for concurrent use.
//
// The span is not empty and lies within the object. The reader gives span.Len bytes
// and then io.EOF, or an error with a Kind: Changed when the version no longer exists,
// Corrupt when the response is not the one that was requested, Timeout, Unavailable,
// Quota, Denied, NotFound. The body ends with ctx. Close stops the transfer at once and
// is called exactly once.
type Opener interface {
	Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error)
}

// Origin is a Stater and an Opener.
type Origin interface {
	Stater
	Opener
}

// Router is an Origin that dispatches by provider. It does not change after NewRouter.
type Router struct{ routes map[string]Origin }

// NewRouter makes a router of origins by provider.
func NewRouter(routes map[string]Origin) *Router { return &Router{routes} }

func (r *Router) route(provider string) (Origin, error) {
	if o, ok := r.routes[provider]; ok {
		return o, nil
	}
	return nil, media.Faultf(media.Unavailable, "origin", "provider %q is not configured", provider)
}

// Stat implements Stater. A provider that is not configured is Unavailable.
func (r *Router) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	o, err := r.route(loc.Provider)
	if err != nil {
		return media.Object{}, err
	}
	return o.Stat(ctx, loc)
}

// Open implements Opener. A provider that is not configured is Unavailable.
func (r *Router) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	o, err := r.route(obj.Provider)
	if err != nil {
		return nil, err
	}
	return o.Open(ctx, obj, span)
}
