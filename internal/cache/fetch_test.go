package cache

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// slowOrigin is an origin whose first byte takes latency, and whose streams transfer
// rate bytes a second each.
type slowOrigin struct {
	latency time.Duration
	rate    int64
	// vary gives each request's latency and rate as factors of these; nil = 1 and 1.
	vary func() (latency, rate float64)

	requests, asked, sent, open atomic.Int64
}

func (v *slowOrigin) Open(ctx context.Context, _ media.Object, span media.Span) (io.ReadCloser, error) {
	v.requests.Add(1)
	v.asked.Add(span.Len)
	latency, rate := 1.0, 1.0
	if v.vary != nil {
		latency, rate = v.vary()
	}
	if err := sleep(ctx, time.Duration(latency*float64(v.latency))); err != nil {
		return nil, media.Fault(media.Canceled, "slow origin", err)
	}
	v.open.Add(1)
	return &slowBody{v: v, ctx: ctx, rate: rate * float64(v.rate), left: span.Len, began: time.Now()}, nil
}

type slowBody struct {
	v          *slowOrigin
	ctx        context.Context
	rate       float64 // bytes a second
	left, done int64
	began      time.Time
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), b.left, 32<<10)
	due := b.began.Add(time.Duration(float64(b.done+n) / b.rate * float64(time.Second)))
	if err := sleep(b.ctx, time.Until(due)); err != nil {
		return 0, media.Fault(media.Canceled, "slow origin", err)
	}
	b.left, b.done = b.left-n, b.done+n
	b.v.sent.Add(n)
	return int(n), nil
}

func (b *slowBody) Close() error {
	b.v.open.Add(-1)
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// viewer reads a span until it has had most bytes, taking no more than rate bytes
// a second (0 = as they come). It returns how long the first byte and all took.
func viewer(t *testing.T, c *Cache, obj media.Object, span media.Span, most, rate int64, each func(had int64)) (first, all time.Duration) {
	t.Helper()
	began := time.Now()
	r, err := c.Open(t.Context(), obj, span)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for had := int64(0); had < most; {
		p, err := r.Next(t.Context(), min(64<<10, most-had))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if had == 0 {
			first = time.Since(began)
		}
		had += p.Len
		if each != nil {
			each(had)
		}
		if rate > 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64(had) / float64(rate) * float64(time.Second)))))
		}
	}
	return first, time.Since(began)
}

const (
	mib           = 1 << 20
	originLatency = 50 * time.Millisecond
	streamRate    = 8 * mib
	lessonBytes   = 64*mib + 12345
)

// inVirtualTime runs a test in virtual time: its durations follow from the requests
// that the cache makes, not from the machine.
func inVirtualTime(t *testing.T, test func(t *testing.T, c *Cache, v *slowOrigin, obj media.Object)) {
	synctest.Test(t, func(t *testing.T) {
		v := &slowOrigin{latency: originLatency, rate: streamRate}
		c := openCache(t, t.TempDir(), 1<<30, v, realDisk{})
		c.chunkSize, c.index.chunkSize, c.buffers.limit = mib, mib, 64*mib
		synctest.Wait()
		test(t, c, v, media.Object{Provider: "test", ID: "a", Version: "1", Size: lessonBytes})
		synctest.Wait()
		if n := v.open.Load(); n != 0 {
			t.Errorf("%d bodies are still open", n)
		}
	})
}

// TestParallelStreams: one viewer gets the rate of all streams after the latency of one
// request, and the origin sends the recording once.
func TestParallelStreams(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *Cache, v *slowOrigin, obj media.Object) {
		first, all := viewer(t, c, obj, obj.Span(), obj.Size, 0, nil)
		direct := originLatency + time.Duration(float64(obj.Size)/streamRate*float64(time.Second))
		t.Logf("first byte %v, all %v: %.2f × direct, %d requests", first, all, float64(direct)/float64(all), v.requests.Load())
		if first > originLatency+5*time.Millisecond {
			t.Errorf("the first byte took %v", first)
		}
		if float64(direct)/float64(all) < 3.8 {
			t.Errorf("%v for what one stream brings in %v", all, direct)
		}
		if v.sent.Load() != obj.Size || v.asked.Load() != obj.Size {
			t.Errorf("%d bytes asked for and %d sent of %d", v.asked.Load(), v.sent.Load(), obj.Size)
		}
	})
}

