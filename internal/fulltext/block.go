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
		_, n := binary.Uvarint(list[length:])
		if n <= 0 {
			break
		}
		length += n
		cues++
	}
	return cues, length
}

// TranscriptIDs are the ids and recordings of a block's transcripts, by their numbers.
func TranscriptIDs(transcripts []byte) (out []Transcript) {
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

// EachMatch calls found with the number of each transcript that has all stems close enough
// together, and its best places, at most most. postings are those of each stem; wanted says
// which transcripts count. Where most is at most firstCues and there is one stem, Rest is not
// needed. What is damaged ends the block.
func EachMatch(postings []Postings, most int, wanted func(n int) bool, found func(n int, places []Place)) {
	cursors, lists := make([]cursor, len(postings)), make([]cueList, len(postings))
	for i, p := range postings {
		if cursors[i] = (cursor{first: p.First, rest: p.Rest}); !cursors[i].next() {
			return
		}
	}
	for {
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
				lists[i] = cursors[i].list
			}
			if places := bestPlaces(lists, most); len(places) > 0 {
				found(last, places)
			}
		}
		if !cursors[0].next() {
			return
		}
	}
}

// cursor goes through the transcripts of postings.
type cursor struct {
	first, rest []byte // what is left
	n           int    // the number of the current transcript
	list        cueList
}

// next moves to the next transcript; false when there is none, or the postings are damaged.
func (c *cursor) next() bool {
	step, n := binary.Uvarint(c.first)
	if n <= 0 || step > 1<<31 {
		return false
	}
	cues, m := binary.Uvarint(c.first[n:])
	if m <= 0 || cues > firstCues {
		return false
	}
	c.n += int(step)
	c.first = c.first[n+m:]
	_, length := cutCues(c.first, int(cues))
	c.list = cueList{first: c.first[:length]}
	c.first = c.first[length:]
	if cues == firstCues && len(c.rest) > 0 {
		list, rest, ok := cutField(c.rest)
		if !ok {
			return false
		}
		c.list.rest, c.rest = list, rest
	}
	return true
}
