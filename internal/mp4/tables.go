package mp4

import (
	"encoding/binary"
	"io"
	"time"
)

// table streams the entries of a full box: version and flags, an entry count, entries
// of one width.
type table struct {
	count uint32
	width int   // of an entry, in bytes; 0 = the entries are not read
	at    int64 // of the first entry
}

// openTable reads the head of a table whose entry count follows after skip bytes of
// other fields. A count that the box has no room for is refused.
func (s *scanner) openTable(b box, skip int64, width int) (table, error) {
	var buf [4]byte
	t := table{width: width, at: b.body + 4 + skip + 4}
	if t.at > b.end {
		return table{}, refuse(ReasonMalformed, "the table %q has no room for its head", b.kind)
	}
	if err := readFull(s.r, buf[:], t.at-4); err != nil {
		return table{}, err
	}
	t.count = binary.BigEndian.Uint32(buf[:])
	if room := b.end - t.at; int64(t.count)*int64(width) > room {
		return table{}, refuse(ReasonMalformed, "the table %q lists %d entries and has room for %d", b.kind, t.count, room/int64(width))
	}
	return t, nil
}

// each calls f with every entry from the given one on.
func (t table) each(r io.ReaderAt, from uint32, f func(i uint32, entry []byte)) error {
	var buf [24 << 10]byte
	per := uint32(len(buf) / t.width)
	for i := from; i < t.count; {
		n := min(per, t.count-i)
		chunk := buf[:int(n)*t.width]
		if err := readFull(r, chunk, t.at+int64(i)*int64(t.width)); err != nil {
			return err
		}
		for j := range n {
			f(i+j, chunk[int(j)*t.width:int(j+1)*t.width])
		}
		i += n
	}
	return nil
}

// sampleTables reads an stbl box (section 8.5): formats, times, sizes, and whether the
// samples lie within the file.
func (s *scanner) sampleTables(stbl box, t *Track) error {
	var sizes, chunks, perChunk box
	err := children(s.r, stbl.body, stbl.end, func(b box) error {
		switch b.kind {
		case "stsd":
			return s.formats(b, t)
		case "stts":
			return s.times(b, t)
		case "ctts":
			return s.firstComposition(b, t)
		case "stsz", "stz2":
			sizes = b
		case "stco", "co64":
			chunks = b
		case "stsc":
			perChunk = b
		}
		return nil
	})
	if err != nil || sizes.kind == "" {
		return err
	}
	table, uniform, err := s.openSizes(sizes)
	if err != nil {
		return err
	}
	if table.count == 0 || chunks.kind == "" || perChunk.kind == "" {
		return nil // samples without a place in the file cannot be played
	}
	t.Samples = uint64(table.count)
	return s.within(table, uniform, chunks, perChunk)
}

func (s *scanner) formats(b box, t *Track) error {
	var buf [16]byte
	p, err := readBody(s.r, b, buf[:])
	if err != nil || len(p) < 16 {
		return err
	}
	t.Formats, t.Format = binary.BigEndian.Uint32(p[4:]), string(p[12:16])
	return nil
}

func (s *scanner) times(b box, t *Track) error {
	table, err := s.openTable(b, 0, 8)
	if err != nil {
		return err
	}
	t.Times.Total, t.Times.Zero, t.Times.Longest = 0, 0, 0
	return table.each(s.r, 0, func(i uint32, entry []byte) {
		count, delta := binary.BigEndian.Uint32(entry), binary.BigEndian.Uint32(entry[4:])
		if total := t.Times.Total + uint64(count)*uint64(delta); total >= t.Times.Total {
			t.Times.Total = total
		}
		if delta == 0 {
			zero := uint64(count)
			if i == table.count-1 && zero > 0 {
				zero-- // the last sample needs no duration
			}
			t.Times.Zero += zero
		}
		if count > 0 {
			t.Times.Longest = max(t.Times.Longest, delta)
		}
	})
}

func (s *scanner) firstComposition(b box, t *Track) error {
	var buf [16]byte
	p, err := readBody(s.r, b, buf[:])
	if err != nil || len(p) < 16 || binary.BigEndian.Uint32(p[4:]) == 0 {
		return err
	}
	t.Times.FirstComposition = int32(binary.BigEndian.Uint32(p[12:]))
	return nil
}

