package cache

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lectiospace/lectern/internal/cache/chunkfile"
	"github.com/lectiospace/lectern/internal/cache/eviction"
	"github.com/lectiospace/lectern/internal/cache/readahead"
	"github.com/lectiospace/lectern/internal/media"
)

// stillCache is a cache in which nothing happens but what a test does: it has no disk and no
// goroutines, but those of the fetches that are started, and its origin never answers.
func stillCache(t *testing.T) *Cache {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &Cache{
		chunkSize: testChunk, base: ctx, log: slog.New(slog.DiscardHandler),
		index: newIndex(testChunk), keys: knownKeys{}, removing: map[chunkAddress]struct{}{}, buffers: bufferPool{limit: 1 << 30},
		origin: fetcherFunc(func(ctx context.Context, _ media.Object, _ media.Span) (io.ReadCloser, error) {
			<-ctx.Done()
			return nil, media.Fault(media.Canceled, "test", ctx.Err())
		}),
	}
	c.cfg.Size, c.cfg.Streams, c.budget.free = 1<<30, 4, 1<<40
	c.policy = eviction.New(1000, c.index.number)
	var err error
	if c.metrics, err = newMetrics(prometheus.NewRegistry(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		c.running.Wait()
		c.closeBuffers()
	})
	return c
}

// stillObject has nine chunks and a short one.
func stillObject() media.Object {
	return media.Object{Provider: "test", ID: "a", Version: "1", Size: 9*testChunk + 1000}
}

// commitChunks has chunks in the index, without files; c.mu is held, or nobody else is there.
func (c *Cache) commitChunks(obj media.Object, chunks ...int64) {
	o := c.index.objectFor(keyOf(obj, c.chunkSize))
	for _, i := range chunks {
		c.index.add(o, i, c.chunkLength(i, obj.Size), 0)
	}
}

// fillChunk has a chunk being fetched, whose parts are the other fetches' of this name; c.mu is
// held, or nobody else is there.
func (c *Cache) fillChunk(obj media.Object, index int64, parts ...part) *fill {
	fl := &fill{o: c.index.objectFor(keyOf(obj, c.chunkSize)), index: index, length: c.chunkLength(index, obj.Size), storable: true}
	c.list(fl)
	for _, p := range parts {
		if p.fetch == nil {
			p.fetch = &fetch{c: c}
		}
		fl.addPart(&p)
	}
	return fl
}

// TestPlanFetch: a fetch begins where its reader waits, or little before, and ends before what is
// there or under way, and with the object.
func TestPlanFetch(t *testing.T) {
	const n, half, none = testChunk, testChunk / 2, -1
	size := stillObject().Size
	for _, test := range []struct {
		name      string
		committed []int64
		filling   map[int64]part // by chunk
		size      int64          // of the object, if not the usual one
		from      int64
		want      int64
		exact     bool
		ok        bool
		current   int64 // the chunk whose fetch brings the byte
		gapIn     int64
		first     int64 // of the plan, as the rest
		end       int64
		at, to    int64 // bytes
	}{
		{name: "whole chunks", from: 0, want: 2*n + half, ok: true, gapIn: none, end: 3, to: 3 * n},
		{name: "to the byte", from: 0, want: 2*n + half, exact: true, ok: true, gapIn: none, end: 3, to: 2*n + half},
		{name: "to the byte, in one chunk", from: 2*n + half, want: 10, exact: true, ok: true, gapIn: none, first: 2, end: 3, at: 2*n + half, to: 2*n + half + 10},
		{name: "near a chunk's start", from: 2*n + nearStart, want: n, ok: true, gapIn: none, first: 2, end: 4, at: 2 * n, to: 4 * n},
		{name: "not near a chunk's start", from: 2*n + nearStart + 1, want: 10, ok: true, gapIn: none, first: 2, end: 3, at: 2*n + nearStart + 1, to: 3 * n},
		{name: "the end of the object", from: 8 * n, want: 5 * n, ok: true, gapIn: none, first: 8, end: 10, at: 8 * n, to: size},
		{name: "the end of an object of whole chunks", size: 9 * n, from: 8 * n, want: 5 * n, ok: true, gapIn: none, first: 8, end: 9, at: 8 * n, to: 9 * n},
		{name: "a committed byte", committed: []int64{2}, from: 2*n + 5, want: n, current: none},
		{name: "a committed chunk ahead", committed: []int64{4}, from: 2 * n, want: 5 * n, ok: true, gapIn: none, first: 2, end: 4, at: 2 * n, to: 4 * n},
		{name: "a committed chunk behind", committed: []int64{1}, from: 2 * n, want: 2 * n, ok: true, gapIn: none, first: 2, end: 4, at: 2 * n, to: 4 * n},
		{name: "a chunk ahead that is being fetched", filling: map[int64]part{4: {hi: n}}, from: 2 * n, want: 5 * n, ok: true, gapIn: none, first: 2, end: 4, at: 2 * n, to: 4 * n},
		{name: "a byte that is being fetched", filling: map[int64]part{2: {hi: half}}, from: 2*n + half - 1, want: n, current: 2},
		{name: "a gap before a part", filling: map[int64]part{2: {lo: half, hi: n}}, from: 2*n + 5, want: 3 * n, ok: true, gapIn: 2, first: 2, end: 3, at: 2*n + 5, to: 2*n + half},
		{name: "a gap after a part", filling: map[int64]part{2: {hi: half}}, from: 2*n + half, want: 2 * n, ok: true, gapIn: 2, first: 2, end: 5, at: 2*n + half, to: 5 * n},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, obj := stillCache(t), stillObject()
			if test.size > 0 {
				obj.Size = test.size
			}
			c.commitChunks(obj, test.committed...)
			fills := map[int64]*fill{}
			for i, p := range test.filling {
				fills[i] = c.fillChunk(obj, i, p)
			}
			plan, current, ok := c.planFetch(keyOf(obj, c.chunkSize), obj, test.from, test.want, test.exact)
			if ok != test.ok {
				t.Fatalf("%+v, planned: %t", plan, ok)
			}
			if !ok {
				want := (*fetch)(nil)
				if test.current != none {
					want = fills[test.current].parts[0].fetch
				}
				if current != want {
					t.Errorf("the fetch that brings the byte: %+v", current)
				}
				return
			}
			if want := (fetchPlan{gapIn: fills[test.gapIn], first: test.first, end: test.end, from: test.at, to: test.to}); plan != want || current != nil {
				t.Errorf("%+v beside %v, want %+v", plan, current, want)
			}
		})
	}
}

