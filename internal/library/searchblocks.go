package library

import (
	"context"
	"database/sql"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/lectiospace/lectern/internal/fulltext"
)

const (
	// maxReaders bounds how many connections one search reads postings or texts on. It reads
	// something else on one more, and the pool keeps four that are idle.
	maxReaders = 3
	// blocksPerReader is how many blocks are worth a connection of their own.
	blocksPerReader = 32
)

// postingsQuery reads the postings of all stems in those of some blocks that have all of
// them.
func (l *Reader) postingsQuery(stems []string, blocks []int64) *query {
	q := &query{d: l.store.Dialect()}
	in := " IN (" + placeholders(q, stems) + ")"
	rest, all := "p.rest", ` WHERE (SELECT count(*) FROM lectern.lectern_search_postings h WHERE h.block = b.value AND h.stem`+in+`) = `+strconv.Itoa(len(stems))
	if len(stems) == 1 {
		rest, all = "NULL", "" // the first places are enough
	}
	q.text = `SELECT p.block, p.first, ` + rest + ` FROM ` + q.numbers("b", blocks) +
		q.join(false, "p", "p.block, p.first, p.rest", "lectern.lectern_search_postings", "p.block = b.value AND p.stem"+in) + all
	return q
}

// match is a transcript of a block that has all stems, with its best places.
type match struct {
	recording, transcript int64
	places                [hitsPerRecording]fulltext.Place
	n                     int
}

// readBlocks returns the matches of blocks.
func (l *Reader) readBlocks(ctx context.Context, stems []string, blocks []block) ([][]match, error) {
	found := make([][]match, l.maxReaders)
	err := readParts(ctx, l.maxReaders, l.blocksPerReader, blocks, func(ctx context.Context, part int, blocks []block) (err error) {
		found[part], err = l.readSomeBlocks(ctx, stems, blocks)
		return err
	})
	return found, err
}

// readParts calls read with the parts of a list, at most most of them and of no fewer than
// least members, side by side.
func readParts[T any](ctx context.Context, most, least int, list []T, read func(ctx context.Context, part int, list []T) error) error {
	parts := max(1, min(most, len(list)/least))
	group, ctx := errgroup.WithContext(ctx)
	for i := range parts {
		part := list[i*len(list)/parts : (i+1)*len(list)/parts]
		if len(part) > 0 {
			group.Go(func() error { return read(ctx, i, part) })
		}
	}
	return group.Wait()
}

// readSomeBlocks returns the matches of blocks, in one query.
func (l *Reader) readSomeBlocks(ctx context.Context, stems []string, blocks []block) ([]match, error) {
	m := newBlockMatcher(len(stems), blocks)
	numbers := make([]int64, len(blocks))
	for i, b := range blocks {
		numbers[i] = b.id
	}
	var (
		id          int64
		first, rest sql.RawBytes
	)
	q := l.postingsQuery(stems, numbers)
	err := l.store.BinaryRows(ctx, "library: places in transcripts", listTimeout, q.text, q.args, func(scan func(...any) error) error {
		if err := scan(&id, &first, &rest); err != nil {
			return err
		}
		m.add(id, first, rest)
		return nil
	})
	return m.found, err
}

// blockMatcher gathers the postings of each block, and compares them once those of all stems
// are there. A block that has others is damaged, and has no matches.
type blockMatcher struct {
	stems   int
	blocks  map[int64]*block
	matcher fulltext.Matcher
	// gathered are the blocks of which some postings are there; PostgreSQL may read several
	// at once.
	gathered map[int64]*gathered
	unused   []*gathered
	found    []match
}

// gathered are the postings of a block so far.
type gathered struct {
	postings []fulltext.Postings
	buffer   []byte // what they are in
}

func newBlockMatcher(stems int, blocks []block) *blockMatcher {
	m := &blockMatcher{stems: stems, blocks: make(map[int64]*block, len(blocks)), gathered: map[int64]*gathered{}}
	for i := range blocks {
		m.blocks[blocks[i].id] = &blocks[i]
	}
	return m
}

// add adds the postings of a stem in a block. It copies them.
func (m *blockMatcher) add(id int64, first, rest []byte) {
	g := m.gathered[id]
	if g == nil {
		if n := len(m.unused); n > 0 {
			g, m.unused = m.unused[n-1], m.unused[:n-1]
		} else {
			g = &gathered{}
		}
		m.gathered[id] = g
	}
	from := len(g.buffer)
	g.buffer = append(append(g.buffer, first...), rest...)
	between, to := from+len(first), len(g.buffer)
	g.postings = append(g.postings, fulltext.Postings{First: g.buffer[from:between:between], Rest: g.buffer[between:to:to]})
	if len(g.postings) < m.stems {
		return
	}
	m.match(m.blocks[id], g.postings)
	delete(m.gathered, id)
	g.postings, g.buffer = g.postings[:0], g.buffer[:0]
	m.unused = append(m.unused, g)
}

// match adds the matches of a block.
func (m *blockMatcher) match(b *block, postings []fulltext.Postings) {
	m.matcher.Each(postings, hitsPerRecording,
		func(n int) bool { return n < len(b.transcripts) && b.transcripts[n].ID != 0 },
		func(n int, places []fulltext.Place) {
			found := match{recording: b.transcripts[n].Recording, transcript: b.transcripts[n].ID}
			found.n = copy(found.places[:], places)
			m.found = append(m.found, found)
		})
}
