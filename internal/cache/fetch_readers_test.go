package cache

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lectiospace/lectern/internal/media"
)

// stillFetch is a fetch of whole chunks that nothing moves on: it has no goroutine.
func stillFetch(c *Cache, first, end int64) *fetch {
	obj := stillObject()
	f := &fetch{c: c, obj: obj, first: first, end: end, from: first * c.chunkSize, to: min(obj.Size, end*c.chunkSize), served: first * c.chunkSize, startedAt: time.Now()}
	f.ctx, f.cancelCtx = context.WithCancel(c.base)
	for i := first; i < end; i++ {
		f.fills = append(f.fills, c.fillChunk(obj, i, part{fetch: f, hi: c.chunkLength(i, obj.Size)}))
	}
	return f
}

// shareChunk has a part of a chunk brought by a fetch, and the rest by another one.
func shareChunk(c *Cache, f, other *fetch, index, at int64) *fill {
	return c.fillChunk(f.obj, index, part{fetch: f, hi: at}, part{fetch: other, lo: at, hi: c.chunkSize})
}

// giveBuffer gives a chunk its memory.
func giveBuffer(c *Cache, fl *fill) {
	c.buffers.used += c.chunkSize
	fl.buffer = &buffer{data: newMemory(c.chunkSize), refs: 1}
}

// withStillCache runs a test in virtual time, and holds the lock.
func withStillCache(t *testing.T, test func(t *testing.T, c *Cache)) {
	synctest.Test(t, func(t *testing.T) {
		c := stillCache(t)
		c.mu.Lock()
		defer c.mu.Unlock()
		test(t, c)
	})
}

// pass lets time go by, without the lock.
func pass(c *Cache, d time.Duration) {
	c.mu.Unlock()
	defer c.mu.Lock()
	time.Sleep(d)
	synctest.Wait()
}

func TestAttach(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f, r, late := stillFetch(c, 2, 4), &reader{c: c}, &reader{c: c}
		f.starter = &reader{c: c}
		if !f.attach(r) || f.attach(r) {
			t.Error("a reader is not attached once")
		}
		if !slices.Equal(f.readers, []*reader{r}) || !slices.Equal(r.fetches, []*fetch{f}) || r.fetched != (chunkRange{2, 4}) {
			t.Errorf("%d readers and %d fetches, of the chunks %v", len(f.readers), len(r.fetches), r.fetched)
		}
		if f.starter == r {
			t.Error("the fetch counts as started for another reader")
		}
		f.closed = true
		if f.attach(late) || len(late.fetches) != 0 {
			t.Error("a reader is attached to a fetch that is closed")
		}
	})
}

// TestAttachToAnother: whose fetch it is, and whether it waits for the disk, when a reader joins.
func TestAttachToAnother(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		speculative, first, second := &reader{c: c, speculative: true}, &reader{c: c}, &reader{c: c}
		f, backfill := stillFetch(c, 2, 3), stillFetch(c, 5, 6)
		f.starter = speculative
		room := c.writes.nextRoom()
		f.attach(first)
		f.attach(second)
		if closed(room) {
			t.Error("fetches that wait for the disk are woken by readers of another one")
		}
		if f.starter != first {
			t.Error("what was read ahead of a reader is not its own")
		}
		backfill.attach(first)
		if backfill.starter != nil {
			t.Error("a backfill was started for a reader")
		}

		kept := stillFetch(c, 7, 8)
		kept.keep = true
		kept.attach(&reader{c: c, keep: true})
		if !kept.keep || closed(room) {
			t.Error("the fetch does not wait for the disk, although nobody watches")
		}
		kept.attach(&reader{c: c})
		if kept.keep || !closed(room) {
			t.Error("a viewer waits for the disk")
		}
	})
}

