package cache

import (
	"bytes"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/media"
)

// The work under the lock, and the calls of the file system, must not grow with the
// span that is read, the object or the cache. The tests of this file count table
// nodes and stats; its benchmarks measure the time at a million chunks.

// bigObject has 10 GiB, which is 163,840 chunks of testChunk.
func bigObject(id string) media.Object {
	return media.Object{Provider: "test", ID: id, Version: "1", Size: 10 << 30}
}

// commitRange commits chunks that have no files.
func commitRange(c *Cache, obj media.Object, first, end int64) {
	key := keyOf(obj, c.chunkSize)
	for i := first; i < end; i++ {
		c.mu.Lock()
		length := c.chunkLength(i, obj.Size)
		c.commit(c.index.objectFor(key), i, length, eventFound, eviction.Arrival{})
		c.budget.used += footprint(length)
		c.mu.Unlock()
	}
}

// recommit evicts a chunk and commits it again.
func recommit(c *Cache, obj media.Object, index int64) {
	c.mu.Lock()
	dropRemoved(c, keyOf(obj, c.chunkSize), index)
	c.mu.Unlock()
	commitRange(c, obj, index, index+1)
}

// dropRemoved evicts a chunk as if its file had been removed; c.mu is held.
func dropRemoved(c *Cache, key objectKey, index int64) {
	r := c.drop(c.index.find(c.index.objects[key], index), eventEvict)
	delete(c.removing, r.chunkAddress)
	c.budget.used -= r.bytes
}

// bigCache has chunks of big objects, and others of small ones.
func bigCache(tb testing.TB, big, small int) *Cache {
	c := openCache(tb, tb.TempDir(), 1<<50, newFakeOrigin(), realDisk{})
	scanned(tb, c)
	for i := range big {
		obj := bigObject(fmt.Sprint("big", i))
		commitRange(c, obj, 0, obj.Size/testChunk)
	}
	for i := range small {
		commitRange(c, smallObject(i), 0, 16)
	}
	return c
}

func smallObject(i int) media.Object {
	return media.Object{Provider: "test", ID: fmt.Sprint("small", i), Version: "1", Size: 16 * testChunk}
}

func openAndClose(tb testing.TB, c *Cache, obj media.Object, off int64, want media.CacheStatus) {
	r, err := c.Open(tb.Context(), obj, media.Span{Off: off, Len: obj.Size - off})
	if err != nil {
		tb.Fatal(err)
	}
	if r.Status() != want {
		tb.Fatalf("status %v, want %v", r.Status(), want)
	}
	r.Close()
}

func purgeSmall(tb testing.TB, c *Cache, i int) {
	out, err := c.Purge(tb.Context(), smallObject(i).Location())
	if err != nil || out.Chunks != 16 {
		tb.Fatalf("%+v, %v", out, err)
	}
}

func TestWorkUnderTheLockIsBounded(t *testing.T) {
	c := bigCache(t, 1, 2000)
	whole, holed := bigObject("big0"), bigObject("holed")
	commitRange(c, holed, 0, 1000)
	commitRange(c, holed, 1001, 160_000)
	for _, op := range []struct {
		name string
		most uint64 // nodes and objects
		do   func()
	}{
		{"open the whole of an object", 20, func() { openAndClose(t, c, whole, 0, media.CacheHit) }},
		{"open an open-ended range", 20, func() { openAndClose(t, c, whole, 1, media.CacheHit) }},
		{"open a range with a hole", 20, func() { openAndClose(t, c, holed, 1, media.CachePartial) }},
		{"open what is not there", 20, func() { openAndClose(t, c, bigObject("absent"), 1, media.CacheMiss) }},
		{"evict and commit in the middle", 50, func() { recommit(c, whole, 80_000) }},
		{"purge 16 chunks", 200, func() { purgeSmall(t, c, 700) }},
		{"count an object's bytes", 0, func() { c.CachedBytes(whole) }},
		{"look 16 MiB ahead of a reader", 50, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.planFetch(keyOf(whole, testChunk), whole, 5, 16<<20, false)
			c.planFetch(keyOf(holed, testChunk), holed, 1000*testChunk, 16<<20, false)
		}},
	} {
		before := *c.index.visits
		op.do()
		if visits := *c.index.visits - before; visits > op.most {
			t.Errorf("%s: %d nodes and objects were visited, want at most %d", op.name, visits, op.most)
		}
	}
}

// TestPurgeTakesEveryVersion: versions of one location are linked; unlinking one,
// wherever it is in the list, leaves the others.
func TestPurgeTakesEveryVersion(t *testing.T) {
	c := bigCache(t, 0, 0)
	version := func(v int) media.Object {
		obj := smallObject(1)
		obj.Version = fmt.Sprint(v)
		return obj
	}
	for v := range 5 {
		commitRange(c, version(v), 0, 16)
	}
	for _, v := range []int{2, 4, 0} {
		for i := range int64(16) {
			c.mu.Lock()
			dropRemoved(c, keyOf(version(v), testChunk), i)
			c.mu.Unlock()
		}
	}
	out, err := c.Purge(t.Context(), smallObject(1).Location())
	if err != nil || out.Chunks != 32 {
		t.Errorf("%+v, %v; want the 32 chunks of two versions", out, err)
	}
	if len(c.index.objects) != 0 || len(c.index.byLocation) != 0 {
		t.Errorf("%d objects and %d locations are left", len(c.index.objects), len(c.index.byLocation))
	}
	audit(t, c)
}

