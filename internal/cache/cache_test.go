package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeOrigin is an origin in memory with injected faults.
type fakeOrigin struct {
	mu    sync.Mutex
	files map[string][]byte // by id and version
	// fault, if set, is called at each open; it may fail it or wrap its body.
	fault func(body io.ReadCloser) (io.ReadCloser, error)

	opens, sent, open atomic.Int64
}

func newFakeOrigin() *fakeOrigin { return &fakeOrigin{files: map[string][]byte{}} }

// put makes an object of size bytes that differ by id and version.
func (s *fakeOrigin) put(id, version string, size int) media.Object {
	data := make([]byte, size)
	r := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%-32.32s", id+version))))
	_, _ = r.Read(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[id+"@"+version] = data
	return media.Object{Provider: "test", ID: id, Version: version, Size: int64(size)}
}

func (s *fakeOrigin) bytes(obj media.Object) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[obj.ID+"@"+obj.Version]
}

func (s *fakeOrigin) setFault(f func(io.ReadCloser) (io.ReadCloser, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

func (s *fakeOrigin) Open(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
	data := s.bytes(obj)
	s.opens.Add(1)
	s.open.Add(1)
	var body io.ReadCloser = &fakeBody{s: s, ctx: ctx, r: bytes.NewReader(data[span.Off:span.End()])}
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		return fault(body)
	}
	return body, nil
}

type fakeBody struct {
	s      *fakeOrigin
	ctx    context.Context
	r      io.Reader
	closed bool
}

func (b *fakeBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	b.s.sent.Add(int64(n))
	return n, err
}

func (b *fakeBody) Close() error {
	if !b.closed {
		b.closed = true
		b.s.open.Add(-1)
	}
	return nil
}

// stallAfter is a body that stalls after left bytes, until ctx ends.
type stallAfter struct {
	io.ReadCloser
	ctx  context.Context
	left int
}

func (b *stallAfter) Read(p []byte) (int, error) {
	if b.left == 0 {
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// failAfter is a body that fails after left bytes.
type failAfter struct {
	io.ReadCloser
	left int
	err  error
}

func (b *failAfter) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

const testChunk = 64 << 10

func openCache(t testing.TB, dir string, size int64, s Fetcher, d disk) *Cache {
	t.Helper()
	c, err := newCache(Config{Dir: dir, Size: media.Size(size), ChunkSize: testChunk, Streams: 4, Memory: 16 << 20}, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), d)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.probeEvery = 20 * time.Millisecond
	c.mu.Unlock()
	t.Cleanup(func() { c.Close() })
	return c
}

// scanned waits for the start-up scan.
func scanned(t testing.TB, c *Cache) {
	t.Helper()
	if !c.scanned(t.Context()) {
		t.Fatal("the scan did not end")
	}
}

// read reads a whole span and closes the reader.
func read(ctx context.Context, c *Cache, obj media.Object, span media.Span, most int64) ([]byte, media.CacheStatus, error) {
	r, err := c.Open(ctx, obj, span)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	var got bytes.Buffer
	got.Grow(int(span.Len) + bytes.MinRead)
	for {
		p, err := r.Next(ctx, most)
		if errors.Is(err, io.EOF) {
			return got.Bytes(), r.Status(), nil
		}
		if err != nil {
			return got.Bytes(), r.Status(), err
		}
		if p.Len <= 0 || p.Len > most {
			return nil, 0, fmt.Errorf("a piece of %d bytes, at most %d were asked for", p.Len, most)
		}
		if p.File != nil {
			if n, err := io.Copy(&got, io.NewSectionReader(p.File, p.Off, p.Len)); err != nil {
				return nil, 0, fmt.Errorf("%d of %d bytes: %w", n, p.Len, err)
			}
		} else {
			got.Write(p.Data)
		}
	}
}

func check(t testing.TB, c *Cache, s *fakeOrigin, obj media.Object, span media.Span, want media.CacheStatus) {
	t.Helper()
	got, status, err := read(t.Context(), c, obj, span, 1<<20)
	if err != nil || !bytes.Equal(got, s.bytes(obj)[span.Off:span.End()]) {
		t.Fatalf("span %v: %d bytes, right: %v, %v", span, len(got), bytes.Equal(got, s.bytes(obj)[span.Off:span.End()]), err)
	}
	if status != want {
		t.Errorf("span %v: status %v, want %v", span, status, want)
	}
	waitForFills(t, c)
}

// waitForFills waits until nothing is being fetched or written: a reader has its last
// byte before the chunk is stored.
func waitForFills(t testing.TB, c *Cache) {
	t.Helper()
	waitUntil(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, o := range c.index.objects {
			if len(o.filling) > 0 {
				return false
			}
		}
		return true
	})
}

// onDisk sums the files that count against the budget.
func onDisk(t testing.TB, dir string) (total int64) {
	t.Helper()
	for _, sub := range []string{"chunks", "tmp"} {
		_ = filepath.WalkDir(filepath.Join(dir, sub), func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if info, err := d.Info(); err == nil {
					total += info.Size()
				}
			}
			return nil
		})
	}
	return total
}

