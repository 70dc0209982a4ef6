package cache

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/media"
)

// du is what du(1) says: the blocks of everything below dir, and of dir.
func du(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil {
				bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
			}
		}
		return nil
	})
	return bytes
}

// waitForWrites waits until no chunk waits for a writer.
func waitForWrites(t testing.TB, c *Cache) {
	t.Helper()
	waitUntil(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.writes.waiting) == 0 })
}

// TestNeverOverBudget watches the directory, blocks and temporary files and
// folders included, while many readers fill a cache that is much too small.
func TestNeverOverBudget(t *testing.T) {
	const budget = 4 << 20
	s, dir := newFakeOrigin(), t.TempDir()
	c := openCache(t, dir, budget, s, realDisk{})
	scanned(t, c)
	var objects []media.Object
	for i := range 30 {
		objects = append(objects, s.put(fmt.Sprint(i), "1", 5*testChunk+i*3000))
	}
	ctx, stop := context.WithCancel(t.Context())
	var highest atomic.Int64
	looks := 0
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for ; ctx.Err() == nil; looks++ {
			highest.Store(max(highest.Load(), du(dir)))
		}
	}()
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 25 {
				obj := objects[r.IntN(len(objects))]
				off := r.Int64N(obj.Size)
				span := media.Span{Off: off, Len: r.Int64N(obj.Size - off)}
				got, _, err := read(ctx, c, obj, span, 1<<20)
				if err != nil || !bytes.Equal(got, s.bytes(obj)[span.Off:span.End()]) {
					t.Errorf("span %v: right bytes %v, %v", span, bytes.Equal(got, s.bytes(obj)[span.Off:span.End()]), err)
				}
				waitForWrites(t, c) // what is written behind would pass through
			}
		})
	}
	group.Wait()
	stop()
	<-watched
	if highest.Load() > budget {
		t.Errorf("%d bytes were on the disk, the budget is %d", highest.Load(), int64(budget))
	}
	if st := c.Stats(); st.Events["evict"] == 0 || highest.Load() < budget/2 {
		t.Errorf("nothing was tried: %d evictions, %d bytes at most in %d looks", st.Events["evict"], highest.Load(), looks)
	}
}

// TestDiskStates: every event in every state.
func TestDiskStates(t *testing.T) {
	for _, c := range []struct {
		from diskState
		// after a write that succeeds, slips, fails, and when a probe is due
		want [4]diskState
	}{
		{diskOK, [4]diskState{diskOK, diskSuspect, diskBypass, diskOK}},
		{diskSuspect, [4]diskState{diskOK, diskBypass, diskBypass, diskSuspect}},
		{diskBypass, [4]diskState{diskBypass, diskBypass, diskBypass, diskProbing}},
		{diskProbing, [4]diskState{diskOK, diskBypass, diskBypass, diskProbing}},
	} {
		for event, want := range c.want {
			if got := c.from.after(diskEvent(event)); got != want {
				t.Errorf("%v after event %d: %v, want %v", c.from, event, got, want)
			}
		}
	}
}

// stuckDisk blocks writes until free is closed.
type stuckDisk struct {
	realDisk
	stuck atomic.Bool
	free  chan struct{}
}

func (d *stuckDisk) Rename(from, to string) error {
	if d.stuck.Load() {
		<-d.free
	}
	return d.realDisk.Rename(from, to)
}

// TestStuckDisk: a disk that does not answer delays no reader for long, is bypassed,
// and is used again when it answers.
func TestStuckDisk(t *testing.T) { synctest.Test(t, testStuckDisk) }

