package cache

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

// box makes a box of length bytes.
func box(kind string, length int) []byte {
	b := make([]byte, length)
	binary.BigEndian.PutUint32(b, uint32(length))
	copy(b[4:], kind)
	return b
}

// longBox makes one whose length field has 64 bits.
func longBox(kind string, length int) []byte {
	b := box(kind, length)
	binary.BigEndian.PutUint32(b, 1)
	binary.BigEndian.PutUint64(b[8:], uint64(length))
	return b
}

func TestIndexOf(t *testing.T) {
	endless := box("mdat", 5000)
	binary.BigEndian.PutUint32(endless, 0)
	for _, c := range []struct {
		name string
		file [][]byte
		want media.Span
		ok   bool
	}{
		{"in front", [][]byte{box("ftyp", 32), box("moov", 400), box("mdat", 5000)}, media.Span{Off: 32, Len: 400}, true},
		{"behind", [][]byte{box("ftyp", 32), box("free", 8), box("mdat", 5000), box("moov", 400)}, media.Span{Off: 5040, Len: 400}, true},
		{"behind a long box", [][]byte{box("ftyp", 32), longBox("mdat", 5000), box("moov", 400)}, media.Span{Off: 5032, Len: 400}, true},
		{"none", [][]byte{box("ftyp", 32), box("mdat", 5000)}, media.Span{}, false},
		{"data to the end", [][]byte{box("ftyp", 32), endless}, media.Span{}, false},
		{"no boxes", [][]byte{bytes.Repeat([]byte{0xff}, 500)}, media.Span{}, false},
		{"too short", [][]byte{{0, 0, 0}}, media.Span{}, false},
	} {
		file := bytes.Join(c.file, nil)
		if got, ok := indexOf(file[:min(len(file), 200)], int64(len(file))); ok != c.ok || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func FuzzIndexOf(f *testing.F) {
	f.Add(bytes.Join([][]byte{box("ftyp", 32), longBox("mdat", 500), box("moov", 40)}, nil), int64(572))
	f.Fuzz(func(t *testing.T, head []byte, size int64) {
		if size < int64(len(head)) {
			return
		}
		if at, ok := indexOf(head, size); ok && (at.Len <= 0 || at.Off < 0 || at.End() > size) {
			t.Errorf("an index at %+v of %d bytes", at, size)
		}
	})
}

// TestWarm: a player then reads head and index from the disk, wherever the index is,
// and little else was fetched.
func TestWarm(t *testing.T) {
	for name, layout := range map[string][][]byte{
		"index in front": {box("ftyp", 32), box("moov", 300_000), box("mdat", 5*mib)},
		"index behind":   {box("ftyp", 32), box("mdat", 5*mib), box("moov", 3*mib+500)},
		"no index":       {bytes.Repeat([]byte{1}, 5*mib)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFakeOrigin()
			file := bytes.Join(layout, nil)
			obj := s.put("a", "1", len(file))
			copy(s.bytes(obj), file)
			c := openCache(t, t.TempDir(), 100<<20, s, realDisk{})
			scanned(t, c)
			if err := c.Warm(t.Context(), obj); err != nil {
				t.Fatal(err)
			}
			waitForFills(t, c)
			sent := s.sent.Load()
			if sent > obj.Size*3/4 {
				t.Errorf("%d bytes were fetched", sent)
			}
			index, ok := indexOf(file[:100], obj.Size)
			if !ok {
				index = media.Span{Off: obj.Size - edge, Len: edge}
			}
			check(t, c, s, obj, media.Span{Len: 300_000}, media.CacheHit)
			check(t, c, s, obj, index, media.CacheHit)
			if s.sent.Load() != sent {
				t.Errorf("%d more bytes were fetched", s.sent.Load()-sent)
			}
		})
	}
}

// TestWarmFirstFrame: the head and an index behind the media data are fetched side by side,
// and nothing that a player may not ask for.
func TestWarmFirstFrame(t *testing.T) {
	for name, c := range map[string]struct {
		layout [][]byte
		read   []media.Span
		most   int64
	}{
		"index in front": {[][]byte{box("ftyp", 32), box("moov", 300_000), box("mdat", 5*mib)}, []media.Span{{Len: mib}}, mib + mib/2},
		"index behind":   {[][]byte{box("ftyp", 32), box("mdat", 5*mib), box("moov", 2*mib)}, []media.Span{{Len: mib}, {Off: 5*mib + 32, Len: 2 * mib}}, 7*mib/2 + testChunk},
		"no index":       {[][]byte{bytes.Repeat([]byte{1}, 5*mib)}, []media.Span{{Len: mib}}, mib + mib/2},
		"a small file":   {[][]byte{box("ftyp", 32), box("moov", 600)}, []media.Span{{Len: 632}}, 632},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFakeOrigin()
			file := bytes.Join(c.layout, nil)
			obj := s.put("a", "1", len(file))
			copy(s.bytes(obj), file)
			cache := openCache(t, t.TempDir(), 100<<20, s, realDisk{})
			scanned(t, cache)
			if err := cache.WarmFirstFrame(t.Context(), obj); err != nil {
				t.Fatal(err)
			}
			waitForFills(t, cache)
			sent := s.sent.Load()
			if sent > c.most {
				t.Errorf("%d bytes were fetched, at most %d are wanted", sent, c.most)
			}
			for _, span := range c.read {
				check(t, cache, s, obj, span, media.CacheHit)
			}
			if s.sent.Load() != sent {
				t.Errorf("%d more bytes were fetched", s.sent.Load()-sent)
			}
		})
	}
}

// TestHeadOfAnIndexIsKept: after a player has read an index at the end, which begins in
// the middle of a chunk, the whole chunk is cached, though nobody has read the part
// before the index.
func TestHeadOfAnIndexIsKept(t *testing.T) {
	s := newFakeOrigin()
	obj := s.put("a", "1", 100*testChunk)
	c := openCache(t, t.TempDir(), 100<<20, s, realDisk{})
	scanned(t, c)
	tail := media.Span{Off: 97*testChunk + 40_000, Len: 2*testChunk + 25_536}
	check(t, c, s, obj, tail, media.CacheMiss)
	check(t, c, s, obj, media.Span{Off: 97 * testChunk, Len: 3 * testChunk}, media.CacheHit)
}