// accounted compares the budget with the files on the disk: every byte counts, and
// little more than names and folders is added.
func accounted(t testing.TB, dir string, c *Cache) {
	t.Helper()
	st := c.Stats()
	if got := onDisk(t, dir); st.Bytes < got || st.Bytes > got+int64(st.Chunks)*(diskPage+entryFootprint)+folderFootprint {
		t.Errorf("%d bytes are on disk in %d chunks, %d are accounted for", got, st.Chunks, st.Bytes)
	}
}

func TestMissThenHit(t *testing.T) {
	s, dir := newFakeOrigin(), t.TempDir()
	obj := s.put("a", "1", 5*testChunk+77)
	c := openCache(t, dir, 10<<20, s, realDisk{})
	scanned(t, c)
	check(t, c, s, obj, media.Span{Off: 3, Len: testChunk}, media.CacheMiss)
	check(t, c, s, obj, media.Span{Off: testChunk, Len: 4 * testChunk}, media.CachePartial)
	check(t, c, s, obj, obj.Span(), media.CachePartial)
	check(t, c, s, obj, obj.Span(), media.CacheHit)
	check(t, c, s, obj, media.Span{Off: 99}, media.CacheHit) // an empty span misses nothing
	if s.sent.Load() != obj.Size {
		t.Errorf("the origin sent %d bytes for an object of %d", s.sent.Load(), obj.Size)
	}
	accounted(t, dir, c)
}

