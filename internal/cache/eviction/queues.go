package eviction

// Queues is the cache's policy. New chunks wait in a small queue; those that are
// used again there move to the main queue, the others leave early and are
// remembered for a while as ghosts, which enter the main queue at once when they
// come back (the shape of S3-FIFO, Yang et al., SOSP 2023). A crawl through an
// archive so passes through the small queue and leaves the lesson that a class
// is watching alone.
type Queues struct {
	notes       notes
	small, main list
	ghosts      ghosts
}

// The bits of a chunk's meta.
const (
	usesMask = 3
	inMain   = 1 << 2
)

// smallShare is the small queue's share of all chunks, in percent.
const smallShare = 10

// New makes a policy for a cache of about so many chunks.
func New(chunks int) *Queues { return &Queues{ghosts: newGhosts(chunks)} }

// Admit implements Policy.
func (q *Queues) Admit(id ID, a Arrival) {
	q.notes.grow(id)
	remembered := q.ghosts.take(a.Name)
	if remembered || a.Edge || a.Known {
		q.enqueue(id, &q.main, inMain)
		return
	}
	uses := uint16(0)
	if a.Crowd {
		uses = 1
	}
	q.enqueue(id, &q.small, uses)
}

func (q *Queues) enqueue(id ID, l *list, meta uint16) {
	l.pushFront(q.notes, id)
	*q.notes.meta(id) = meta
}

func (q *Queues) queue(id ID) *list {
	if *q.notes.meta(id)&inMain != 0 {
		return &q.main
	}
	return &q.small
}

// Touch implements Policy.
func (q *Queues) Touch(id ID) {
	if m := q.notes.meta(id); *m&usesMask < usesMask {
		*m++
	}
}

// Remove implements Policy.
func (q *Queues) Remove(id ID, name uint64, evicted bool) {
	l := q.queue(id)
	l.remove(q.notes, id)
	if evicted && l == &q.small {
		q.ghosts.add(name)
	}
}

// Victim implements Policy. It looks from the old end of a queue. Each look moves
// a chunk or wears its uses down, so it ends; busy ones are passed over.
func (q *Queues) Victim(busy func(ID) bool) ID {
	for range (usesMask + 2) * (q.small.n + q.main.n + 1) {
		l := &q.main
		if q.small.n > 0 && (q.small.n*100 > (q.small.n+q.main.n)*smallShare || q.main.n == 0) {
			l = &q.small
		}
		id := l.back
		if id == 0 {
			return 0
		}
		meta := q.notes.meta(id)
		switch {
		case busy(id):
			l.remove(q.notes, id)
			l.pushFront(q.notes, id)
		case l == &q.small && *meta&usesMask > 0:
			l.remove(q.notes, id)
			q.enqueue(id, &q.main, inMain)
		case l == &q.main && *meta&usesMask > 0:
			*meta--
			l.remove(q.notes, id)
			l.pushFront(q.notes, id)
		default:
			return id
		}
	}
	return 0
}