func TestStorable(t *testing.T) {
	c := stillCache(t)
	obj := media.Object{Size: (maxIndex + 9) * testChunk}
	for end, want := range map[int64]bool{1: true, maxIndex + 1: true, maxIndex + 2: false} {
		if got := c.storable(fetchPlan{first: end - 1, end: end}, obj); got != want {
			t.Errorf("chunk %#x may be stored: %t", end-1, got)
		}
	}
	c.health.state = diskBypass
	if c.storable(fetchPlan{end: 1}, obj) {
		t.Error("a chunk may be stored on a disk that is bypassed")
	}
}

// openStill opens a reader of the rest of an object.
func openStill(t *testing.T, c *Cache, obj media.Object, from int64) *reader {
	t.Helper()
	r, err := c.open(obj, media.Span{Off: from, Len: obj.Size - from})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestStartedFetchIsShort: what cannot be stored is requested in small pieces, because it stays in
// memory.
func TestStartedFetchIsShort(t *testing.T) {
	long := func(length int) media.Object { // of identity
		obj := media.Object{Provider: "test", Version: "1", Size: 1 << 30}
		obj.ID = strings.Repeat("x", length-len(identity(obj, testChunk)))
		return obj
	}
	const much, little = 2 * readahead.PassThroughRequest, readahead.PassThroughRequest / 2
	for _, test := range []struct {
		name   string
		obj    media.Object
		state  diskState
		want   int64
		length int64
		stored bool
	}{
		{"much", long(100), diskOK, much, much, true},
		{"much, without a disk", long(100), diskBypass, much, readahead.PassThroughRequest, false},
		{"little, without a disk", long(100), diskBypass, little, little, false},
		{"the longest identity", long(chunkfile.MaxIdentity), diskOK, much, much, true},
		{"an identity that is too long for a file", long(chunkfile.MaxIdentity + 1), diskOK, much, readahead.PassThroughRequest, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := stillCache(t)
			c.health.state = test.state
			f := c.startOrJoin(openStill(t, c, test.obj, 0), 0, test.want, false)
			c.mu.Lock()
			defer c.mu.Unlock()
			if f.to-f.from != test.length || f.fills[0].storable != test.stored {
				t.Errorf("%d bytes are requested, want %d; they may be stored: %t", f.to-f.from, test.length, f.fills[0].storable)
			}
		})
	}
}

