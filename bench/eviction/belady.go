package eviction

import "container/heap"

// belady evicts what is needed latest, which may be the chunk that has just come (Belady's
// MIN with bypass). It knows the future and so is the limit of every policy.
type belady struct {
	capacity int
	next     []int // by request: the next request for the same chunk
	at       int   // the request that comes
	cached   map[uint64]int
	byNext   nextHeap
}

// never is the next request of a chunk that is not asked for again.
const never = int(^uint(0) >> 1)

// NewBelady is the optimal policy for the requests of the chunks names, in this order.
func NewBelady(capacity int, names []uint64) Cache {
	b := &belady{capacity: capacity, next: make([]int, len(names)), cached: map[uint64]int{}}
	last := map[uint64]int{}
	for i := len(names) - 1; i >= 0; i-- {
		b.next[i] = never
		if n, again := last[names[i]]; again {
			b.next[i] = n
		}
		last[names[i]] = i
	}
	return b
}

func (b *belady) Access(name uint64, _ Request) (hit, written bool) {
	next := b.next[b.at]
	b.at++
	_, hit = b.cached[name]
	if !hit && len(b.cached) >= b.capacity {
		victim := b.latest()
		if victim.next <= next {
			return false, false
		}
		heap.Pop(&b.byNext)
		delete(b.cached, victim.name)
	}
	b.cached[name] = next
	heap.Push(&b.byNext, need{name, next})
	return hit, !hit
}

// latest is the cached chunk that is needed latest. Entries of the heap that a later request
// has made obsolete are dropped on the way.
func (b *belady) latest() need {
	for {
		top := b.byNext[0]
		if next, cached := b.cached[top.name]; cached && next == top.next {
			return top
		}
		heap.Pop(&b.byNext)
	}
}

// need is a chunk and the next request for it.
type need struct {
	name uint64
	next int
}

// nextHeap has the latest need in front.
type nextHeap []need

func (h nextHeap) Len() int           { return len(h) }
func (h nextHeap) Less(i, j int) bool { return h[i].next > h[j].next }
func (h nextHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *nextHeap) Push(x any)        { *h = append(*h, x.(need)) }
func (h *nextHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