// TestDetach: what the last reader's leaving does to a fetch.
func TestDetach(t *testing.T) {
	const most, half = testChunk / 4 * 3, testChunk / 2
	backfilled := func(c *Cache, f *fetch, there int64) { // of a chunk of which so much is there
		f.isBackfill = true
		f.fills[0].partOf(f).lo = there
		f.fills[0].addPart(&part{fetch: &fetch{c: c}, hi: there, verified: true})
	}
	watched := func(f *fetch, readers int) { // and just so much is left that it goes on
		f.fills[0].o.readers = readers
		f.received, f.to = 1, f.from+1+littleLeft
	}
	nearEnd := func(f *fetch) { // most came within that time
		f.firstByteAt, f.atFirst, f.received = time.Now().Add(-aboutToEnd), 1000, f.to-f.from-1000
	}
	for _, test := range []struct {
		name string
		set  func(c *Cache, f *fetch)
		want string
		over time.Duration // of its grace
	}{
		{name: "nothing has come", set: func(*Cache, *fetch) {}, want: "cancelled"},
		{name: "another reads on", set: func(c *Cache, f *fetch) { f.attach(&reader{c: c}) }, want: "goes on"},
		{name: "it has finished", set: func(_ *Cache, f *fetch) { f.finished, f.received = true, f.to-f.from }, want: "closed"},
		{name: "all has come", set: func(_ *Cache, f *fetch) { f.received = f.to - f.from }, want: "goes on"},
		{name: "all but a byte has come", set: func(_ *Cache, f *fetch) { f.received = f.to - f.from - 1 }, want: "cancelled"},
		{name: "in its grace", set: func(_ *Cache, f *fetch) { f.startGrace(time.Second) }, want: "grace", over: time.Second},
		{name: "completes a chunk that is mostly there", set: func(c *Cache, f *fetch) { backfilled(c, f, most) }, want: "grace", over: detachGrace},
		{name: "completes a chunk of which half is there", set: func(c *Cache, f *fetch) { backfilled(c, f, half) }, want: "cancelled"},
		{name: "brings the rest of a chunk, for itself", set: func(c *Cache, f *fetch) { backfilled(c, f, most); f.isBackfill = false }, want: "cancelled"},
		{name: "is about to end", set: func(_ *Cache, f *fetch) { nearEnd(f) }, want: "grace", over: 4 * aboutToEnd},
		{name: "is about to end, while others wait for memory", set: func(c *Cache, f *fetch) {
			nearEnd(f)
			c.buffers.waiters = append(c.buffers.waiters, make(chan struct{}))
		}, want: "cancelled"},
		{name: "has little left, which others may come to", set: func(_ *Cache, f *fetch) { watched(f, watchedBy) }, want: "grace", over: detachGrace},
		{name: "has little left, and few watch", set: func(_ *Cache, f *fetch) { watched(f, watchedBy-1) }, want: "cancelled"},
		{name: "has more left", set: func(_ *Cache, f *fetch) {
			watched(f, watchedBy)
			f.to++
		}, want: "cancelled"},
		{name: "has received nothing of what others may come to", set: func(_ *Cache, f *fetch) {
			watched(f, watchedBy)
			f.received, f.to = 0, f.from+littleLeft
		}, want: "cancelled"},
		{name: "has little left that is not stored", set: func(_ *Cache, f *fetch) {
			watched(f, watchedBy)
			f.fills[0].storable = false
		}, want: "cancelled"},
		{name: "has little left of another chunk than is stored", set: func(_ *Cache, f *fetch) {
			watched(f, watchedBy)
			f.fills[0].partOf(f).verified = true
		}, want: "cancelled"},
		{name: "has little left, while others wait for memory", set: func(c *Cache, f *fetch) {
			watched(f, watchedBy)
			c.buffers.waiters = append(c.buffers.waiters, make(chan struct{}))
		}, want: "cancelled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withStillCache(t, func(t *testing.T, c *Cache) {
				f, r := stillFetch(c, 2, 3), &reader{c: c}
				f.attach(r)
				test.set(c, f)
				f.detach(r)
				state := "goes on"
				switch {
				case f.cancelled:
					state = "cancelled"
				case f.closed:
					state = "closed"
				case f.graceTimer != nil:
					state = "grace"
				}
				if state != test.want || slices.Contains(f.readers, r) {
					t.Fatalf("%s, want %s; still a reader: %t", state, test.want, slices.Contains(f.readers, r))
				}
				if state == "grace" {
					if pass(c, test.over-1); f.cancelled {
						t.Errorf("the grace is over before %v", test.over)
					}
					if pass(c, 1); !f.cancelled {
						t.Errorf("the grace is not over after %v", test.over)
					}
				}
			})
		})
	}
}

// TestDetachOfAStranger: who is not attached does not end a fetch.
func TestDetachOfAStranger(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f, r := stillFetch(c, 2, 3), &reader{c: c}
		f.detach(r)
		if f.attach(r); f.cancelled {
			t.Error("the fetch was cancelled")
		}
		f.detach(&reader{c: c})
		if f.cancelled || !slices.Equal(f.readers, []*reader{r}) {
			t.Errorf("cancelled: %t, with %d readers", f.cancelled, len(f.readers))
		}
	})
}