// TestStreamsEndTogether: requests of uneven latency and rate drift apart, and those at the
// end of the recording even out by how much: no stream ends while another has long to go.
func TestStreamsEndTogether(t *testing.T) {
	for seed := range uint64(8) {
		inVirtualTime(t, func(t *testing.T, c *Cache, v *slowOrigin, obj media.Object) {
			var mu sync.Mutex
			rng := rand.New(rand.NewPCG(seed, 1))
			v.vary = func() (latency, rate float64) {
				mu.Lock()
				defer mu.Unlock()
				return 1 + rng.Float64()/10, 1 - rng.Float64()/20
			}
			c.buffers.limit = 256 * mib
			_, all := viewer(t, c, obj, obj.Span(), obj.Size, 0, nil)
			direct := originLatency + time.Duration(float64(obj.Size)/streamRate*float64(time.Second))
			t.Logf("all %v: %.2f × direct, %d requests", all, float64(direct)/float64(all), v.requests.Load())
			if float64(direct)/float64(all) < 3.7 {
				t.Errorf("seed %d: %v for what one stream brings in %v", seed, all, direct)
			}
			if v.sent.Load() != obj.Size || v.asked.Load() != obj.Size {
				t.Errorf("%d bytes asked for and %d sent of %d", v.asked.Load(), v.sent.Load(), obj.Size)
			}
		})
	}
}

// TestParallelStreamsForMany: the same for fifty viewers who start one after the other.
func TestParallelStreamsForMany(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *Cache, v *slowOrigin, obj media.Object) {
		began := time.Now()
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * 2 * time.Millisecond)
				if first, _ := viewer(t, c, obj, obj.Span(), obj.Size, 0, nil); first > originLatency+5*time.Millisecond {
					t.Errorf("viewer %d waited %v for the first byte", i, first)
				}
			})
		}
		group.Wait()
		t.Logf("%v, %d requests", time.Since(began), v.requests.Load())
		if v.sent.Load() != obj.Size {
			t.Errorf("%d bytes were sent of %d", v.sent.Load(), obj.Size)
		}
	})
}

// TestSeek: a player seeks, reads a MiB and seeks elsewhere. It waits for one first
// byte, and little is requested that it does not read.
func TestSeek(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *Cache, v *slowOrigin, obj media.Object) {
		r := rand.New(rand.NewPCG(1, 2))
		const seeks = 40
		for range seeks {
			obj.ID += "x" // cold each time
			off := 1 + r.Int64N(obj.Size-4*mib)
			span := media.Span{Off: off, Len: obj.Size - off}
			if first, _ := viewer(t, c, obj, span, mib, 0, nil); first > originLatency+8*time.Millisecond {
				t.Errorf("the first byte at %d took %v", off, first)
			}
		}
		synctest.Wait()
		asked, sent := float64(v.asked.Load())/seeks/mib, float64(v.sent.Load())/seeks/mib
		t.Logf("asked %.2f, sent %.2f bytes per byte wanted", asked, sent)
		if sent > 1.3 || asked > 1.5 {
			t.Errorf("asked %.2f, sent %.2f bytes per byte wanted", asked, sent)
		}
	})
}

// TestSlowViewer: read-ahead for a viewer of a megabit a second is bounded.
func TestSlowViewer(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *Cache, v *slowOrigin, obj media.Object) {
		worst := int64(0)
		viewer(t, c, obj, obj.Span(), 8*mib, 125_000, func(had int64) {
			worst = max(worst, v.asked.Load()-had)
		})
		t.Logf("at most %.1f MiB ahead, %d requests", float64(worst)/mib, v.requests.Load())
		if worst > 8*mib+128<<10 {
			t.Errorf("%d bytes were asked for ahead", worst)
		}
	})
}