func TestCommittedPiecesAreFilesInPlace(t *testing.T) {
	s := newFakeOrigin()
	obj := s.put("a", "1", 2*testChunk)
	c := openCache(t, t.TempDir(), 10<<20, s, realDisk{})
	scanned(t, c)
	check(t, c, s, obj, obj.Span(), media.CacheMiss)
	r, err := c.Open(t.Context(), obj, media.Span{Off: 100, Len: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := r.Next(t.Context(), 400)
	if err != nil || p.File == nil || p.Len != 400 || p.From != media.SourceCache {
		t.Fatalf("%+v, %v: want 400 bytes of a file", p, err)
	}
	other, err := c.Open(t.Context(), obj, media.Span{Off: 500, Len: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if o, err := other.Next(t.Context(), 400); err != nil || o.Residency == nil || o.Residency != p.Residency {
		t.Errorf("%+v and %+v, %v: want two pieces of a chunk that share what is known of its file", p, o, err)
	}
	if p.Off != chunkfile.HeaderSize+100 {
		t.Errorf("the piece begins at %d, want %d: sendfile would send something else", p.Off, chunkfile.HeaderSize+100)
	}
}

func TestRestartKeepsAndVerifies(t *testing.T) {
	s, dir := newFakeOrigin(), t.TempDir()
	obj := s.put("a", "1", 6*testChunk)
	c := openCache(t, dir, 10<<20, s, realDisk{})
	scanned(t, c)
	check(t, c, s, obj, obj.Span(), media.CacheMiss)
	if err := c.Close(); err != nil || c.Close() != nil {
		t.Fatal(err)
	}
	// One chunk is torn, one has a flipped bit, one is another's, one is garbage.
	path := func(i int64) string { return keyOf(obj, testChunk).path(dir, i) }
	if err := os.Truncate(path(0), 5000); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path(1), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{s.bytes(obj)[testChunk+500] ^ 1}, chunkfile.HeaderSize+500); err != nil {
		t.Fatal(err)
	}
	f.Close()
	data, _ := os.ReadFile(path(3))
	if err := os.WriteFile(path(2), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path(4), make([]byte, chunkfile.HeaderSize+testChunk), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "chunks", "stray"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}

	before := s.sent.Load()
	c = openCache(t, dir, 10<<20, s, realDisk{})
	scanned(t, c)
	got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
	if err != nil || !bytes.Equal(got, s.bytes(obj)) {
		t.Fatalf("after the damage: right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
	}
	if fetched := s.sent.Load() - before; fetched != 4*testChunk {
		t.Errorf("%d bytes were fetched again, want the four damaged chunks", fetched)
	}
	waitForFills(t, c)
	check(t, c, s, obj, obj.Span(), media.CacheHit)
	accounted(t, dir, c)
}

func TestDirectoryIsLocked(t *testing.T) {
	dir, s := t.TempDir(), newFakeOrigin()
	openCache(t, dir, 1<<20, s, realDisk{})
	_, err := New(Config{Dir: dir, Size: 1 << 20, ChunkSize: testChunk, Streams: 4, Memory: 16 << 20}, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("cache-dir")) {
		t.Errorf("a second cache on the directory: %v", err)
	}
}

// TestWatermark: the first bytes are readable although the fetch stalls in mid-chunk.
func TestWatermark(t *testing.T) {
	s := newFakeOrigin()
	obj := s.put("a", "1", 4*testChunk)
	ctx, resume := context.WithCancel(t.Context())
	s.setFault(func(b io.ReadCloser) (io.ReadCloser, error) { return &stallAfter{b, ctx, 10_000}, nil })
	c := openCache(t, t.TempDir(), 10<<20, s, realDisk{})
	scanned(t, c)
	r, err := c.Open(t.Context(), obj, obj.Span())
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for len(got) < 10_000 {
		p, err := r.Next(t.Context(), 1<<20)
		if err != nil || p.Data == nil || p.From != media.SourceOrigin {
			t.Fatalf("%+v, %v", p, err)
		}
		got = append(got, p.Data...)
	}
	if !bytes.Equal(got, s.bytes(obj)[:10_000]) {
		t.Error("wrong bytes below the watermark")
	}
	// The reader's own context ends its wait.
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(short, 1<<20); media.KindOf(err) != media.Canceled {
		t.Errorf("a cancelled wait: %v", err)
	}
	resume()
	r.Close()
}

// TestCrowd: fifty readers of one cold object cost the origin one copy, where fifty
// requests would not fit into the cache.
func TestCrowd(t *testing.T) {
	s := newFakeOrigin()
	obj := s.put("a", "1", 150*testChunk+5)
	c := openCache(t, t.TempDir(), 20<<20, s, realDisk{})
	scanned(t, c)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			got, _, err := read(t.Context(), c, obj, obj.Span(), 200_000)
			if err != nil || !bytes.Equal(got, s.bytes(obj)) {
				t.Errorf("right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
			}
		})
	}
	group.Wait()
	if s.sent.Load() != obj.Size {
		t.Errorf("the origin sent %d bytes for an object of %d", s.sent.Load(), obj.Size)
	}
}

// TestLastReaderCancels: a fetch goes on while it has a reader, and its context ends
// with the last one.
func TestLastReaderCancels(t *testing.T) {
	s := newFakeOrigin()
	obj := s.put("a", "1", 4*testChunk)
	var fetchCtx context.Context
	started := make(chan struct{})
	fetch := fetcherFunc(func(ctx context.Context, o media.Object, span media.Span) (io.ReadCloser, error) {
		b, err := s.Open(ctx, o, span)
		fetchCtx = ctx
		close(started)
		return &stallAfter{b, ctx, 100}, err
	})
	c := openCache(t, t.TempDir(), 10<<20, fetch, realDisk{})
	scanned(t, c)
	one, _ := c.Open(t.Context(), obj, obj.Span())
	two, _ := c.Open(t.Context(), obj, obj.Span())
	for _, r := range []media.Reader{one, two} {
		if _, err := r.Next(t.Context(), 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	<-started
	one.Close()
	if fetchCtx.Err() != nil {
		t.Fatal("the fetch ended with the first of two readers")
	}
	two.Close()
	<-fetchCtx.Done()                                                               // else the test times out
	waitUntil(t, func() bool { return s.open.Load() == 0 && c.Stats().Bytes == 0 }) // closed, and nothing reserved
}

type fetcherFunc func(context.Context, media.Object, media.Span) (io.ReadCloser, error)

func (f fetcherFunc) Open(ctx context.Context, o media.Object, s media.Span) (io.ReadCloser, error) {
	return f(ctx, o, s)
}

func waitUntil(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within ten seconds")
		}
	}
}

func TestFaultsReachTheReader(t *testing.T) {
	for _, kind := range []media.Kind{media.NotFound, media.Denied, media.Unavailable, media.Quota, media.Timeout, media.Changed, media.Corrupt} {
		t.Run(kind.String(), func(t *testing.T) {
			s := newFakeOrigin()
			obj := s.put("a", "1", 4*testChunk)
			c := openCache(t, t.TempDir(), 10<<20, s, realDisk{})
			scanned(t, c)
			s.setFault(func(b io.ReadCloser) (io.ReadCloser, error) {
				return &failAfter{b, testChunk + 10, media.Fault(kind, "test", nil)}, nil
			})
			got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
			if media.KindOf(err) != kind || !bytes.Equal(got, s.bytes(obj)[:len(got)]) {
				t.Errorf("got %d bytes and %v, want right ones and %v", len(got), err, kind)
			}
			// Complete chunks stay, and the rest can be read once the fault is over.
			s.setFault(nil)
			sent := s.sent.Load()
			check(t, c, s, obj, obj.Span(), media.CachePartial)
			if again := s.sent.Load() - sent; again > 3*testChunk {
				t.Errorf("%d bytes were fetched after the fault, want three chunks at most", again)
			}
		})
	}
	t.Run("too many bytes", func(t *testing.T) {
		s := newFakeOrigin()
		obj := s.put("a", "1", testChunk)
		s.setFault(func(b io.ReadCloser) (io.ReadCloser, error) {
			return struct {
				io.Reader
				io.Closer
			}{io.MultiReader(b, bytes.NewReader([]byte("x"))), b}, nil
		})
		c := openCache(t, t.TempDir(), 10<<20, s, realDisk{})
		scanned(t, c)
		if _, _, _ = read(t.Context(), c, obj, obj.Span(), 1<<20); c.Stats().Chunks != 0 {
			t.Error("a chunk of an answer that goes on too long was kept")
		}
	})
}

// faultyDisk fails writes while err is set.
type faultyDisk struct {
	realDisk
	err atomic.Pointer[error]
}

func (d *faultyDisk) fail(err error) { d.err.Store(&err) }

func (d *faultyDisk) CreateTemp(dir string) (*os.File, error) {
	if p := d.err.Load(); p != nil && *p != nil {
		return nil, *p
	}
	return realDisk{}.CreateTemp(dir)
}

// TestFaultyDisk: recordings are served without the disk, and the disk is used again
// once it is healthy.
func TestFaultyDisk(t *testing.T) {
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
		t.Run(fault.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testFaultyDisk(t, fault) })
		})
	}
}