// TestDetachReleasesPassed: memory is kept for the slowest reader, and for no other one.
func TestDetachReleasesPassed(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f, slow, fast := stillFetch(c, 2, 5), &reader{c: c, chunk: 2}, &reader{c: c, chunk: 4}
		f.attach(slow)
		f.attach(fast)
		for _, fl := range f.fills {
			fl.storable, fl.partOf(f).verified = false, true
		}
		fills := slices.Clone(f.fills)
		f.detach(slow)
		if !slices.Equal(f.fills, []*fill{nil, nil, fills[2]}) {
			t.Errorf("the chunks %v are kept", f.fills)
		}
	})
}

// TestReleasePassed: which chunks of a fetch are kept in memory.
func TestReleasePassed(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(c *Cache, fl *fill)
		at   int64 // the chunk that the reader reads; -1 = nobody reads
		kept bool
	}{
		{"passed, and not to be stored", func(_ *Cache, fl *fill) { fl.storable = false }, 4, false},
		{"being read", func(_ *Cache, fl *fill) { fl.storable = false }, 3, true},
		{"to be read", func(_ *Cache, fl *fill) { fl.storable = false }, 2, true},
		{"nobody reads", func(_ *Cache, fl *fill) { fl.storable = false }, -1, false},
		{"not wanted", func(_ *Cache, fl *fill) { fl.unwanted = true }, 4, false},
		{"to be stored", func(*Cache, *fill) {}, 4, true},
		{"to be stored, and given up", func(c *Cache, fl *fill) { c.unlist(fl) }, 4, false},
		{"being stored", func(c *Cache, fl *fill) { c.unlist(fl); fl.storing = true }, 4, true},
		{"being received", func(_ *Cache, fl *fill) { fl.storable, fl.parts[0].verified = false, false }, 4, true},
		{"finished with", func(_ *Cache, fl *fill) { fl.parts[0].fetch.fills[0] = nil }, 4, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			withStillCache(t, func(t *testing.T, c *Cache) {
				f := stillFetch(c, 3, 5)
				fl, next := f.fills[0], f.fills[1]
				fl.parts[0].verified = true
				if test.at >= 0 {
					f.attach(&reader{c: c, chunk: test.at})
				}
				test.set(c, fl)
				f.releasePassed()
				if kept := f.fills[0] != nil; kept != test.kept || f.fills[1] != next {
					t.Errorf("kept: %t, the next one: %t", kept, f.fills[1] == next)
				}
			})
		})
	}
}

// TestReleasePassedReturnsMemory: with the last fetch of a chunk its buffer goes.
func TestReleasePassedReturnsMemory(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f := stillFetch(c, 3, 4)
		fl := f.fills[0]
		giveBuffer(c, fl)
		fl.storable, fl.parts[0].verified = false, true
		f.releasePassed()
		if c.buffers.used != 0 || fl.refs != 0 || len(c.index.objects) != 0 {
			t.Errorf("%d bytes, %d references and %d objects are left", c.buffers.used, fl.refs, len(c.index.objects))
		}
	})
}

// TestNextChange: all that wait before a change are woken by it, and by that one alone.
func TestNextChange(t *testing.T) {
	f := &fetch{}
	f.broadcast() // nobody waits
	one, two := f.nextChange(), f.nextChange()
	if closed(one) || closed(two) {
		t.Error("woken without a change")
	}
	f.broadcast()
	if !closed(one) || !closed(two) {
		t.Error("not woken by a change")
	}
	if closed(f.nextChange()) {
		t.Error("woken by a change that was before")
	}
	f.broadcast()
	f.broadcast()
}

// TestGrace: it ends a fetch that nobody reads, at the time that was given first.
func TestGrace(t *testing.T) {
	for _, test := range []struct {
		name      string
		set       func(c *Cache, f *fetch)
		cancelled bool
	}{
		{"nobody reads", func(*Cache, *fetch) {}, true},
		{"somebody has come", func(c *Cache, f *fetch) { f.attach(&reader{c: c}) }, false},
		{"it ends at that moment", func(_ *Cache, f *fetch) { f.finished = true }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			withStillCache(t, func(t *testing.T, c *Cache) {
				f := stillFetch(c, 2, 3)
				f.startGrace(time.Second)
				f.startGrace(time.Millisecond)
				pass(c, time.Second-1)
				if test.set(c, f); f.cancelled {
					t.Fatal("cancelled within its grace")
				}
				pass(c, 1)
				if f.cancelled != test.cancelled || f.graceTimer != nil {
					t.Errorf("cancelled: %t, still in its grace: %t", f.cancelled, f.graceTimer != nil)
				}
			})
		})
	}
	withStillCache(t, func(t *testing.T, c *Cache) {
		f := stillFetch(c, 2, 3)
		f.finished = true
		if f.startDetachGrace(); f.graceTimer != nil {
			t.Error("what has finished gets a grace")
		}
	})
}