// TestCloseStopsFetches: a fetch without readers ends at once, whatever it waits for: a
// response, or a body.
func TestCloseStopsFetches(t *testing.T) {
	for name, latency := range map[string]time.Duration{"no answer": time.Hour, "a stalled body": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, c *Cache, v *slowOrigin, obj media.Object) {
				v.latency, v.rate = latency, 1
				ctx, hangUp := context.WithTimeout(t.Context(), 10*time.Second)
				defer hangUp()
				r, err := c.Open(ctx, obj, media.Span{Off: 5 * mib, Len: obj.Size - 5*mib})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := r.Next(ctx, mib); media.KindOf(err) != media.Timeout {
					t.Errorf("the wait ended with %v", err)
				}
				r.Close()
				synctest.Wait() // no time passes
				if s := c.Stats(); s.Bytes != 0 || c.buffers.used != 0 || v.open.Load() != 0 {
					t.Errorf("%d bytes reserved, %d in memory, %d bodies open", s.Bytes, c.buffers.used, v.open.Load())
				}
			})
		})
	}
}

// TestHangUpKeepsChunks: a viewer seeks and hangs up. Of the chunks in whose middle the request began
// and ended those are completed and stored of which most was received, and no others: little more
// is asked for than without that, and who seeks there later does not ask for the same again.
func TestHangUpKeepsChunks(t *testing.T) {
	const kib = 1 << 10
	for name, test := range map[string]struct {
		from, hangUpAt int64         // bytes: of the request, and read of it
		gaps           int64         // bytes that are fetched to complete chunks
		rate           int64         // of the origin
		rest           time.Duration // from the last byte read to the hang-up
		others         int           // readers that watch the same
		kept           []int64       // chunks
	}{
		"both ends":                          {gaps: 640 * kib, from: 5*mib + 320*kib, hangUpAt: 64 * kib, rate: 1 << 30, rest: time.Second, kept: []int64{5, 6}},
		"the beginning":                      {gaps: 250 * kib, from: 5*mib + 250*kib, hangUpAt: 64 * kib, rate: 1 << 30, rest: time.Second, kept: []int64{5}},
		"the end":                            {gaps: 240 * kib, from: 5*mib + 400*kib, hangUpAt: 64 * kib, rate: 1 << 30, rest: time.Second, kept: []int64{6}},
		"little of both ends":                {from: 5*mib + 900*kib, hangUpAt: 64 * kib, rate: 1 << 30, rest: time.Second, kept: []int64{6}},
		"what was received before a hang-up": {gaps: 250 * kib, from: 5*mib + 250*kib, hangUpAt: 900 * kib, rate: streamRate, kept: []int64{5}},
		"an end that is near":                {gaps: 240 * kib, from: 5*mib + 400*kib, hangUpAt: 900 * kib, rate: 25 * mib, kept: []int64{6}},
		"what others will come to":           {others: watchedBy, gaps: 3*mib - firstRequestBytes, from: 5*mib + 900*kib, hangUpAt: 512 * kib, rate: streamRate, kept: []int64{5, 6, 7}},
		"what few others watch":              {others: watchedBy - 1, from: 5*mib + 900*kib, hangUpAt: 512 * kib, rate: streamRate},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, c *Cache, v *slowOrigin, obj media.Object) {
				v.rate = test.rate
				r, err := c.Open(t.Context(), obj, media.Span{Off: test.from, Len: obj.Size - test.from})
				if err != nil {
					t.Fatal(err)
				}
				for had := int64(0); had < test.hangUpAt; {
					p, err := r.Next(t.Context(), min(64*kib, test.hangUpAt-had))
					if err != nil {
						t.Fatal(err)
					}
					had += p.Len
				}
				for range test.others {
					other, err := c.open(obj, obj.Span())
					if err != nil {
						t.Fatal(err)
					}
					defer other.Close()
					c.mu.Lock()
					other.countAmong(c.index.objects[other.key]) // as if it read elsewhere
					c.mu.Unlock()
				}
				time.Sleep(test.rest)
				r.Close()
				time.Sleep(2 * detachGrace)
				if kept := chunksOf(c, obj, 4, 8); !slices.Equal(kept, test.kept) {
					t.Errorf("the chunks %v were stored, want %v", kept, test.kept)
				}
				if want := firstRequestBytes + test.gaps; v.asked.Load() != want {
					t.Errorf("%d bytes were asked for, want %d", v.asked.Load(), want)
				}
				if c.buffers.used != 0 {
					t.Errorf("%d bytes are in memory", c.buffers.used)
				}
			})
		})
	}
}