// openSizes opens an stsz or stz2 box; uniform is the size of every sample, or 0.
func (s *scanner) openSizes(b box) (table, uint32, error) {
	var buf [8]byte
	p, err := readBody(s.r, b, buf[:])
	if err != nil {
		return table{}, 0, err
	}
	if len(p) < 8 {
		return table{}, 0, refuse(ReasonMalformed, "the table of sample sizes has no head")
	}
	if b.kind == "stz2" {
		// Fields of 4, 8 or 16 bits, for files with tiny samples: their sizes are not
		// added up, which makes the check of the end a little more lenient.
		t, err := s.openTable(b, 4, 0)
		return t, 0, err
	}
	if uniform := binary.BigEndian.Uint32(p[4:]); uniform != 0 {
		t, err := s.openTable(b, 4, 0)
		return t, uniform, err
	}
	t, err := s.openTable(b, 4, 4)
	return t, 0, err
}

// within refuses a track whose samples pass the end of the file. The last bytes of a
// track are nearly always those of its last chunk; the beginnings of all are looked at.
func (s *scanner) within(sizes table, uniform uint32, chunks, perChunk box) error {
	width := 4
	if chunks.kind == "co64" {
		width = 8
	}
	offsets, err := s.openTable(chunks, 0, width)
	if err != nil {
		return err
	}
	var last, highest uint64
	err = offsets.each(s.r, 0, func(_ uint32, entry []byte) {
		if width == 8 {
			last = binary.BigEndian.Uint64(entry)
		} else {
			last = uint64(binary.BigEndian.Uint32(entry))
		}
		highest = max(highest, last)
	})
	if err != nil {
		return err
	}
	if offsets.count == 0 || highest >= uint64(s.size) {
		return refuse(ReasonCutShort, "the index points beyond the end of the file")
	}
	runs, err := s.openTable(perChunk, 0, 12)
	if err != nil {
		return err
	}
	if runs.count == 0 {
		return nil
	}
	samples := uint32(0)
	err = runs.each(s.r, runs.count-1, func(_ uint32, entry []byte) { samples = binary.BigEndian.Uint32(entry[4:]) })
	if err != nil {
		return err
	}
	samples = min(samples, sizes.count)
	length := uint64(samples) * uint64(uniform)
	if uniform == 0 && sizes.width == 4 {
		length = 0
		err = sizes.each(s.r, sizes.count-samples, func(_ uint32, entry []byte) { length += uint64(binary.BigEndian.Uint32(entry)) })
		if err != nil {
			return err
		}
	}
	if end := last + length; end > uint64(s.size) {
		return refuse(ReasonCutShort, "the file ends %d bytes before its last sample does", end-uint64(s.size))
	}
	return nil
}

// editList reads an elst box (section 8.6.6).
func (s *scanner) editList(b box, movieScale uint32, t *Track) error {
	width := 12
	var version [1]byte
	if p, err := readBody(s.r, b, version[:]); err != nil || len(p) == 0 {
		return err
	}
	if version[0] == 1 {
		width = 20
	}
	entries, err := s.openTable(b, 0, width)
	if err != nil {
		return err
	}
	e := Edits{Count: entries.count, Simple: true}
	normal := 0
	err = entries.each(s.r, 0, func(_ uint32, entry []byte) {
		var length uint64
		var at int64
		if width == 20 {
			length, at = binary.BigEndian.Uint64(entry), int64(binary.BigEndian.Uint64(entry[8:]))
		} else {
			length, at = uint64(binary.BigEndian.Uint32(entry)), int64(int32(binary.BigEndian.Uint32(entry[4:])))
		}
		rate := binary.BigEndian.Uint32(entry[width-4:])
		switch {
		case at == -1 && normal == 0:
			e.Delay += saturate(toDuration(length, movieScale))
		case at < 0 || rate != 1<<16 || normal > 0:
			e.Simple = false
		default:
			normal++
			e.MediaTime, e.Length = at, toDuration(length, movieScale)
		}
	})
	t.Edits = e
	return err
}

// saturate keeps sums of hostile delays from wrapping around.
func saturate(d time.Duration) time.Duration { return min(d, 1000*time.Hour) }