// TestCancel: what only the cancelled fetch would bring is not found any more; what others bring
// is, and what it has brought to them.
func TestCancel(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f, other := stillFetch(c, 1, 4), &fetch{c: c}
		receiving, complete, done := f.fills[0], f.fills[1], f.fills[2]
		complete.storable, complete.partOf(f).verified = false, true // it stays for its readers
		brought, awaited := shareChunk(c, f, other, 5, 100), shareChunk(c, f, other, 6, 100)
		brought.partOf(f).verified = true
		f.fills = append(f.fills[:2], nil, brought, awaited)
		f.cancel()
		for what, test := range map[string]struct {
			fl     *fill
			listed bool
		}{
			"a chunk that it receives":         {receiving, false},
			"a chunk that it has received":     {complete, false},
			"a chunk that it is finished with": {done, true},
			"a chunk that it has a part in":    {brought, true},
			"a chunk whose part it receives":   {awaited, false},
		} {
			if test.fl.listed != test.listed {
				t.Errorf("%s is found: %t", what, test.fl.listed)
			}
		}
		if !f.cancelled || f.ctx.Err() == nil {
			t.Errorf("cancelled: %t, %v", f.cancelled, f.ctx.Err())
		}
	})
}

// mostlyThere is a fetch that has brought most of a chunk, whose rest nobody fetches.
func mostlyThere(c *Cache) (*fetch, *fill) {
	f := stillFetch(c, 3, 4)
	fl := f.fills[0]
	*fl.parts[0] = part{fetch: f, have: testChunk / 4 * 3, hi: testChunk / 4 * 3, verified: true}
	return f, fl
}

// isBackfilled reports whether a chunk's last part is a backfill's.
func isBackfilled(fl *fill) bool { return fl.parts[len(fl.parts)-1].fetch.isBackfill }

// TestCompleteChunks: the rest is fetched of a chunk that would be dropped although most is there.
func TestCompleteChunks(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(c *Cache, f *fetch, fl *fill)
		want bool
	}{
		{"most is there", func(*Cache, *fetch, *fill) {}, true},
		{"half is there", func(_ *Cache, _ *fetch, fl *fill) { fl.parts[0].hi = testChunk / 2 }, false},
		{"little is there, and others watch", func(_ *Cache, _ *fetch, fl *fill) { fl.parts[0].hi, fl.o.readers = 1, watchedBy }, true},
		{"little is there, and few watch", func(_ *Cache, _ *fetch, fl *fill) { fl.parts[0].hi, fl.o.readers = 1, watchedBy-1 }, false},
		{"most comes yet", func(_ *Cache, _ *fetch, fl *fill) { fl.parts[0].verified = false }, false},
		{"some comes yet", func(_ *Cache, f *fetch, fl *fill) {
			fl.parts[0].fetch = &fetch{}
			fl.parts = append(fl.parts, &part{fetch: f, lo: testChunk / 4 * 3, hi: testChunk - 100})
		}, false},
		{"another fetch has a part", func(_ *Cache, _ *fetch, fl *fill) { fl.refs++ }, false},
		{"the fetch is finished with it", func(_ *Cache, f *fetch, _ *fill) { f.fills[0] = nil }, false},
		{"others wait for memory", func(c *Cache, _ *fetch, _ *fill) { c.buffers.waiters = append(c.buffers.waiters, make(chan struct{})) }, false},
		{"the cache is closed", func(c *Cache, _ *fetch, _ *fill) { c.closed = true }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			withStillCache(t, func(t *testing.T, c *Cache) {
				f, fl := mostlyThere(c)
				test.set(c, f, fl)
				f.completeChunks()
				if isBackfilled(fl) != test.want || c.metrics.counts()["failed"] != 0 {
					t.Errorf("the rest is fetched: %t; %d have failed", isBackfilled(fl), c.metrics.counts()["failed"])
				}
			})
		})
	}
}

