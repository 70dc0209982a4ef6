package eviction

import "container/list"

// lru evicts what has not been used for longest.
type lru struct {
	capacity int
	order    *list.List
	by       map[uint64]*list.Element
}

// NewLRU evicts the least recently used chunk.
func NewLRU(capacity int) Cache {
	return &lru{capacity, list.New(), map[uint64]*list.Element{}}
}

func (l *lru) Access(name uint64, _ Request) (hit, written bool) {
	if e := l.by[name]; e != nil {
		l.order.MoveToFront(e)
		return true, false
	}
	if l.order.Len() >= l.capacity {
		last := l.order.Back()
		delete(l.by, last.Value.(uint64))
		l.order.Remove(last)
	}
	l.by[name] = l.order.PushFront(name)
	return false, true
}

// s3fifo is S3-FIFO as Yang et al. describe it (SOSP 2023, algorithm 1): a small
// queue of a tenth, a main queue with up to three second chances, and a queue of
// ghosts as long as the main one.
type s3fifo struct {
	capacity           int
	small, main, ghost *list.List
	by                 map[uint64]*s3entry
	ghosts             map[uint64]*list.Element
}

type s3entry struct {
	name   uint64
	freq   int
	inMain bool
}

// NewS3FIFO is the main reference policy.
func NewS3FIFO(capacity int) Cache {
	return &s3fifo{capacity, list.New(), list.New(), list.New(), map[uint64]*s3entry{}, map[uint64]*list.Element{}}
}

func (s *s3fifo) Access(name uint64, _ Request) (hit, written bool) {
	if e := s.by[name]; e != nil {
		e.freq = min(e.freq+1, 3)
		return true, false
	}
	for s.small.Len()+s.main.Len() >= s.capacity {
		if s.small.Len() >= s.capacity/10 {
			s.evictSmall()
		} else {
			s.evictMain()
		}
	}
	e := &s3entry{name: name}
	s.by[name] = e
	if g := s.ghosts[name]; g != nil {
		s.ghost.Remove(g)
		delete(s.ghosts, name)
		e.inMain = true
		s.main.PushFront(e)
	} else {
		s.small.PushFront(e)
	}
	return false, true
}

func (s *s3fifo) evictSmall() {
	for s.small.Len() > 0 {
		e := s.small.Remove(s.small.Back()).(*s3entry)
		if e.freq > 1 {
			e.freq, e.inMain = 0, true
			s.main.PushFront(e)
			if s.main.Len() > s.capacity*9/10 {
				s.evictMain()
			}
			continue
		}
		delete(s.by, e.name)
		s.ghosts[e.name] = s.ghost.PushFront(e.name)
		if s.ghost.Len() > s.capacity*9/10 {
			delete(s.ghosts, s.ghost.Remove(s.ghost.Back()).(uint64))
		}
		return
	}
}

func (s *s3fifo) evictMain() {
	for s.main.Len() > 0 {
		e := s.main.Remove(s.main.Back()).(*s3entry)
		if e.freq > 0 {
			e.freq--
			s.main.PushFront(e)
			continue
		}
		delete(s.by, e.name)
		return
	}
}
