package fulltext

import (
	"encoding/binary"
	"slices"
	"strings"
)

// firstCues is how many cues of a transcript are in Postings.First. A search for one word
// needs no others.
const firstCues = 3

// Transcript is a transcript with its positions.
type Transcript struct {
	ID, Recording int64
	Positions     Positions
}

// Block is some transcripts by their stems: what a search reads of a stem is in one piece
// for all of them.
type Block struct {
	// Transcripts are the ids and the recordings of its transcripts, in order: uvarints.
	Transcripts []byte
	// Postings have each stem once, in order.
	Postings []Postings
}

// Postings are the transcripts of a block that have a stem, and the cues in which it is.
type Postings struct {
	Stem string
	// First has for each of the transcripts: its number in the block, as the difference
	// from the one before; how many cues of it follow, at most firstCues; and these, as
	// differences.
	First []byte
	// Rest has for each of the transcripts with firstCues in First: the length of the list
	// of its other cues, in bytes, and the list.
	Rest []byte
}

// NewBlock puts transcripts together.
func NewBlock(transcripts []Transcript) Block {
	var b Block
	type builder struct {
		Postings
		before int // the number of its latest transcript
	}
	stems := map[string]*builder{}
	for n, t := range transcripts {
		b.Transcripts = binary.AppendUvarint(b.Transcripts, uint64(t.ID))
		b.Transcripts = binary.AppendUvarint(b.Transcripts, uint64(t.Recording))
		t.Positions.each(func(stem, list []byte) bool {
			p := stems[string(stem)]
			if p == nil {
				p = &builder{}
				p.Stem = string(stem)
				stems[p.Stem] = p
			}
			cues, length := cutCues(list, firstCues)
			p.First = binary.AppendUvarint(p.First, uint64(n-p.before))
			p.First = append(binary.AppendUvarint(p.First, uint64(cues)), list[:length]...)
			if cues == firstCues {
				p.Rest = append(binary.AppendUvarint(p.Rest, uint64(len(list)-length)), list[length:]...)
			}
			p.before = n
			return true
		})
	}
	for _, p := range stems {
		b.Postings = append(b.Postings, p.Postings)
	}
	slices.SortFunc(b.Postings, func(a, b Postings) int { return strings.Compare(a.Stem, b.Stem) })
	return b
}

// cutCues is how many cues a list begins with, at most most, and their length in bytes.
func cutCues(list []byte, most int) (cues, length int) {
	for cues < most && length < len(list) {
		_, n := uvarint(list[length:])
		if n <= 0 {
			break
		}
		length += n
		cues++
	}
	return cues, length
}

// TranscriptIDs are the ids and recordings of a block's transcripts, by their numbers.
func TranscriptIDs(transcripts []byte) []Transcript {
	numbers := 0
	for _, b := range transcripts {
		if b < 0x80 { // the last byte of one
			numbers++
		}
	}
	out := make([]Transcript, 0, numbers/2)
	for len(transcripts) > 0 {
		id, n := binary.Uvarint(transcripts)
		if n <= 0 {
			break
		}
		recording, m := binary.Uvarint(transcripts[n:])
		if m <= 0 {
			break
		}
		out = append(out, Transcript{ID: int64(id), Recording: int64(recording)})
		transcripts = transcripts[n+m:]
	}
	return out
}

// Matcher compares the postings of the stems of one search, block after block. Its buffers
// are used again. The zero value is ready; it is used by one goroutine.
type Matcher struct {
	cursors []cursor
	lists   []cueList
	runs    []Place
	best    []Place
}

// Each calls found with the number of each transcript of a block that has all stems close
// enough together, and its best places, at most most, which are valid until found returns.
// postings are those of each stem; wanted says which transcripts count. Where most is at
// most firstCues and there is one stem, Rest is not needed. What is damaged ends the block.
func (m *Matcher) Each(postings []Postings, most int, wanted func(n int) bool, found func(n int, places []Place)) {
	cursors, lists := m.cursors[:0], m.lists[:0]
	for _, p := range postings {
		c := cursor{first: p.First, rest: p.Rest}
		if !c.next() {
			return
		}
		cursors, lists = append(cursors, c), append(lists, cueList{})
	}
	m.cursors, m.lists = cursors, lists
	for len(cursors) > 0 {
		last := cursors[0].n
		for i := range cursors {
			last = max(last, cursors[i].n)
		}
		same := true
		for i := range cursors {
			for cursors[i].n < last {
				if !cursors[i].next() {
					return
				}
			}
			same = same && cursors[i].n == last
		}
		if !same {
			continue
		}
		if wanted(last) {
			for i := range cursors {
				lists[i] = cursors[i].list()
			}
			if places := m.bestPlaces(lists, most); len(places) > 0 {
				found(last, places)
			}
		}
		if !cursors[0].next() {
			return
		}
	}
}

// cursor goes through the transcripts of postings. It moves offsets and not slices, which
// costs the garbage collector nothing.
type cursor struct {
	first, rest []byte
	n           int // the number of the current transcript
	// The current transcript's cues.
	firstFrom, firstTo int // in first
	restFrom, restTo   int // in rest
}

// list is the current transcript's.
func (c *cursor) list() cueList {
	return cueList{part: c.first[c.firstFrom:c.firstTo], rest: c.rest[c.restFrom:c.restTo]}
}

// next moves to the next transcript; false when there is none, or the postings are damaged.
func (c *cursor) next() bool {
	at := c.firstTo
	step, n := uvarint(c.first[at:])
	if n <= 0 || step > 1<<31 {
		return false
	}
	at += n
	cues, n := uvarint(c.first[at:])
	if n <= 0 || cues > firstCues {
		return false
	}
	at += n
	_, length := cutCues(c.first[at:], int(cues))
	c.n += int(step)
	c.firstFrom, c.firstTo = at, at+length
	c.restFrom = c.restTo
	if cues == firstCues && c.restTo < len(c.rest) {
		length, n := uvarint(c.rest[c.restTo:])
		if n <= 0 || length > uint64(len(c.rest)-c.restTo-n) {
			return false
		}
		c.restFrom = c.restTo + n
		c.restTo = c.restFrom + int(length)
	}
	return true
}

// uvarint is binary.Uvarint, which is not inlined where most numbers are of one byte.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}
