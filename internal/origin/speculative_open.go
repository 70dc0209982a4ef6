package origin

import (
	"context"
	"sync"

	"github.com/lectiospace/lectern/internal/media"
)

// Store is where bytes are served from: what is asked for there is on its way.
type Store interface {
	Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error)
}

// Beside has the first bytes that will be wanted asked for while the origin is
// asked what lies at a place, so that a viewer waits for one answer and not for
// two. Where something is remembered, that version is opened: when the answer is
// another, nobody takes a byte of it. Where nothing is, a peek stands in. Safe for
// concurrent use.
type SpeculativeOpener struct {
	*StatCache
	router  *Router
	store   Store
	readers sync.WaitGroup
}

// NewBeside puts a memory, the origins it asks, and the store in front of them
// together. Close closes the memory.
func NewSpeculativeOpener(memory *StatCache, router *Router, store Store) *SpeculativeOpener {
	return &SpeculativeOpener{StatCache: memory, router: router, store: store}
}

// StatFor is Stat for somebody who will read from off on. settle must be called
// once they have begun to, or will not.
func (b *SpeculativeOpener) StatPrefetch(ctx context.Context, loc media.Location, off int64) (obj media.Object, settle func(), err error) {
	settle = func() {}
	if head, ok := b.router.speculativeReader(loc.Provider); ok && off >= 0 {
		switch known, fresh, ok := b.Cached(loc); {
		case fresh:
		case !ok:
			settle = head.Prefetch(loc, off)
		case off < known.Size:
			settle = b.openAhead(known, off)
		}
	}
	obj, err = b.Stat(ctx, loc)
	return obj, settle, err
}

// begin opens a reader and waits with it for its first byte.
func (b *SpeculativeOpener) openAhead(obj media.Object, off int64) (settle func()) {
	ctx, cancel := context.WithCancel(b.base)
	b.readers.Go(func() {
		r, err := b.store.Open(ctx, obj, media.Span{Off: off, Len: obj.Size - off})
		if err != nil {
			return // who reads in earnest will be told
		}
		_, _ = r.Next(ctx, 1)
		<-ctx.Done()
		r.Close()
	})
	return cancel
}

// Close ends what was begun and closes the memory.
func (b *SpeculativeOpener) Close() error {
	err := b.StatCache.Close()
	b.readers.Wait()
	return err
}

// headstart is a provider's, if it has one.
func (r *Router) speculativeReader(provider string) (*SpeculativeReader, bool) {
	h, ok := r.routes[provider].(*SpeculativeReader)
	return h, ok
}