// countingDisk counts stats.
type countingDisk struct {
	realDisk
	stats atomic.Int64
}

func (d *countingDisk) Stat(path string) (os.FileInfo, error) {
	d.stats.Add(1)
	return d.realDisk.Stat(path)
}

// setScan makes the cache believe that the scan runs, and where it is.
func setScan(c *Cache, s scanState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scanning = s
}

func TestOpenDuringTheScanStatsFewFiles(t *testing.T) {
	d := &countingDisk{}
	c := openCache(t, t.TempDir(), 1<<50, newFakeOrigin(), d)
	scanned(t, c)
	obj := bigObject("a")
	key := keyOf(obj, testChunk)
	for _, s := range []struct {
		name string
		scan scanState
		most int64
	}{
		{"before the folders are listed", scanState{running: true}, 33},
		{"before the folder is scanned", scanState{running: true, unscanned: map[objectKey]struct{}{key: {}}}, 33},
		{"after the folder was scanned", scanState{running: true, unscanned: map[objectKey]struct{}{}}, 0},
		{"after the scan", scanState{}, 0},
	} {
		setScan(c, s.scan)
		before := d.stats.Load()
		openAndClose(t, c, obj, 1, media.CacheMiss)
		if stats := d.stats.Load() - before; stats > s.most {
			t.Errorf("%s: %d stats for a range of %d chunks, want at most %d", s.name, stats, obj.Size/testChunk, s.most)
		}
	}
}

// TestChunksAreFoundDuringTheScan: a reader finds every chunk of a folder that the
// scan has not come to, asks the disk for each once, and the origin for none.
func TestChunksAreFoundDuringTheScan(t *testing.T) {
	s, d, dir := newFakeOrigin(), &countingDisk{}, t.TempDir()
	obj := s.put("a", "1", 100*testChunk+5)
	c := openCache(t, dir, 100<<20, s, d)
	scanned(t, c)
	check(t, c, s, obj, obj.Span(), media.CacheMiss)
	key := keyOf(obj, testChunk)
	c.mu.Lock()
	for i := range int64(101) { // as if they had not been found
		dropRemoved(c, key, i)
	}
	c.mu.Unlock()
	setScan(c, scanState{running: true, unscanned: map[objectKey]struct{}{key: {}}})
	sent := s.sent.Load()
	got, status, err := read(t.Context(), c, obj, obj.Span(), 1<<20)
	if err != nil || !bytes.Equal(got, s.bytes(obj)) {
		t.Fatalf("right bytes %v, %v", bytes.Equal(got, s.bytes(obj)), err)
	}
	if status != media.CacheHit {
		t.Errorf("status %v, want that of the first 2 MiB", status)
	}
	if again := s.sent.Load() - sent; again != 0 {
		t.Errorf("%d bytes were fetched that are on the disk", again)
	}
	if n := d.stats.Load(); n > 101 {
		t.Errorf("%d stats for 101 chunks", n)
	}
	setScan(c, scanState{})
	if n := c.CachedBytes(obj); n != obj.Size {
		t.Errorf("%d of %d bytes are in the index", n, obj.Size)
	}
}

// A cache of 1,000,000 chunks: five objects of 10 GiB and 11,300 small ones.
const benchBig, benchSmall = 5, 11_300

func BenchmarkOpenEndedRange(b *testing.B) {
	c := bigCache(b, benchBig, benchSmall)
	for b.Loop() {
		openAndClose(b, c, bigObject("big0"), 1, media.CacheHit)
	}
}

func BenchmarkPurge16(b *testing.B) {
	c := bigCache(b, benchBig, benchSmall)
	for b.Loop() {
		purgeSmall(b, c, 700)
		commitRange(c, smallObject(700), 0, 16)
	}
}

func BenchmarkEvictAndCommitInTheMiddle(b *testing.B) {
	c := bigCache(b, benchBig, benchSmall)
	for b.Loop() {
		recommit(c, bigObject("big0"), 80_000)
	}
}

func BenchmarkCachedBytes(b *testing.B) {
	c := bigCache(b, benchBig, benchSmall)
	for b.Loop() {
		c.CachedBytes(bigObject("big0"))
	}
}

func BenchmarkOpenDuringTheScan(b *testing.B) {
	c := bigCache(b, benchBig, benchSmall)
	for b.Loop() {
		setScan(c, scanState{running: true})
		openAndClose(b, c, bigObject("absent"), 1, media.CacheMiss)
		setScan(c, scanState{})
	}
}