// TestFinish: a fetch that has succeeded stays as long as it has readers, and then gives up what it
// holds.
func TestFinish(t *testing.T) {
	for _, watched := range []bool{false, true} {
		withStillCache(t, func(t *testing.T, c *Cache) {
			f, r := stillFetch(c, 3, 5), &reader{c: c}
			for _, fl := range f.fills {
				fl.storable, fl.parts[0].verified = false, true
			}
			if watched {
				f.attach(r)
			}
			f.granted, c.buffers.used = 2, 2*testChunk
			changed := f.nextChange()
			f.finish(nil)
			if !f.finished || f.err != nil || f.closed == watched || f.granted != 0 || c.buffers.used != 0 || !closed(changed) {
				t.Errorf("watched %t: %+v, %d bytes are held, woken: %t", watched, f, c.buffers.used, closed(changed))
			}
			if there := f.fills[0] != nil && f.fills[1] != nil; there != watched {
				t.Errorf("watched %t: the chunks %v are there", watched, f.fills)
			}
			if f.detach(r); len(c.index.objects) != 0 {
				t.Errorf("watched %t: chunks are left", watched)
			}
			if n := c.metrics.counts()["failed"]; n != 0 {
				t.Errorf("watched %t: %d have failed", watched, n)
			}
		})
	}
}

// TestFinishFailed: what is not whole is not found any more, although readers are still to see the
// failure.
func TestFinishFailed(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f, r, failure := stillFetch(c, 3, 5), &reader{c: c}, errors.New("no answer")
		f.attach(r)
		f.finish(failure)
		if !errors.Is(f.err, failure) || f.closed || len(c.index.objects) != 0 || c.metrics.counts()["failed"] != 1 {
			t.Errorf("%v, closed: %t, %d objects, %d have failed", f.err, f.closed, len(c.index.objects), c.metrics.counts()["failed"])
		}
		f.detach(r)
		if n := testutil.ToFloat64(c.metrics.fetches[fetchFailed]); !f.closed || n != 1 {
			t.Errorf("closed: %t, counted %v times", f.closed, n)
		}
	})
}

// TestFinishCancelled: it is no failure, and completes what another fetch has left.
func TestFinishCancelled(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f, fl := mostlyThere(c)
		f.cancelled = true
		f.finish(media.Fault(media.Canceled, "test", context.Canceled))
		if !isBackfilled(fl) || !fl.listed || fl.refs != 1 {
			t.Errorf("the rest is fetched: %t, listed: %t, for %d", isBackfilled(fl), fl.listed, fl.refs)
		}
		if n := c.metrics.counts()["failed"]; !f.closed || n != 0 {
			t.Errorf("closed: %t, %d have failed", f.closed, n)
		}
	})
	withStillCache(t, func(t *testing.T, c *Cache) {
		f, fl := mostlyThere(c)
		f.finish(media.Fault(media.Unavailable, "test", nil))
		if isBackfilled(fl) || fl.listed {
			t.Error("more is asked of an origin that fails")
		}
	})
}

// TestClose: a fetch is closed once, and completes what it leaves mostly there.
func TestClose(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f, fl := mostlyThere(c)
		f.received = testChunk
		f.finish(nil)
		f.close()
		if n := testutil.ToFloat64(c.metrics.fetches[fetchFinished]); n != 1 || !f.closed {
			t.Errorf("closed: %t, %v times", f.closed, n)
		}
		if n := testutil.ToFloat64(c.metrics.overread); n != testChunk {
			t.Errorf("%v bytes were read over, want %d", n, testChunk)
		}
		if f.fills[0] != nil || !isBackfilled(fl) || fl.refs != 1 {
			t.Errorf("the chunk is kept: %t, completed: %t, for %d", f.fills[0] != nil, isBackfilled(fl), fl.refs)
		}
	})
}

