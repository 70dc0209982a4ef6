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
type Beside struct {
	*Remembered
	router *Router
	store  Store
	opened sync.WaitGroup
}

// NewBeside puts a memory, the origins it asks, and the store in front of them
// together. Close closes the memory.
func NewBeside(memory *Remembered, router *Router, store Store) *Beside {
	return &Beside{Remembered: memory, router: router, store: store}
}

// StatFor is Stat for somebody who will read from off on. settle must be called
// once they have begun to, or will not.
func (b *Beside) StatFor(ctx context.Context, loc media.Location, off int64) (obj media.Object, settle func(), err error) {
	settle = func() {}
	if head, ok := b.router.headstart(loc.Provider); ok && off >= 0 {
		switch known, fresh, ok := b.Known(loc); {
		case fresh:
		case !ok:
			settle = head.Begin(loc, off)
		case off < known.Size:
			settle = b.begin(known, off)
		}
	}
	obj, err = b.Stat(ctx, loc)
	return obj, settle, err
}

// begin opens a reader and waits with it for its first byte.
func (b *Beside) begin(obj media.Object, off int64) (settle func()) {
	ctx, cancel := context.WithCancel(b.base)
	b.opened.Go(func() {
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
func (b *Beside) Close() error {
	err := b.Remembered.Close()
	b.opened.Wait()
	return err
}

// headstart is a provider's, if it has one.
func (r *Router) headstart(provider string) (*Headstart, bool) {
	h, ok := r.routes[provider].(*Headstart)
	return h, ok
}
