// Package origin is where bytes come from: one small interface, what every
// implementation of it is wrapped in, and the table that finds the right one.
package origin

import (
	"context"
	"io"

	"github.com/lectiospace/lectern/internal/media"
)

// Stater turns a place into the identity of what lies there now. Safe for
// concurrent use. NotFound only when the origin said so with certainty.
type Stater interface {
	Stat(ctx context.Context, loc media.Location) (media.Object, error)
}

// Opener reads bytes of exactly one version. Safe for concurrent use.
//
// The span is not empty and lies within the object. The reader gives span.Len
// bytes and then io.EOF, or an error with a Kind: Changed when the version is no
// longer there, Corrupt when the answer is not what was asked for, Timeout,
// Unavailable, Quota, Denied, NotFound. ctx rules the whole body; Close stops
// the transfer at once and is called exactly once.
type Opener interface {
	Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error)
}

// Origin is both.
type Origin interface {
	Stater
	Opener
}

// Router is the table of configured origins by provider. It is read only.
type Router struct{ routes map[string]Origin }

// NewRouter makes the table.
func NewRouter(routes map[string]Origin) *Router { return &Router{routes} }

func (r *Router) route(provider string) (Origin, error) {
	if o, ok := r.routes[provider]; ok {
		return o, nil
	}
	return nil, media.Faultf(media.Unavailable, "origin", "provider %q is not configured", provider)
}

// Stat asks the location's provider.
func (r *Router) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	o, err := r.route(loc.Provider)
	if err != nil {
		return media.Object{}, err
	}
	return o.Stat(ctx, loc)
}

// Open asks the object's provider.
func (r *Router) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	o, err := r.route(obj.Provider)
	if err != nil {
		return nil, err
	}
	return o.Open(ctx, obj, span)
}
