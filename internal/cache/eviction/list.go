package eviction

// pageSize is how many notes are allocated at a time: growing never copies, and
// takes no longer at a million chunks than at ten.
const pageSize = 1 << 12

// page is the notes of pageSize chunks.
type page struct {
	prev, next [pageSize]ID
	meta       [pageSize]uint16
}

// notes hold what is noted of each chunk, by its number.
type notes []*page

func (n *notes) grow(id ID) {
	for int(id/pageSize) >= len(*n) {
		*n = append(*n, new(page))
	}
}

func (n notes) prev(id ID) *ID     { return &n[id/pageSize].prev[id%pageSize] }
func (n notes) next(id ID) *ID     { return &n[id/pageSize].next[id%pageSize] }
func (n notes) meta(id ID) *uint16 { return &n[id/pageSize].meta[id%pageSize] }

// list is a queue through the notes: new ones at the front, old ones at the back.
type list struct {
	front, back ID
	n           int
}

func (l *list) pushFront(notes notes, id ID) {
	*notes.prev(id), *notes.next(id) = 0, l.front
	if l.front != 0 {
		*notes.prev(l.front) = id
	} else {
		l.back = id
	}
	l.front = id
	l.n++
}

func (l *list) remove(notes notes, id ID) {
	prev, next := *notes.prev(id), *notes.next(id)
	if prev != 0 {
		*notes.next(prev) = next
	} else {
		l.front = next
	}
	if next != 0 {
		*notes.prev(next) = prev
	} else {
		l.back = prev
	}
	l.n--
}