// TestReadersAreCounted: an object knows how many open readers it has: those who came before there was
// anything of it, and those who stayed when all of it was purged; and not those whom nobody watches.
func TestReadersAreCounted(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *Cache, _ *slowOrigin, obj media.Object) {
		var all []*reader
		for range 5 {
			r, err := c.open(obj, media.Span{Off: 0, Len: 3 * mib})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		all[3].SetSpeculative()
		all[4].keep = true
		count := func(what string, want int) {
			for _, r := range all {
				if _, err := r.Next(t.Context(), mib/2); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			if o := c.index.objects[keyOf(obj, c.chunkSize)]; o == nil || o.readers != want {
				t.Errorf("%s: the object has the readers %+v, want %d", what, o, want)
			}
		}
		count("all came before its first chunk", 3)
		time.Sleep(time.Minute) // all is stored
		if out, err := c.Purge(t.Context(), obj.Location()); err != nil || out.Chunks == 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		for range 2 {
			count("after a purge", 3)
		}
		c.mu.Lock()
		o := c.index.objects[keyOf(obj, c.chunkSize)]
		c.mu.Unlock()
		for _, r := range append(all, all...) { // closed twice
			r.Close()
		}
		if o.readers != 0 {
			t.Errorf("%d readers are counted after all have closed", o.readers)
		}
	})
}

// TestGraceEnds: a fetch that a reader has read to its end goes on for a while; when another one,
// who came meanwhile, hangs up later, it ends at once.
func TestGraceEnds(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, c *Cache, v *slowOrigin, obj media.Object) {
		v.rate = 64 << 10
		open := func(length int64) media.Reader {
			r, err := c.Open(t.Context(), obj, media.Span{Off: 4 * mib, Len: length})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Next(t.Context(), 32<<10); err != nil {
				t.Fatal(err)
			}
			return r
		}
		first, second := open(32<<10), open(2*mib)
		first.Close()
		time.Sleep(2 * detachGrace)
		if v.open.Load() == 0 {
			t.Fatal("the fetch has ended under its reader")
		}
		second.Close()
		synctest.Wait() // no time passes
		if n := v.open.Load(); n != 0 {
			t.Errorf("%d bodies are open without a reader", n)
		}
	})
}

// firstRequestBytes is how much a seek asks for at first.
const firstRequestBytes = int64(mib + 384<<10)

// chunksOf are the chunks from first to end that are stored.
func chunksOf(c *Cache, obj media.Object, first, end int64) (stored []int64) {
	for i := first; i < end; i++ {
		if c.isCommitted(keyOf(obj, c.chunkSize), i) {
			stored = append(stored, i)
		}
	}
	return stored
}

// TestFailedReadAheadIsRetried: the failure of a fetch ahead of a viewer is not the
// viewer's; the bytes are fetched again when they are needed.
func TestFailedReadAheadIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &slowOrigin{latency: originLatency, rate: streamRate}
		var down atomic.Bool
		c := openCache(t, t.TempDir(), 1<<30, fetcherFunc(func(ctx context.Context, obj media.Object, span media.Span) (io.ReadCloser, error) {
			if down.Load() {
				return nil, media.Fault(media.Unavailable, "test", nil)
			}
			return v.Open(ctx, obj, span)
		}), realDisk{})
		c.chunkSize, c.index.chunkSize, c.buffers.limit = mib, mib, 64*mib
		synctest.Wait()
		obj := media.Object{Provider: "test", ID: "a", Version: "1", Size: lessonBytes}
		viewer(t, c, obj, obj.Span(), 30*mib, 500_000, func(had int64) {
			down.Store(had > 2*mib && had < 4*mib) // and up again before the bytes are needed
		})
	})
}