// TestStartOrJoin: the first reader starts the fetch, the second joins it, and neither fetches what
// is there.
func TestStartOrJoin(t *testing.T) {
	c, obj := stillCache(t), stillObject()
	first, second := openStill(t, c, obj, 0), openStill(t, c, obj, 0)
	f := c.startOrJoin(first, 0, 3*testChunk, false)
	if f == nil || c.startOrJoin(second, 2*testChunk, testChunk, false) != f {
		t.Fatal("the second reader has another fetch, or none")
	}
	c.mu.Lock()
	if !slices.Equal(f.readers, []*reader{first, second}) || f.starter != first || !slices.Equal(first.fetches, []*fetch{f}) {
		t.Errorf("%d readers are attached, started for the first: %t", len(f.readers), f.starter == first)
	}
	if miss, joined := c.metrics.counts()["miss"], c.metrics.counts()["joined"]; miss != 3 || joined != 1 {
		t.Errorf("%d misses and %d joined, want 3 and 1", miss, joined)
	}
	c.commitChunks(obj, 5)
	c.mu.Unlock()
	if c.startOrJoin(first, 5*testChunk, testChunk, false) != nil {
		t.Error("what is there is fetched")
	}
}

// TestGrantBuffers: a plan is shortened to the chunks that memory is granted for, half of what is
// free at most; the one that has memory already, and one that will wait for it, are kept.
func TestGrantBuffers(t *testing.T) {
	const n = testChunk
	for _, test := range []struct {
		name    string
		free    int64 // chunks
		waiting bool  // others are
		gap     bool  // in the first chunk
		to      int64 // chunks and a half before
		granted int64
		end     int64
		want    int64 // bytes
	}{
		{"enough", 64, false, false, 5, 5, 5, 4*n + n/2},
		{"enough, beside a gap", 64, false, true, 5, 4, 5, 4*n + n/2},
		{"some", 4, false, false, 5, 2, 2, 2 * n},
		{"some, beside a gap", 4, false, true, 5, 2, 3, 3 * n},
		{"none", 0, false, false, 5, 0, 1, n},
		{"none, in a gap", 0, false, true, 1, 0, 1, n / 2},
		{"others wait", 64, true, false, 5, 0, 1, n},
		{"others wait, in a gap", 64, true, true, 5, 0, 1, n},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &Cache{chunkSize: n, buffers: bufferPool{limit: test.free * n}}
			if test.waiting {
				c.buffers.waiters = append(c.buffers.waiters, make(chan struct{}))
			}
			const first = 3
			plan := fetchPlan{first: first, end: first + test.to, from: first * n, to: (first+test.to)*n - n/2}
			if test.gap {
				plan.gapIn = &fill{}
			}
			c.grantBuffers(&plan)
			if plan.granted != test.granted || c.buffers.used != test.granted*n {
				t.Errorf("%d buffers are granted, and %d bytes counted", plan.granted, c.buffers.used)
			}
			if end, to := plan.end-first, plan.to-first*n; end != test.end || to != test.want {
				t.Errorf("%d chunks are left, of %d bytes", end, to)
			}
		})
	}
}

// noPolicy wants no chunk.
type noPolicy struct{ eviction.Policy }

func (noPolicy) Wants(uint32, uint64, eviction.Arrival) bool { return false }