// TestAbandon: a part that is not certain goes, and with it the chunk, of which others keep no part
// that nobody reads.
func TestAbandon(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f, other := stillFetch(c, 1, 2), &fetch{c: c, first: 3, end: 4}
		whole := f.fills[0]
		whole.partOf(f).verified = true
		whole.refs++ // its writer's
		shared := shareChunk(c, f, other, 3, 100)
		shared.partOf(other).verified = true
		other.fills = []*fill{shared}
		giveBuffer(c, shared)
		f.end, f.fills = 4, append(f.fills, nil, shared)
		f.abandon()
		if !slices.Equal(f.fills, []*fill{nil, nil, nil}) {
			t.Errorf("the chunks %v are kept", f.fills)
		}
		if !whole.listed || len(whole.parts) != 1 || whole.refs != 1 {
			t.Errorf("a whole chunk is listed: %t, has %d parts, for %d", whole.listed, len(whole.parts), whole.refs)
		}
		if shared.listed || len(shared.parts) != 1 || shared.refs != 0 || other.fills[0] != nil || c.buffers.used != 0 {
			t.Errorf("a shared chunk is listed: %t, has %d parts, for %d; %d bytes are held", shared.listed, len(shared.parts), shared.refs, c.buffers.used)
		}
	})
}

// TestChunkCommitted: the fetch gives up the chunk that was committed, and its readers find it on
// the disk.
func TestChunkCommitted(t *testing.T) {
	withStillCache(t, func(t *testing.T, c *Cache) {
		f := stillFetch(c, 3, 6)
		fills, changed := slices.Clone(f.fills), f.nextChange()
		f.chunkCommitted(&fill{index: 4, refs: 2})
		if !slices.Equal(f.fills, fills) || closed(changed) {
			t.Error("a chunk of another fetch was given up")
		}
		f.chunkCommitted(fills[1])
		if !slices.Equal(f.fills, []*fill{fills[0], nil, fills[2]}) || fills[1].refs != 0 || !closed(changed) {
			t.Errorf("%v are kept, for %d, woken: %t", f.fills, fills[1].refs, closed(changed))
		}
	})
}

// TestEndsWithin: whether the last byte is near, by the rate since the first ones.
func TestEndsWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const from, size, first = 5000, 1000, 100
		for _, test := range []struct {
			received int64
			since    time.Duration // the first bytes
			want     bool
		}{
			{0, 0, false},
			{first, 0, false},                   // no rate yet
			{first, time.Second, false},         // stalled
			{600, 50 * time.Millisecond, false}, // 400 bytes left, at 10 a millisecond
			{900, 80 * time.Millisecond, true},  // 100 left
			{850, 125 * time.Millisecond, true}, // 150 left at 6 a millisecond: exactly
			{850, 125*time.Millisecond + 1, false},
			{size, time.Second, true},
		} {
			f := &fetch{from: from, to: from + size, received: test.received, atFirst: min(first, test.received)}
			if test.received > 0 {
				f.firstByteAt = time.Now().Add(-test.since)
			}
			if got := f.endsWithin(25 * time.Millisecond); got != test.want {
				t.Errorf("%d bytes %v after the first: %t", test.received, test.since, got)
			}
		}
	})
}

// TestLeftAfterFirstByte: what a stream will have to bring when a new one has its first byte, which
// takes a quarter longer than its own took.
func TestLeftAfterFirstByte(t *testing.T) {
	const from, size, latency = 5000, 1000, 40 * time.Millisecond
	began := time.Now()
	for _, test := range []struct {
		received int64
		since    time.Duration // the first byte
		finished bool
		want     int64
	}{
		{received: 0, want: size},
		{received: 100, since: 0, want: 900},                                   // no rate yet
		{received: 100, since: -time.Millisecond, want: 900},                   // the first byte came while this was asked
		{received: 200, since: 50 * time.Millisecond, want: 600},               // 800 left, and 50 ms at 4 a millisecond
		{received: 500, since: 50 * time.Millisecond, want: 0},                 // exactly
		{received: 900, since: 50 * time.Millisecond, want: 0},                 // before that
		{received: size, since: time.Second, want: 0},                          // all
		{received: 200, since: 50 * time.Millisecond, finished: true, want: 0}, // it has failed
	} {
		f := &fetch{from: from, to: from + size, received: test.received, startedAt: began, finished: test.finished}
		if test.received > 0 {
			f.firstByteAt = began.Add(latency)
		}
		if got := f.leftAfterFirstByte(began.Add(latency + test.since)); got != test.want {
			t.Errorf("%d bytes %v after the first, finished %t: %d are left, want %d", test.received, test.since, test.finished, got, test.want)
		}
	}
}

func TestAllReceived(t *testing.T) {
	for received, want := range map[int64]bool{0: false, 99: false, 100: true} {
		if f := (&fetch{from: 5000, to: 5100, received: received}); f.allReceived() != want {
			t.Errorf("%d of 100 bytes: %t", received, f.allReceived())
		}
	}
}
