package origin

import (
	"context"

	"github.com/lectiospace/lectern/internal/media"
)

// Store is where bytes are served from. Opening a reader there starts the fetch of
// its first bytes.
type Store interface {
	Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error)
}

// SpeculativeOpener opens a reader at the bytes that will be wanted while the origin
// is still being asked what the object is, so that a viewer waits for one round trip
// and not for two. Where the stat cache has an entry, the cached version is opened: if
// it turns out to be outdated, its bytes are not used. Where it has none, a speculative
// read stands in. Safe for concurrent use. Close is the stat cache's.
type SpeculativeOpener struct {
	*StatCache
	router *Router
	store  Store
}

// NewSpeculativeOpener combines a stat cache, the origins behind it, and the store in
// front of them.
func NewSpeculativeOpener(cache *StatCache, router *Router, store Store) *SpeculativeOpener {
	return &SpeculativeOpener{StatCache: cache, router: router, store: store}
}

// readsAhead is the optional interface of a media.Reader that says for whom it
// requests. SetSpeculative says before the first Next that it reads ahead of another reader,
// which counts its requests as its own.
type readsAhead interface{ SetSpeculative() }

// StatPrefetch is Stat for a caller that will read from off on. copied says of what the
// object is a copy: its cached chunks are those of the original, which are read ahead then.
// release is never nil, and must be called once the caller's own reader is open or will not be.
func (b *SpeculativeOpener) StatPrefetch(ctx context.Context, loc media.Location, copied media.Copy, off int64) (obj media.Object, release func(), err error) {
	release = func() {}
	if reader, ok := b.router.speculativeReader(loc.Provider); ok && off >= 0 {
		switch cached, fresh, ok := b.Cached(loc); {
		case fresh:
		case !ok:
			release = reader.Prefetch(ctx, loc, off)
		case off < cached.Size:
			release = b.openAhead(ctx, copied.Identify(cached), off)
		}
	}
	obj, err = b.Stat(ctx, loc)
	return obj, release, err
}

// openAhead opens a reader and holds it, with its first byte awaited, until release. It
// carries the traceparent of ctx, and does not end with it.
func (b *SpeculativeOpener) openAhead(ctx context.Context, obj media.Object, off int64) (release func()) {
	ctx, cancel := context.WithCancel(media.WithTraceparent(b.base, media.TraceparentOf(ctx)))
	if !b.start(func() {
		r, err := b.store.Open(ctx, obj, media.Span{Off: off, Len: obj.Size - off})
		if err != nil {
			return // the caller's own reader meets the same error
		}
		if s, ok := r.(readsAhead); ok {
			s.SetSpeculative()
		}
		_, _ = r.Next(ctx, 1)
		<-ctx.Done()
		r.Close()
	}) {
		cancel()
	}
	return cancel
}

// speculativeReader is a provider's, if it has one.
func (r *Router) speculativeReader(provider string) (*SpeculativeReader, bool) {
	h, ok := r.routes[provider].(*SpeculativeReader)
	return h, ok
}
