// Package origintest is the conformance suite that every implementation of origin.Origin
// runs, and an origin in memory with scripted faults.
package origintest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Conformance runs the suite on an origin that has files, by key, and does not change
// meanwhile. None of them may be called "missing".
func Conformance(t *testing.T, o origin.Origin, provider string, files map[string][]byte) {
	t.Helper()
	objects := map[string]media.Object{}
	t.Run("the same object is stated twice", func(t *testing.T) {
		for key, want := range files {
			objects[key] = stated(t, o, media.Location{Provider: provider, Key: key}, int64(len(want)))
		}
	})
	if len(objects) != len(files) {
		return // the rest needs them
	}
	each := func(name string, check func(*testing.T, origin.Origin, media.Object, []byte)) {
		t.Run(name, func(t *testing.T) {
			for key, want := range files {
				if len(want) > 0 {
					check(t, o, objects[key], want)
				}
			}
		})
	}
	each("every span is exact", spans)
	each("readers do not disturb each other", concurrent)
	each("a body ends with Close and with its context", leaves)
	each("another version is not read", stale)
	t.Run("what is missing is not found", func(t *testing.T) {
		if _, err := o.Stat(t.Context(), media.Location{Provider: provider, Key: "missing"}); media.KindOf(err) != media.NotFound {
			t.Errorf("stat of what is missing: %v", err)
		}
	})
}

// stated is the object at a location, which has size bytes.
func stated(t *testing.T, o origin.Origin, loc media.Location, size int64) media.Object {
	t.Helper()
	obj, err := o.Stat(t.Context(), loc)
	if err != nil {
		t.Fatalf("stat %s: %v", loc.Key, err)
	}
	if obj.Provider != loc.Provider || obj.Size != size || obj.Version == "" {
		t.Fatalf("stat %s: %+v", loc.Key, obj)
	}
	again, err := o.Stat(t.Context(), obj.Location())
	if err != nil || again != obj {
		t.Errorf("stat %s twice: %+v, %v, first %+v", loc.Key, again, err, obj)
	}
	return obj
}

// stale: a version that is not there is an error.
func stale(t *testing.T, o origin.Origin, obj media.Object, _ []byte) {
	t.Helper()
	obj.Version += "-of-yesterday"
	if _, err := Read(t.Context(), o, obj, media.Span{Len: 1}); err == nil {
		t.Errorf("%s: a version that is not there was read", obj.ID)
	}
}

func spans(t *testing.T, o origin.Origin, obj media.Object, want []byte) {
	t.Helper()
	n := int64(len(want))
	r := rand.New(rand.NewPCG(1, uint64(n)))
	list := []media.Span{{Len: 1}, {Off: n - 1, Len: 1}, {Len: n}}
	for range 20 {
		off := r.Int64N(n)
		list = append(list, media.Span{Off: off, Len: 1 + r.Int64N(n-off)})
	}
	for _, span := range list {
		if got, err := Read(t.Context(), o, obj, span); err != nil || !bytes.Equal(got, want[span.Off:span.End()]) {
			t.Errorf("%v of %s: %d bytes, %v", span, obj.ID, len(got), err)
		}
	}
}

func concurrent(t *testing.T, o origin.Origin, obj media.Object, want []byte) {
	t.Helper()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if got, err := Read(t.Context(), o, obj, obj.Span()); err != nil || !bytes.Equal(got, want) {
				t.Errorf("concurrently: %d bytes, %v", len(got), err)
			}
		})
	}
	group.Wait()
}