func testStuckDisk(t *testing.T) {
	s, d := newFakeOrigin(), &stuckDisk{free: make(chan struct{})}
	d.stuck.Store(true)
	obj := s.put("a", "1", 200*testChunk) // more than may wait for the disk
	c := openCache(t, t.TempDir(), 100<<20, s, d)
	scanned(t, c)
	got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
	if err != nil || !bytes.Equal(got, s.bytes(obj)) {
		t.Fatalf("with a stuck disk: right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
	}
	if c.Stats().Events["bypass"] == 0 {
		t.Error("nothing passed through although no write returned")
	}
	d.stuck.Store(false)
	close(d.free)
	waitUntil(t, func() bool { return c.Stats().State == "ok" })
	waitForFills(t, c)
	check(t, c, s, obj, obj.Span(), media.CachePartial)
	check(t, c, s, obj, obj.Span(), media.CacheHit)
}

// foreignDisk refuses to open files without updates of their times, as the system does where
// they are somebody else's.
type foreignDisk struct {
	realDisk
	refused atomic.Bool
}

func (d *foreignDisk) Open(path string, flag int) (*os.File, error) {
	if flag&unix.O_NOATIME != 0 && d.refused.Load() {
		return nil, &os.PathError{Op: "open", Path: path, Err: unix.EPERM}
	}
	return d.realDisk.Open(path, flag)
}

// TestChunksAreReadWithoutATime: a reader's file updates no time of last access, unless the
// system insists on it.
func TestChunksAreReadWithoutATime(t *testing.T) {
	s, d := newFakeOrigin(), &foreignDisk{}
	c := openCache(t, t.TempDir(), 100<<20, s, d)
	scanned(t, c)
	for _, refused := range []bool{false, true} {
		d.refused.Store(refused)
		obj := s.put(fmt.Sprint(refused), "1", testChunk)
		check(t, c, s, obj, obj.Span(), media.CacheMiss)
		r, err := c.Open(t.Context(), obj, obj.Span())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		p, err := r.Next(t.Context(), 1<<20)
		if err != nil || p.File == nil {
			t.Fatalf("refused %v: %+v, %v", refused, p, err)
		}
		flags, err := unix.FcntlInt(p.File.Fd(), unix.F_GETFL, 0)
		if err != nil || (flags&unix.O_NOATIME == 0) != refused {
			t.Errorf("refused %v: flags %#x, %v", refused, flags, err)
		}
	}
}

// TestMinFree: below the minimum of free space nothing is stored, and chunks are
// evicted until it is free.
func TestMinFree(t *testing.T) {
	s, d := newFakeOrigin(), &freeDisk{}
	d.free.Store(1 << 30)
	obj := s.put("a", "1", 20*testChunk)
	c, err := newCache(Config{Dir: t.TempDir(), Size: 100 << 20, MinFree: 10 << 20, ChunkSize: testChunk, Memory: 8 << 20, Streams: 4}, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	scanned(t, c)
	check(t, c, s, obj, obj.Span(), media.CacheMiss)
	forget := func() { // that the free space has just been measured
		c.mu.Lock()
		c.budget.at = time.Time{}
		c.mu.Unlock()
	}
	d.free.Store(10<<20 - 5*testChunk)
	forget()
	c.restoreMinFree()
	if n := c.Stats().Chunks; n < 13 || n > 15 {
		t.Errorf("%d of 20 chunks are left after the space of five was missing", n)
	}
	d.free.Store(0)
	forget()
	other := s.put("b", "1", 3*testChunk)
	got, _, err := read(t.Context(), c, other, other.Span(), 1<<20)
	if err != nil || !bytes.Equal(got, s.bytes(other)) {
		t.Fatalf("on a full disk: right bytes %v, %v", bytes.Equal(got, s.bytes(other)), err)
	}
	waitForFills(t, c)
	if c.CachedBytes(other) != 0 {
		t.Error("something was stored although the disk is full")
	}
}

// TestRealFullDisk fills a small filesystem of its own, where mounting is allowed.
func TestRealFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("lectern-test", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mounting a small filesystem: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s := newFakeOrigin()
	obj := s.put("a", "1", 60*testChunk)
	c := openCache(t, dir, 100<<20, s, realDisk{})
	defer c.Close()
	scanned(t, c)
	for range 2 {
		got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
		if err != nil || !bytes.Equal(got, s.bytes(obj)) {
			t.Fatalf("right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
		}
		waitForFills(t, c)
	}
	if cached := c.CachedBytes(obj); cached == 0 || cached >= obj.Size {
		t.Errorf("%d of %d bytes are cached on a disk of 2 MiB", cached, obj.Size)
	}
}

// TestDamage truncates a chunk file at every boundary, and flips bits all over it: no
// reader gets a wrong byte, and the chunk is counted as corrupt.
func TestDamage(t *testing.T) {
	s, dir := newFakeOrigin(), t.TempDir()
	obj := s.put("a", "1", testChunk+testChunk/2)
	c := openCache(t, dir, 10<<20, s, realDisk{})
	scanned(t, c)
	check(t, c, s, obj, obj.Span(), media.CacheMiss)
	c.Close()
	path := keyOf(obj, testChunk).path(dir, 1) // the short one
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var damaged []struct {
		name string
		data []byte
	}
	add := func(name string, data []byte) {
		damaged = append(damaged, struct {
			name string
			data []byte
		}{name, data})
	}
	block := int(chunkfile.BlockSize(testChunk))
	for _, at := range []int{0, 1, 8, 12, 16, 24, 32, 96, 98, chunkfile.HeaderSize - 1, chunkfile.HeaderSize, chunkfile.HeaderSize + 1, chunkfile.HeaderSize + block, chunkfile.HeaderSize + 3*block - 1, len(whole) - 1} {
		add(fmt.Sprintf("torn at %d", at), whole[:at])
		zeroed := bytes.Clone(whole)
		clear(zeroed[at:])
		add(fmt.Sprintf("zeros from %d", at), zeroed)
	}
	r := rand.New(rand.NewPCG(5, 5))
	for _, at := range append([]int{0, 9, 17, 25, 33, 97, 100, chunkfile.HeaderSize, len(whole) - 1}, r.IntN(len(whole)), r.IntN(len(whole)), r.IntN(len(whole))) {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << r.IntN(8)
		add(fmt.Sprintf("a bit of byte %d", at), flipped)
	}
	add("longer", append(bytes.Clone(whole), 0))
	for _, d := range damaged {
		t.Run(d.name, func(t *testing.T) {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, d.data, 0o600); err != nil {
				t.Fatal(err)
			}
			c := openCache(t, dir, 10<<20, s, realDisk{})
			defer c.Close()
			scanned(t, c)
			// Piece by piece, and from the middle, as players read.
			for _, span := range []media.Span{{Off: testChunk + int64(5*block), Len: 100}, obj.Span()} {
				got, _, err := read(t.Context(), c, obj, span, 3000)
				if err != nil || !bytes.Equal(got, s.bytes(obj)[span.Off:span.End()]) {
					t.Fatalf("span %v: right bytes %v, %v", span, bytes.Equal(got, s.bytes(obj)[span.Off:span.End()]), err)
				}
			}
			waitForFills(t, c)
			st := c.Stats()
			if refused := len(d.data) <= chunkfile.HeaderSize || len(d.data) > chunkfile.HeaderSize+testChunk; !refused && st.Events["corrupt"] != 1 {
				t.Errorf("%d chunks were counted as corrupt", st.Events["corrupt"])
			}
			if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, whole) {
				t.Errorf("the chunk was not written anew: %v", err)
			}
		})
	}
}

// TestInvalidatePiece: a chunk whose file is damaged while it is open, after its checksums were
// compared, is a miss once a reader reports it; other readers' pieces stay as they are.
func TestInvalidatePiece(t *testing.T) {
	s, dir := newFakeOrigin(), t.TempDir()
	obj := s.put("a", "1", 3*testChunk)
	c := openCache(t, dir, 10<<20, s, realDisk{})
	scanned(t, c)
	check(t, c, s, obj, obj.Span(), media.CacheMiss)
	check(t, c, s, obj, obj.Span(), media.CacheHit) // opens the files
	if err := os.Truncate(keyOf(obj, testChunk).path(dir, 1), 10); err != nil {
		t.Fatal(err)
	}
	invalidator := func() interface {
		media.Reader
		InvalidatePiece(error)
	} {
		r, err := c.open(obj, media.Span{Off: testChunk, Len: testChunk})
		if err != nil {
			t.Fatal(err)
		}
		if p, err := r.Next(t.Context(), 1<<20); err != nil || p.File == nil {
			t.Fatalf("%+v, %v: want a file", p, err)
		}
		return r
	}
	one, other := invalidator(), invalidator()
	for _, r := range []interface{ InvalidatePiece(error) }{one, other, one} { // reported more than once
		r.InvalidatePiece(media.Fault(media.Corrupt, "test", nil))
	}
	check(t, c, s, obj, obj.Span(), media.CachePartial)
	one.Close()
	other.Close()
	check(t, c, s, obj, obj.Span(), media.CacheHit)
	if n := c.Stats().Events["corrupt"]; n != 1 {
		t.Errorf("%d chunks were counted as corrupt", n)
	}
	r := invalidator()
	defer r.Close()
	r.InvalidatePiece(media.Fault(media.Unavailable, "test", syscall.EIO))
	c.mu.Lock()
	state := c.health.state
	c.mu.Unlock()
	if state == diskOK {
		t.Error("an I/O error says nothing of the disk")
	}
}

// tornDisk loses what is written behind the first bytes of a chunk, and says nothing.
type tornDisk struct {
	realDisk
	torn atomic.Bool
}

func (d *tornDisk) Rename(from, to string) error {
	if d.torn.Load() {
		f, err := os.OpenFile(from, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.WriteAt(make([]byte, testChunk-100), chunkfile.HeaderSize+100); err != nil {
			return err
		}
	}
	return d.realDisk.Rename(from, to)
}

// TestTornWrite: a write that succeeds and whose bytes are not on the disk is found out when
// the chunk is first read, by this process too.
func TestTornWrite(t *testing.T) {
	s, d := newFakeOrigin(), &tornDisk{}
	obj := s.put("a", "1", 4*testChunk)
	c := openCache(t, t.TempDir(), 10<<20, s, d)
	scanned(t, c)
	d.torn.Store(true)
	check(t, c, s, obj, obj.Span(), media.CacheMiss)
	d.torn.Store(false)
	for range 3 {
		got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
		if err != nil || !bytes.Equal(got, s.bytes(obj)) {
			t.Fatalf("right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
		}
		waitForFills(t, c)
	}
	check(t, c, s, obj, obj.Span(), media.CacheHit)
	if n := c.Stats().Events["corrupt"]; n == 0 {
		t.Error("no chunk was found to be torn")
	}
}

// TestFirstByteAfterRestart: the first piece of a chunk does not wait for all of
// its checksums, and damage further on is found when it is read.
func TestFirstByteAfterRestart(t *testing.T) {
	const chunk = 1 << 20
	s, dir := newFakeOrigin(), t.TempDir()
	obj := s.put("a", "1", chunk)
	open := func() *Cache {
		c, err := New(Config{Dir: dir, Size: 10 << 20, ChunkSize: chunk, Memory: 8 << 20, Streams: 4}, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		scanned(t, c)
		return c
	}
	c := open()
	check(t, c, s, obj, obj.Span(), media.CacheMiss)
	c.Close()
	f, err := os.OpenFile(keyOf(obj, chunk).path(dir, 0), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{^s.bytes(obj)[chunk-5]}, chunkfile.HeaderSize+chunk-5); err != nil {
		t.Fatal(err)
	}
	f.Close()
	c = open()
	r, err := c.Open(t.Context(), obj, obj.Span())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := r.Next(t.Context(), 1<<20)
	if err != nil || p.File == nil || p.Len != unverifiedPiece {
		t.Fatalf("%+v, %v: want %d bytes of a file", p, err, unverifiedPiece)
	}
	if n := c.Stats().Events["corrupt"]; n != 0 {
		t.Errorf("%d chunks were found corrupt before their damage was read", n)
	}
	got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
	if err != nil || !bytes.Equal(got, s.bytes(obj)) || c.Stats().Events["corrupt"] != 1 {
		t.Errorf("right bytes %v, %v, %d corrupt", bytes.Equal(got, s.bytes(obj)), err, c.Stats().Events["corrupt"])
	}
}

// TestVerifyAndPurge: the commands of an operator, and the scrub.
func TestVerifyAndPurge(t *testing.T) {
	s, dir := newFakeOrigin(), t.TempDir()
	one, two, other := s.put("a", "1", 3*testChunk), s.put("a", "2", 3*testChunk), s.put("b", "1", 2*testChunk)
	c := openCache(t, dir, 10<<20, s, realDisk{})
	scanned(t, c)
	for _, obj := range []media.Object{one, two, other} {
		check(t, c, s, obj, obj.Span(), media.CacheMiss)
	}
	damage := func(obj media.Object, index int64) {
		t.Helper()
		f, err := os.OpenFile(keyOf(obj, testChunk).path(dir, index), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte{^s.bytes(obj)[index*testChunk+9]}, chunkfile.HeaderSize+9); err != nil {
			t.Fatal(err)
		}
	}
	damage(two, 1)
	calls := 0
	out, err := c.Verify(t.Context(), func(VerifyOutcome) { calls++ })
	if want := (VerifyOutcome{Checked: 8, Corrupt: 1, Bytes: 8 * (testChunk + chunkfile.HeaderSize), Total: 8}); err != nil || out != want || calls != 8 {
		t.Errorf("verify: %+v, %v, %d calls of progress, want %+v", out, err, calls, want)
	}
	check(t, c, s, two, two.Span(), media.CachePartial)
	purged, err := c.Purge(t.Context(), one.Location())
	if err != nil || purged.Chunks != 6 || c.CachedBytes(one)+c.CachedBytes(two) != 0 || c.CachedBytes(other) != other.Size {
		t.Errorf("purge: %+v, %v; %d, %d, %d bytes are cached", purged, err, c.CachedBytes(one), c.CachedBytes(two), c.CachedBytes(other))
	}
	if _, err := os.Stat(keyOf(one, testChunk).folder(dir)); !os.IsNotExist(err) {
		t.Errorf("a purged object's folder: %v", err)
	}
	accounted(t, dir, c)

	damage(other, 0)
	c.Close()
	c, err = New(Config{Dir: dir, Size: 10 << 20, ChunkSize: testChunk, ScrubRate: 100 << 20, Memory: 8 << 20, Streams: 4}, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waitUntil(t, func() bool { st := c.Stats(); return st.Events["corrupt"] == 1 && st.Verified == 1 })
}

// TestOwner: commands find the process that has locked a directory.
func TestOwner(t *testing.T) {
	dir, s := t.TempDir(), newFakeOrigin()
	if h, err := OwnerOf(filepath.Join(dir, "nowhere")); h != nil || err != nil {
		t.Errorf("of a directory that is not there: %+v, %v", h, err)
	}
	c := openCache(t, dir, 1<<20, s, realDisk{})
	if h, err := OwnerOf(dir); err != nil || h == nil || h.Admin != "" {
		t.Errorf("before it was recorded: %+v, %v", h, err)
	}
	if err := c.RecordOwner("127.0.0.1:9090"); err != nil {
		t.Fatal(err)
	}
	if h, err := OwnerOf(dir); err != nil || h == nil || *h != (Owner{os.Getpid(), "127.0.0.1:9090"}) {
		t.Errorf("once it was recorded: %+v, %v", h, err)
	}
	c.Close()
	if h, err := OwnerOf(dir); h != nil || err != nil {
		t.Errorf("after the close: %+v, %v", h, err)
	}
}

// TestScan rebuilds the index of many real files while viewers are served, and
// measures what it holds. LECTERN_TEST_SCAN asks for more files than 5,000.
func TestScan(t *testing.T) {
	files, perObject := 5000, 500
	if text := os.Getenv("LECTERN_TEST_SCAN"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("LECTERN_TEST_SCAN: %v", err)
		}
		files = n
	}
	s, dir := newFakeOrigin(), t.TempDir()
	// Sparse files: the scan looks at names and sizes.
	for i := range files {
		path := testKey(i/perObject).path(dir, int64(i%perObject))
		if i%perObject == 0 {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, chunkfile.HeaderSize+testChunk); err != nil {
			t.Fatal(err)
		}
	}
	obj := s.put("z", "1", 10*testChunk)
	began := time.Now()
	var c *Cache
	heap := heapIn(func() any {
		c = openCache(t, dir, 1<<50, s, realDisk{})
		// Read during the scan: nothing waits for it.
		got, _, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
		if err != nil || !bytes.Equal(got, s.bytes(obj)) {
			t.Errorf("during the scan: right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
		}
		scanned(t, c)
		return c
	})
	took := time.Since(began)
	t.Logf("%d files in %v, %.0f a second; %.1f bytes of heap each", files, took, float64(files)/took.Seconds(), float64(heap)/float64(files))
	if n := c.Stats().Chunks; n < files {
		t.Errorf("%d of %d chunks were found", n, files)
	}
}

// BenchmarkVerify is what comparing one chunk of 1 MiB costs, the file's pages
// being in memory.
func BenchmarkVerify(b *testing.B) {
	const chunk = 1 << 20
	obj := media.Object{Provider: "test", ID: "a", Version: "1", Size: chunk}
	key, id, data := keyOf(obj, chunk), identity(obj, chunk), make([]byte, chunk)
	file := chunkfile.Chunk{Length: chunk, Size: chunk}
	path := key.path(b.TempDir(), 0)
	if _, err := writeChunk(realDisk{}, b.TempDir(), path, file.Header(id, data), data); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.Run("whole", func(b *testing.B) {
		b.SetBytes(chunk)
		for b.Loop() {
			if err := file.Verify(f, key.identifiedBy, chunkfile.AllBlocks); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("first 64 KiB", func(b *testing.B) {
		for b.Loop() {
			if err := file.Verify(f, func(found string) bool { return found == id }, chunkfile.BlocksOf(chunk, 0, 64<<10)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