// TestStartFetchJudgesChunks: in a full cache a new chunk at its first use is not wanted, unless it is
// read to be stored. One that cannot be stored is not judged: its reason to pass through is another.
func TestStartFetchJudgesChunks(t *testing.T) {
	for _, test := range []struct {
		name     string
		full     bool
		storing  storing
		unwanted bool
	}{
		{"full", true, storing{storable: true}, true},
		{"not full", false, storing{storable: true}, false},
		{"full, and read to be stored", true, storing{storable: true, keep: true}, false},
		{"full, and not to be stored", true, storing{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, obj := stillCache(t), stillObject()
			c.policy = noPolicy{c.policy}
			if test.full {
				c.budget.used, c.budget.usedThen = c.limit(), c.limit()
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			f := c.startFetch(obj, keyOf(obj, c.chunkSize), fetchPlan{end: 2, to: 2 * testChunk}, test.storing, "")
			for _, fl := range f.fills {
				if fl.storable != test.storing.storable || fl.unwanted != test.unwanted {
					t.Errorf("chunk %d: storable %t, unwanted %t", fl.index, fl.storable, fl.unwanted)
				}
			}
		})
	}
}

// TestStartFetchInAGap: the fetch of a chunk's gap and of those behind it counts the new ones as
// missing, and takes the first out of those whose gaps nobody fetches.
func TestStartFetchInAGap(t *testing.T) {
	c, obj := stillCache(t), stillObject()
	c.mu.Lock()
	defer c.mu.Unlock()
	fl := c.fillChunk(obj, 2, part{hi: 100, have: 100, verified: true})
	c.gapped.add(fl, obj)
	began := time.Now()
	f := c.startFetch(obj, fl.o.key, fetchPlan{gapIn: fl, first: 2, end: 4, from: 2*testChunk + 100, to: 4*testChunk - 7}, storing{storable: true}, "")
	if c.gapped.list.Len() != 0 {
		t.Error("the gap still waits for somebody to fetch it")
	}
	if n := c.metrics.counts()["miss"]; n != 1 {
		t.Errorf("%d misses, want 1", n)
	}
	if f.startedAt.Before(began) {
		t.Errorf("started at %v", f.startedAt)
	}
	if !slices.Equal(f.fills, []*fill{fl, fl.o.filling[3]}) || fl.refs != 2 {
		t.Fatalf("the chunks %v are filled", f.fills)
	}
	for i, want := range []part{{lo: 100, have: 100, hi: testChunk}, {hi: testChunk - 7}} {
		if p := f.fills[i].partOf(f); p.lo != want.lo || p.have != want.have || p.hi != want.hi {
			t.Errorf("the part of chunk %d is of %d to %d, and %d is there", 2+i, p.lo, p.hi, p.have)
		}
	}
}

// TestStartFetchOfAClosedCache: it has failed at once, and holds nothing.
func TestStartFetchOfAClosedCache(t *testing.T) {
	c, obj := stillCache(t), stillObject()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.buffers.used = 2 * testChunk
	f := c.startFetch(obj, keyOf(obj, c.chunkSize), fetchPlan{first: 2, end: 4, from: 2 * testChunk, to: 4 * testChunk, granted: 2}, storing{storable: true}, "")
	if f == nil || !f.finished || !f.closed || media.KindOf(f.err) != media.Canceled || f.ctx.Err() == nil {
		t.Fatalf("%+v", f)
	}
	if len(c.index.objects) != 0 || c.buffers.used != 0 {
		t.Errorf("%d objects are left, and %d bytes of memory", len(c.index.objects), c.buffers.used)
	}
	if n := testutil.ToFloat64(c.metrics.overread); n != 0 {
		t.Errorf("%v bytes were read over", n)
	}
}

// TestBackfill: the first gap is fetched of a chunk that others find and that will be stored.
func TestBackfill(t *testing.T) {
	const n, half = testChunk, testChunk / 2
	middle := part{lo: 100, have: half, hi: half, verified: true}
	for _, test := range []struct {
		name string
		part part
		set  func(c *Cache, fl *fill)
		want bool
	}{
		{"a gap", middle, func(*Cache, *fill) {}, true},
		{"no gap", part{have: n, hi: n}, func(*Cache, *fill) {}, false},
		{"not to be stored", middle, func(_ *Cache, fl *fill) { fl.storable = false }, false},
		{"not wanted", middle, func(_ *Cache, fl *fill) { fl.unwanted = true }, false},
		{"given up", middle, func(c *Cache, fl *fill) { c.unlist(fl) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, obj := stillCache(t), stillObject()
			c.mu.Lock()
			defer c.mu.Unlock()
			fl := c.fillChunk(obj, 2, test.part)
			test.set(c, fl)
			f := c.backfill(fl, obj)
			if (f != nil) != test.want {
				t.Fatalf("fetched: %+v", f)
			}
			if test.want && (!f.isBackfill || f.from != 2*n || f.to != 2*n+100 || fl.parts[0].fetch != f) {
				t.Errorf("a backfill: %t, of %d to %d", f.isBackfill, f.from, f.to)
			}
		})
	}
}

// TestBackfillDetached: it has its grace from the start, since no reader ends it.
func TestBackfillDetached(t *testing.T) {
	c, obj := stillCache(t), stillObject()
	c.mu.Lock()
	defer c.mu.Unlock()
	gapped, whole := c.fillChunk(obj, 2, part{hi: 100}), c.fillChunk(obj, 3, part{hi: testChunk})
	c.backfillDetached(whole, obj)
	if len(whole.parts) != 1 {
		t.Error("a chunk without a gap is fetched")
	}
	c.backfillDetached(gapped, obj)
	if len(gapped.parts) != 2 {
		t.Fatal("the gap is not fetched")
	}
	timer := gapped.parts[1].fetch.graceTimer
	if timer == nil {
		t.Fatal("nothing ends the backfill")
	}
	timer.Stop()
}