// leaves: a body may be closed at any time, and the end of its context stops it.
func leaves(t *testing.T, o origin.Origin, obj media.Object, _ []byte) {
	t.Helper()
	body, err := o.Open(t.Context(), obj, obj.Span())
	if err != nil {
		t.Error(err)
		return
	}
	if err := body.Close(); err != nil {
		t.Errorf("leaving early: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if body, err = o.Open(ctx, obj, obj.Span()); err == nil {
		_, err = io.ReadAll(body)
		body.Close()
	}
	if media.KindOf(err) != media.Canceled {
		t.Errorf("with an ended context: %v", err)
	}
}

// Read reads a whole span.
func Read(ctx context.Context, o origin.Opener, obj media.Object, span media.Span) ([]byte, error) {
	body, err := o.Open(ctx, obj, span)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// Provider is the provider of the fake's objects.
const Provider = "fake"

// Fault is what goes wrong with one read.
type Fault struct {
	Delay     time.Duration // before OpenError or the body
	OpenError error         // instead of a body
	After     int           // bytes that come before Error or Stall
	Error     error         // io.EOF makes the body short
	Stall     bool          // nothing more until the context ends
	Extra     int           // bytes too many at the end
}

// Fake is an origin in memory. Safe for concurrent use.
type Fake struct {
	mu       sync.Mutex
	files    map[string][]byte
	script   []Fault
	delay    time.Duration
	statErr  error
	opens    int
	stats    int
	openBody int
}

// New makes a fake with files, by key.
func New(files map[string][]byte) *Fake { return &Fake{files: files} }

// Script adds the faults of the next reads, one each. Later reads succeed.
func (f *Fake) Script(faults ...Fault) { f.do(func() { f.script = append(f.script, faults...) }) }

// Delay makes Stat take a while.
func (f *Fake) Delay(d time.Duration) { f.do(func() { f.delay = d }) }

// StatFails makes Stat fail; nil ends that.
func (f *Fake) StatFails(err error) { f.do(func() { f.statErr = err }) }

// Opens is how many reads were begun.
func (f *Fake) Opens() (n int) { f.do(func() { n = f.opens }); return n }

// Stats is how many calls of Stat began.
func (f *Fake) Stats() (n int) { f.do(func() { n = f.stats }); return n }

// StillOpen is how many bodies are not closed.
func (f *Fake) StillOpen() (n int) { f.do(func() { n = f.openBody }); return n }

func (f *Fake) do(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
}

// Stat implements origin.Stater.
func (f *Fake) Stat(ctx context.Context, loc media.Location) (media.Object, error) {
	var delay time.Duration
	var err error
	var data []byte
	var ok bool
	f.do(func() { f.stats++; delay, err = f.delay, f.statErr; data, ok = f.files[loc.Key] })
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return media.Object{}, ctx.Err()
		}
	}
	switch {
	case err != nil:
		return media.Object{}, err
	case !ok:
		return media.Object{}, media.Faultf(media.NotFound, "fake", "no such file")
	}
	return media.Object{Provider: Provider, ID: loc.Key, Version: "1", Size: int64(len(data)), Pinned: true}, nil
}

// Open implements origin.Opener.
func (f *Fake) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	var fault Fault
	f.do(func() {
		f.opens++
		if len(f.script) > 0 {
			fault, f.script = f.script[0], f.script[1:]
		}
	})
	if fault.Delay > 0 {
		select {
		case <-time.After(fault.Delay):
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, media.Fault(media.KindOf(err), "fake", err)
	}
	if fault.OpenError != nil {
		return nil, fault.OpenError
	}
	if obj.Version != "1" {
		return nil, media.Faultf(media.Changed, "fake", "no such version")
	}
	data := append([]byte(nil), f.files[obj.ID][span.Off:span.End()]...)
	data = append(data, make([]byte, fault.Extra)...)
	f.do(func() { f.openBody++ })
	return &fakeBody{f: f, ctx: ctx, data: data, fault: fault}, nil
}

type fakeBody struct {
	f      *Fake
	ctx    context.Context
	data   []byte
	sent   int
	fault  Fault
	closed bool
}

func (b *fakeBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, media.Fault(media.KindOf(err), "fake", err)
	}
	faulty := b.fault.Error != nil || b.fault.Stall
	if faulty && b.sent >= b.fault.After {
		if b.fault.Stall {
			<-b.ctx.Done()
			return 0, media.Fault(media.Canceled, "fake", b.ctx.Err())
		}
		return 0, b.fault.Error
	}
	if b.sent == len(b.data) {
		return 0, io.EOF
	}
	if faulty {
		p = p[:min(len(p), b.fault.After-b.sent)]
	}
	n := copy(p, b.data[b.sent:])
	b.sent += n
	return n, nil
}

var errClosedTwice = errors.New("closed twice")

func (b *fakeBody) Close() error {
	if b.closed {
		return errClosedTwice
	}
	b.closed = true
	b.f.do(func() { b.f.openBody-- })
	return nil
}
