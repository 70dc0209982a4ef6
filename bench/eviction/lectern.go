package eviction

import "github.com/lectiospace/lectern/internal/cache/eviction"

// Cache is a cache of whole chunks of equal size.
type Cache interface {
	// Access reports whether the chunk was cached, and otherwise whether it was written.
	Access(name uint64, r Request) (hit, written bool)
}

// lectern drives the cache's own policy as internal/cache does: a number for each chunk,
// a touch for each access, a victim when the capacity is used.
type lectern struct {
	capacity int
	policy   eviction.Policy
	by       map[uint64]eviction.ID
	names    []uint64 // by number; 0 is unused
	groups   []uint32
	spare    []eviction.ID
}

// NewLectern is the cache's policy.
func NewLectern(capacity int) Cache {
	l := &lectern{capacity: capacity, by: map[uint64]eviction.ID{}, names: []uint64{0}, groups: []uint32{0}}
	l.policy = eviction.New(capacity, func(id eviction.ID) uint32 { return l.groups[id] })
	return l
}

func (l *lectern) Access(name uint64, r Request) (hit, written bool) {
	if id := l.by[name]; id != 0 {
		l.policy.Touch(id)
		return true, false
	}
	arrival := eviction.Arrival{Edge: r.Chunk == 0 || r.Chunk == r.Last}
	if len(l.by) >= l.capacity {
		if !l.policy.Wants(uint32(r.Lesson)+1, name, arrival) {
			return false, false
		}
		gone := l.policy.Victim(func(eviction.ID) bool { return false })
		l.policy.Remove(gone)
		delete(l.by, l.names[gone])
		l.spare = append(l.spare, gone)
	}
	var id eviction.ID
	if n := len(l.spare); n > 0 {
		id, l.spare = l.spare[n-1], l.spare[:n-1]
	} else {
		id = eviction.ID(len(l.names))
		l.names, l.groups = append(l.names, 0), append(l.groups, 0)
	}
	l.by[name], l.names[id], l.groups[id] = id, name, uint32(r.Lesson)+1
	l.policy.Admit(id, arrival)
	return false, true
}
