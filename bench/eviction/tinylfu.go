package eviction

import "github.com/maypok86/otter/v2"

// tinyLFU is W-TinyLFU as otter implements it: a window, a segmented LRU, and a sketch of
// frequencies that decides which of two victims leaves.
type tinyLFU struct {
	cache *otter.Cache[uint64, struct{}]
}

// NewTinyLFU is otter's policy. Its maintenance runs within each call, so that a trace has
// one result.
func NewTinyLFU(capacity int) Cache {
	return tinyLFU{otter.Must(&otter.Options[uint64, struct{}]{
		MaximumSize: capacity, InitialCapacity: capacity,
		Executor: func(maintain func()) { maintain() },
	})}
}

func (t tinyLFU) Access(name uint64, _ Request) (hit, written bool) {
	if _, hit := t.cache.GetIfPresent(name); hit {
		return true, false
	}
	t.cache.Set(name, struct{}{})
	t.cache.CleanUp()
	return false, true
}
