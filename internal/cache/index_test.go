package cache

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lectiospace/lectern/internal/cache/eviction"
)

func testKey(i int) (k objectKey) {
	binary.LittleEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(k[locationSize:], uint64(i)*0xd6e8feb86659fd93)
	return k
}

// heapIn is how much the heap grows by what fill returns, in bytes.
func heapIn(fill func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := fill()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	runtime.KeepAlive(fill)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// TestIndexMemory: a chunk costs less than 32 bytes of memory, policy included.
func TestIndexMemory(t *testing.T) {
	const chunks, perLesson = 1_000_000, 300
	order := rand.New(rand.NewPCG(1, 2)).Perm(chunks)
	heap := heapIn(func() any {
		x := newIndex(1 << 20)
		p := eviction.New(chunks, x.number)
		for _, i := range order {
			o, at := x.objectFor(testKey(i/perLesson)), int64(i%perLesson)
			p.Admit(x.add(o, at, 1<<20, 0), eviction.Arrival{Edge: at == 0})
		}
		return []any{&x, p}
	})
	runtime.KeepAlive(order)
	per := float64(heap) / chunks
	t.Logf("%.1f bytes a chunk", per)
	if per >= 32 {
		t.Errorf("%.1f bytes a chunk, want less than 32", per)
	}
}

// TestIndexModel compares the index with maps.
func TestIndexModel(t *testing.T) {
	type place struct {
		object int
		index  int64
	}
	rapid.Check(t, func(rt *rapid.T) {
		x, model := newIndex(64<<20), map[place]int64{}
		for range rapid.IntRange(1, 300).Draw(rt, "steps") {
			p := place{rapid.IntRange(0, 3).Draw(rt, "object"), rapid.OneOf(rapid.Int64Range(0, 40), rapid.Int64Range(0, maxIndex)).Draw(rt, "index")}
			o := x.objects[testKey(p.object)]
			id := x.find(o, p.index)
			length, there := model[p]
			if (id != 0) != there {
				rt.Fatalf("%v: found %d, is there: %v", p, id, there)
			}
			if !there {
				o = x.objectFor(testKey(p.object))
				length = rapid.OneOf(rapid.Just(int64(64<<20)), rapid.Int64Range(1, 64<<20)).Draw(rt, "length")
				if !x.accepts(o, p.index, length) {
					continue
				}
				x.add(o, p.index, length, 0)
				model[p] = length
				continue
			}
			if x.at(id) != p.index || x.length(id) != length || x.objectOf(id) != o {
				rt.Fatalf("%v: number %d is of %d, length %d, want %d", p, id, x.at(id), x.length(id), length)
			}
			if rapid.Bool().Draw(rt, "remove") {
				x.remove(id)
				delete(model, p)
				if o.chunks == 0 {
					x.forget(o)
				}
			}
		}
		if x.chunks != len(model) {
			rt.Fatalf("%d chunks, want %d", x.chunks, len(model))
		}
		for p, length := range model {
			o := x.objects[testKey(p.object)]
			if id := x.find(o, p.index); id == 0 || x.length(id) != length {
				rt.Fatalf("%v: number %d", p, id)
			}
		}
	})
}

// audit compares what the cache counts with what it lists. A cancelled fetch releases
// its reservation when its goroutine ends, hence the wait.
func audit(t testing.TB, c *Cache) {
	t.Helper()
	var wrong []string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if wrong = discrepancies(c); len(wrong) == 0 || time.Now().After(deadline) {
			break
		}
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

func discrepancies(c *Cache) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	c.mu.Lock()
	defer c.mu.Unlock()
	used, chunks := int64(len(c.emptyFolders))*folderFootprint, 0
	for key, o := range c.index.objects {
		if o.key != key || c.index.numbered[o.number/indexPageSize].object[o.number%indexPageSize] != o {
			say("object %d is listed under another key or number", o.number)
		}
		if o.hasFolder {
			used += folderFootprint
		}
		counted, bytes := 0, int64(0)
		for i := int64(0); ; i++ {
			if i = o.table.nextAvailable(i, maxIndex+1); i > maxIndex {
				break
			}
			id := o.table.get(i)
			if id == 0 {
				continue
			}
			if c.index.objectOf(id) != o || c.index.at(id) != i {
				say("chunk %d is in the table of another object or at another index", id)
			}
			used += footprint(c.index.length(id))
			bytes += c.index.length(id)
			counted++
		}
		if chunks += counted; counted != o.chunks || bytes != o.bytes {
			say("object %d counts %d chunks of %d bytes, its table has %d of %d", o.number, o.chunks, o.bytes, counted, bytes)
		}
		for _, fl := range o.filling {
			used += fl.reserved
		}
	}
	if used != c.budget.used || chunks != c.index.chunks {
		say("the budget says %d bytes, the index %d; %d chunks are listed, %d counted", c.budget.used, used, chunks, c.index.chunks)
	}
	for id, h := range c.fds.entries {
		if h.id != id || h.removed || c.index.objectOf(id).key != h.key || c.index.at(id) != h.index {
			say("fd entry %d is of a chunk that is no longer there", id)
		}
	}
	idle := 0
	for f := c.fds.oldest; f != nil; f = f.newer {
		idle++
	}
	if idle != c.fds.idle || idle > maxIdle {
		say("%d idle descriptors are listed, %d counted", idle, c.fds.idle)
	}
	return wrong
}