func testFaultyDisk(t *testing.T, fault error) {
	s, d := newFakeOrigin(), &faultyDisk{}
	obj := s.put("a", "1", 40*testChunk)
	c := openCache(t, t.TempDir(), 10<<20, s, d)
	scanned(t, c)
	check(t, c, s, obj, media.Span{Len: 2 * testChunk}, media.CacheMiss)
	d.fail(fault)
	got, _, err := read(t.Context(), c, obj, obj.Span(), 100_000)
	if err != nil || !bytes.Equal(got, s.bytes(obj)) {
		t.Fatalf("with a faulty disk: right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
	}
	waitUntil(t, func() bool { return c.Stats().State != "ok" }) // chunks are written behind
	d.fail(nil)
	waitUntil(t, func() bool { return c.Stats().State == "ok" })
	check(t, c, s, obj, obj.Span(), media.CachePartial)
	check(t, c, s, obj, obj.Span(), media.CacheHit)
}

func TestNewVersionIsAnotherObject(t *testing.T) {
	s := newFakeOrigin()
	old, next := s.put("a", "1", 3*testChunk), s.put("a", "2", 3*testChunk)
	c := openCache(t, t.TempDir(), 10<<20, s, realDisk{})
	scanned(t, c)
	check(t, c, s, old, old.Span(), media.CacheMiss)
	check(t, c, s, next, next.Span(), media.CacheMiss)
	check(t, c, s, old, old.Span(), media.CacheHit)
}

// TestNoSpace: what does not fit passes through, and the budget is kept.
func TestNoSpace(t *testing.T) {
	s, dir := newFakeOrigin(), t.TempDir()
	obj := s.put("a", "1", 60*testChunk)
	const budget = 3*testChunk + baseFootprint
	c := openCache(t, dir, budget, s, realDisk{})
	scanned(t, c)
	for range 3 {
		got, _, err := read(t.Context(), c, obj, obj.Span(), 100_000)
		if err != nil || !bytes.Equal(got, s.bytes(obj)) {
			t.Fatalf("right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
		}
		if got := onDisk(t, dir); got > budget {
			t.Errorf("%d bytes on disk, the budget is %d", got, int64(budget))
		}
	}
}

// TestModel drives caches with random readers, faults, evictions and restarts,
// and compares every byte.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, dir := newFakeOrigin(), t.TempDir()
		budget := int64(rapid.IntRange(2, 40).Draw(rt, "budget in chunks")) * (testChunk + 2*chunkfile.HeaderSize)
		var objects []media.Object
		for i := range 3 {
			objects = append(objects, s.put(fmt.Sprint(i), "1", rapid.IntRange(1, 20*testChunk).Draw(rt, "size")))
		}
		d := &faultyDisk{}
		c := openCache(t, dir, budget, s, d)
		defer func() { c.Close() }()
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			switch rapid.IntRange(0, 8).Draw(rt, "event") { // the last two change nothing
			case 0:
				c.Close()
				c = openCache(t, dir, budget, s, d)
			case 1:
				d.fail(syscall.ENOSPC)
			case 2:
				d.fail(nil)
			case 3:
				after := rapid.IntRange(1, 3*testChunk).Draw(rt, "fails after")
				s.setFault(func(b io.ReadCloser) (io.ReadCloser, error) {
					return &failAfter{b, after, media.Fault(media.Unavailable, "test", nil)}, nil
				})
			case 4:
				s.setFault(nil)
			case 5: // a byte has changed while the cache was closed
				c.Close()
				damage(dir, rapid.IntRange(0, 1000).Draw(rt, "damaged"))
				c = openCache(t, dir, budget, s, d)
			case 6: // a crash has torn a chunk
				c.Close()
				tear(dir, rapid.IntRange(0, 1000).Draw(rt, "torn"))
				c = openCache(t, dir, budget, s, d)
			}
			type request struct {
				obj  media.Object
				span media.Span
				most int64
			}
			var requests []request
			for range rapid.IntRange(1, 5).Draw(rt, "readers") {
				o := objects[rapid.IntRange(0, 2).Draw(rt, "object")]
				off := rapid.Int64Range(0, o.Size-1).Draw(rt, "off")
				requests = append(requests, request{o, media.Span{Off: off, Len: rapid.Int64Range(0, o.Size-off).Draw(rt, "len")}, rapid.Int64Range(1000, 1<<20).Draw(rt, "most")})
			}
			var group sync.WaitGroup
			for _, a := range requests {
				group.Go(func() {
					got, _, err := read(t.Context(), c, a.obj, a.span, a.most)
					want := s.bytes(a.obj)[a.span.Off:a.span.End()]
					if err != nil && media.KindOf(err) != media.Unavailable || len(got) > len(want) || !bytes.Equal(got, want[:len(got)]) || err == nil && len(got) != len(want) {
						t.Errorf("%v of %s: %d bytes, right %v, %v", a.span, a.obj.ID, len(got), bytes.Equal(got, want[:min(len(got), len(want))]), err)
					}
				})
			}
			group.Wait()
			waitForFills(t, c)
			audit(t, c)
			if got := onDisk(t, dir); got > budget {
				rt.Fatalf("%d bytes on disk, the budget is %d", got, budget)
			}
		}
	})
}

// chunkFile picks one of the files of chunks; "" when there is none.
func chunkFile(dir string, n int) string {
	var names []string
	_ = filepath.WalkDir(filepath.Join(dir, "chunks"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	if len(names) == 0 {
		return ""
	}
	return names[n%len(names)]
}

// damage changes a byte of a chunk's file.
func damage(dir string, n int) {
	name := chunkFile(dir, n)
	if data, err := os.ReadFile(name); err == nil && len(data) > 1 { // it may be torn already
		data[len(data)-1-n%(len(data)/2)] ^= 1
		_ = os.WriteFile(name, data, 0o600)
	}
}

// tear cuts a chunk's file short.
func tear(dir string, n int) {
	name := chunkFile(dir, n)
	if info, err := os.Stat(name); err == nil {
		_ = os.Truncate(name, info.Size()*int64(n%10)/10)
	}
}
