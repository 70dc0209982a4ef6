package cache

import (
	"context"
	"io"
	"sync"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

// tracedOrigin keeps the traceparents of its requests.
type tracedOrigin struct {
	*fakeOrigin
	mu   sync.Mutex
	seen []string // guarded by mu
}

func (o *tracedOrigin) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	o.mu.Lock()
	o.seen = append(o.seen, media.TraceparentOf(ctx))
	o.mu.Unlock()
	return o.fakeOrigin.Open(ctx, obj, span)
}

// TestTraceparent: a fetch carries the traceparent of the reader that started it, and not
// the end of its context.
func TestTraceparent(t *testing.T) {
	origin := &tracedOrigin{fakeOrigin: newFakeOrigin()}
	obj := origin.put("a", "1", testChunk)
	c := openCache(t, t.TempDir(), 1<<30, origin, realDisk{})
	scanned(t, c)
	ctx, cancel := context.WithCancel(media.WithTraceparent(t.Context(), "the-traceparent"))
	cancel() // only Next heeds it
	r, err := c.Open(ctx, obj, media.Span{Len: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	origin.mu.Lock()
	defer origin.mu.Unlock()
	if len(origin.seen) == 0 || origin.seen[0] != "the-traceparent" {
		t.Errorf("the origin got %q", origin.seen)
	}
}
