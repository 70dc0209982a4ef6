package mp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

func encodeBox(kind string, bodies ...[]byte) []byte {
	body := bytes.Join(bodies, nil)
	return append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), append([]byte(kind), body...)...)
}

// words encodes 32-bit fields.
func words(values ...uint32) (out []byte) {
	for _, v := range values {
		out = binary.BigEndian.AppendUint32(out, v)
	}
	return out
}

// trackBoxes are the boxes of one track. Its samples of ten bytes each lie in one chunk.
type trackBoxes struct {
	handler         string
	samples, offset uint32
	edits           []byte
	extra           []byte // within stbl
}

func (t trackBoxes) encode() []byte {
	stbl := [][]byte{
		encodeBox("stsd", words(0, 1), encodeBox("avc1", make([]byte, 78))),
		encodeBox("stts", words(0, 1, t.samples, 40)),
		encodeBox("stsc", words(0, 1, 1, t.samples, 1)),
		encodeBox("stsz", words(0, 10, t.samples)),
		encodeBox("stco", words(0, 1, t.offset)),
		t.extra,
	}
	edts := []byte{}
	if t.edits != nil {
		edts = encodeBox("edts", encodeBox("elst", t.edits))
	}
	return encodeBox("trak",
		encodeBox("tkhd", words(7, 0, 0, 5)),
		edts,
		encodeBox("mdia",
			encodeBox("mdhd", words(0, 0, 0, 1000, 40*t.samples), []byte{0x15, 0xc7, 0, 0}), // eng
			encodeBox("hdlr", words(0, 0), []byte(t.handler)),
			encodeBox("minf", encodeBox("stbl", stbl...))))
}

func encodeMoov(boxes ...[]byte) []byte {
	return encodeBox("moov", append([][]byte{encodeBox("mvhd", words(0, 0, 0, 600, 1200))}, boxes...)...)
}

func scan(data []byte) (File, error) { return Scan(bytes.NewReader(data), int64(len(data))) }

func reasonOf(err error) string {
	var e *media.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func TestScanTopLevel(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	video := encodeMoov(trackBoxes{handler: "vide", samples: 3, offset: 40}.encode())
	ftyp, mdat := encodeBox("ftyp", []byte("isom\x00\x00\x00\x00")), encodeBox("mdat", make([]byte, 100))
	long := append(append([]byte{0, 0, 0, 1}, "mdat"...), append(binary.BigEndian.AppendUint64(nil, 116), make([]byte, 100)...)...)
	open := append(append([]byte{0, 0, 0, 0}, "mdat"...), make([]byte, 100)...)
	whole := join(ftyp, mdat, video)
	behind := encodeMoov(trackBoxes{handler: "vide", samples: 3, offset: uint32(len(ftyp) + len(video) + 8)}.encode())
	for _, c := range []struct {
		name     string
		data     []byte
		reason   string // of the refusal, or ""
		fast     bool
		warnings []Warning
	}{
		{"index in front", join(ftyp, video, mdat), "", true, nil},
		{"index at the end", whole, "", false, nil},
		{"a 64-bit length", join(ftyp, video, long), "", true, nil},
		{"media data to the end", join(ftyp, video, open), "", true, nil},
		{"media data to the end, behind its index", join(ftyp, behind, open), "", true, nil},
		{"media data in two boxes", join(ftyp, video, mdat, mdat), "", true, nil},
		{"an unknown box between", join(ftyp, encodeBox("abcd", []byte("x")), video, mdat), "", true, nil},
		{"two indexes", join(ftyp, video, mdat, video), "", true, []Warning{SecondIndex}},

		{"first box mdat", join(mdat, video), "", false, []Warning{UnusualFirstBox}},
		{"first box moov", join(video, mdat), "", true, nil},
		{"first box free", join(encodeBox("free", nil), mdat, video), "", false, []Warning{UnusualFirstBox}},
		{"first box skip", join(encodeBox("skip", nil), mdat, video), "", false, []Warning{UnusualFirstBox}},
		{"first box wide", join(encodeBox("wide"), mdat, video), "", false, []Warning{UnusualFirstBox}},
		{"first box uuid", join(encodeBox("uuid", make([]byte, 16)), mdat, video), "", false, []Warning{UnusualFirstBox}},
		{"first box styp", join(encodeBox("styp", make([]byte, 8)), mdat, video), "", false, []Warning{UnusualFirstBox}},
		{"first box sidx", join(encodeBox("sidx", make([]byte, 8)), mdat, video), "", false, []Warning{UnusualFirstBox}},

		{"three bytes behind", join(whole, []byte{1, 2, 3}), "", false, []Warning{TrailingBytes}},
		{"text behind", join(whole, []byte("<!-- cached by proxy -->")), "", false, []Warning{TrailingBytes}},
		{"a line end behind", join(whole, []byte("\r\n")), "", false, []Warning{TrailingBytes}},
		{"zeros behind", join(whole, make([]byte, 500)), "", false, []Warning{TrailingBytes}},
		{"an impossible length behind", join(whole, words(3), []byte("free")), "", false, []Warning{TrailingBytes}},
		{"half a header behind", join(whole, []byte{0, 0, 0, 20, 'f', 'r'}), "", false, []Warning{TrailingBytes}},
		{"half a 64-bit header behind", join(whole, words(1), []byte("free"), []byte{0, 0}), "", false, []Warning{TruncatedBox}},
		{"a free box cut short", join(whole, words(100), []byte("free")), "", false, []Warning{TruncatedBox}},
		{"a hostile length behind", join(whole, words(1), []byte("uuid"), bytes.Repeat([]byte{0xff}, 8)), "", false, []Warning{TruncatedBox}},

		{"mdat cut short", join(ftyp, video, mdat[:50]), ReasonCutShort, false, nil},
		{"a second mdat cut short", join(ftyp, video, mdat, mdat[:50]), ReasonCutShort, false, nil},
		{"mdat header cut short", join(ftyp, video, long[:12]), ReasonCutShort, false, nil},
		{"moov cut short", whole[:len(whole)-9], ReasonCutShort, false, nil},
		{"a hostile 64-bit length", join(ftyp, video, words(1), []byte("mdat"), bytes.Repeat([]byte{0xff}, 8)), ReasonCutShort, false, nil},
		{"open media data cut short", join(ftyp, behind, open[:len(open)-80]), ReasonCutShort, false, nil},
		{"index beyond the end", join(ftyp, mdat, encodeMoov(trackBoxes{handler: "vide", samples: 3, offset: 1e6}.encode())), ReasonCutShort, false, nil},
		{"no index", join(ftyp, mdat), ReasonNoIndex, false, nil},
		{"no media data", join(ftyp, video), ReasonNoMediaData, false, nil},
		{"empty media data", join(ftyp, video, encodeBox("mdat")), ReasonNoMediaData, false, nil},
		{"no track", join(ftyp, encodeMoov(), mdat), ReasonNoPlayableTrack, false, nil},
		{"a track without samples", join(ftyp, encodeMoov(trackBoxes{handler: "soun", offset: 40}.encode()), mdat), ReasonNoPlayableTrack, false, nil},
		{"text only", join(ftyp, encodeMoov(trackBoxes{handler: "text", samples: 3, offset: 40}.encode()), mdat), ReasonNoPlayableTrack, false, nil},
		{"a page", []byte("<html><body>Only the host can download this</body></html>"), ReasonNotMP4, false, nil},
		{"JSON", []byte(`{"status":false,"errorCode":3301,"errorMessage":"There is no recording"}`), ReasonNotMP4, false, nil},
		{"text", []byte("Recording is being processed. Try again later."), ReasonNotMP4, false, nil},
		{"a DASH manifest", []byte(`<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>`), ReasonNotMP4, false, nil},
		{"nothing", nil, ReasonNotMP4, false, nil},
		{"zeros", make([]byte, 64), ReasonNotMP4, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := scan(c.data)
			if c.reason != "" {
				if reasonOf(err) != c.reason || media.KindOf(err) != media.Corrupt {
					t.Errorf("refused as %v, want %s", err, c.reason)
				}
				return
			}
			if err != nil || got.FastStart != c.fast || !slices.Equal(got.Warnings, c.warnings) {
				t.Errorf("%+v, %v; want fast start %v, warnings %v", got, err, c.fast, c.warnings)
			}
		})
	}
}

func TestScanIndex(t *testing.T) {
	mdat, at := encodeBox("mdat", make([]byte, 100)), uint32(8)
	edits := func(entries ...uint32) []byte { return append(words(0, uint32(len(entries)/3)), words(entries...)...) }
	nested := []byte{}
	for range 20 {
		nested = encodeBox("mdia", nested)
	}
	for _, c := range []struct {
		name   string
		boxes  []byte
		reason string
		check  func(File) bool
	}{
		{"fields", trackBoxes{handler: "vide", samples: 3, offset: at}.encode(), "", func(f File) bool {
			tr := f.Tracks[0]
			return f.Duration == 2*time.Second && tr.ID == 5 && tr.Kind == Video && tr.Format == "avc1" && tr.Formats == 1 && tr.Language == "eng" &&
				tr.Timescale == 1000 && tr.Duration == 120 && tr.Samples == 3 && tr.Times == Times{Total: 120, Longest: 40} && tr.Edits == Edits{}
		}},
		{"a chapter track beside", append(trackBoxes{handler: "vide", samples: 3, offset: at}.encode(), trackBoxes{handler: "text", samples: 3, offset: 1e6, extra: encodeBox("stts", words(0, 1e9))}.encode()...), "",
			func(f File) bool { return len(f.Tracks) == 2 && f.Tracks[1].Kind == Other }},
		{"an edit list", trackBoxes{handler: "soun", samples: 3, offset: at, edits: edits(600, 1, 1<<16)}.encode(), "",
			func(f File) bool {
				return f.Tracks[0].Edits == Edits{Count: 1, Simple: true, MediaTime: 1, Length: time.Second}
			}},
		{"a delay", trackBoxes{handler: "soun", samples: 3, offset: at, edits: edits(300, 0xffffffff, 1<<16, 600, 0, 1<<16)}.encode(), "",
			func(f File) bool {
				return f.Tracks[0].Edits == Edits{Count: 2, Simple: true, Delay: 500 * time.Millisecond, Length: time.Second}
			}},
		{"two cuts", trackBoxes{handler: "soun", samples: 3, offset: at, edits: edits(300, 0, 1<<16, 600, 50, 1<<16)}.encode(), "",
			func(f File) bool { return !f.Tracks[0].Edits.Simple && f.Tracks[0].Edits.Count == 2 }},
		{"half speed", trackBoxes{handler: "soun", samples: 3, offset: at, edits: edits(300, 0, 1<<15)}.encode(), "",
			func(f File) bool { return !f.Tracks[0].Edits.Simple }},
		{"composition offsets", trackBoxes{handler: "vide", samples: 3, offset: at, extra: encodeBox("ctts", words(0, 1, 3, 80))}.encode(), "",
			func(f File) bool { return f.Tracks[0].Times.FirstComposition == 80 }},
		{"samples at one time", trackBoxes{handler: "vide", samples: 3, offset: at, extra: encodeBox("stts", words(0, 3, 2, 0, 1, 90000, 1, 0))}.encode(), "",
			func(f File) bool {
				return f.Tracks[0].Times == Times{Total: 90000, Longest: 90000, Zero: 2}
			}},
		{"more entries than bytes", trackBoxes{handler: "vide", samples: 3, offset: at, extra: encodeBox("stts", words(0, 0xffffffff, 1, 40))}.encode(), ReasonMalformed, nil},
		{"a child longer than its parent", encodeBox("trak", words(5000), []byte("mdia")), ReasonMalformed, nil},
		{"boxes nested for ever", encodeBox("trak", nested), ReasonMalformed, nil},
		{"a thousand tracks", bytes.Repeat(trackBoxes{handler: "vide", samples: 3, offset: at}.encode(), 1000), ReasonMalformed, nil},
		{"padding in a box", append(trackBoxes{handler: "vide", samples: 3, offset: at}.encode(), 0, 0, 0, 0), "", func(f File) bool { return len(f.Tracks) == 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := scan(append(mdat, encodeMoov(c.boxes)...))
			if c.reason != reasonOf(err) || c.check != nil && !c.check(got) {
				t.Errorf("%+v, %v; want %q", got, err, c.reason)
			}
		})
	}
}

func TestScanFragmented(t *testing.T) {
	ftyp, mdat := encodeBox("ftyp", []byte("iso5")), encodeBox("mdat", make([]byte, 100))
	moov := encodeMoov(trackBoxes{handler: "vide"}.encode(), encodeBox("mvex"))
	moof := encodeBox("moof", make([]byte, 16))
	if f, err := scan(bytes.Join([][]byte{ftyp, moov, moof, mdat, moof, mdat}, nil)); err != nil || !f.Fragmented || !f.FastStart {
		t.Errorf("fragments: %+v, %v", f, err)
	}
	if _, err := scan(bytes.Join([][]byte{ftyp, moov, moof, mdat, moof, mdat[:30]}, nil)); reasonOf(err) != ReasonCutShort {
		t.Errorf("the last fragment is cut short: %v", err)
	}
	if _, err := scan(bytes.Join([][]byte{ftyp, moov, moof}, nil)); reasonOf(err) != ReasonNoMediaData {
		t.Errorf("no media data: %v", err)
	}
}

// TestScanTruncated cuts a real file at every byte: whatever is missing is noticed.
func TestScanTruncated(t *testing.T) {
	data, err := os.ReadFile("testdata/part-a.mp4")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scan(data); err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, err := scan(data[:n]); err == nil {
			t.Fatalf("%d of %d bytes pass", n, len(data))
		}
	}
}

func TestScanFiles(t *testing.T) {
	for _, c := range []struct {
		name       string
		reason     string
		tracks     int
		fragmented bool
		warnings   []Warning
	}{
		{"part-a.mp4", "", 2, false, nil},
		{"part-b.mp4", "", 2, false, nil},
		{"part-b-90000.mp4", "", 2, false, nil},
		{"three-bytes-behind.mp4", "", 2, false, []Warning{TrailingBytes}},
		{"text-behind.mp4", "", 2, false, []Warning{TrailingBytes}},
		{"fragmented.mp4", "", 1, true, nil},
		{"empty.mp4", ReasonNoPlayableTrack, 0, false, nil},
	} {
		data, err := os.ReadFile(filepath.Join("testdata", c.name))
		if err != nil {
			t.Fatal(err)
		}
		f, err := scan(data)
		if reasonOf(err) != c.reason || len(f.Tracks) != c.tracks || f.Fragmented != c.fragmented || !slices.Equal(f.Warnings, c.warnings) {
			t.Errorf("%s: %+v, %v", c.name, f, err)
		}
	}
}

// failingReader fails beyond an offset.
type failingReader struct {
	io.ReaderAt
	limit int64
}

func (r failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > r.limit {
		return 0, errors.New("the disk is gone")
	}
	return r.ReaderAt.ReadAt(p, off)
}

// TestScanReadFailure: a disk that fails is not taken for a file that is broken.
func TestScanReadFailure(t *testing.T) {
	data, err := os.ReadFile("testdata/part-a.mp4")
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for limit := int64(0); limit < int64(len(data)); limit += 7 {
		_, err := Scan(failingReader{bytes.NewReader(data), limit}, int64(len(data)))
		if err == nil {
			continue // the bytes beyond are not looked at
		}
		failed++
		if media.KindOf(err) != media.Other {
			t.Fatalf("failing at %d: %v", limit, err)
		}
	}
	if failed == 0 {
		t.Error("no read failed: the test proves nothing")
	}
}

// TestScanMemory: an index with a table of a million entries costs no more memory than
// a small one.
func TestScanMemory(t *testing.T) {
	const entries = 1 << 20
	big := encodeBox("stts", words(0, entries), bytes.Repeat(words(1, 40), entries))
	data := append(encodeBox("mdat", make([]byte, 100)), encodeMoov(trackBoxes{handler: "vide", samples: 3, offset: 8, extra: big}.encode())...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if f, err := scan(data); err != nil || f.Tracks[0].Times.Total != 40*entries {
		t.Fatal(f, err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 256<<10 {
		t.Errorf("%d bytes are allocated", got)
	}
}

func FuzzScan(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.mp4")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(append(encodeBox("mdat", make([]byte, 100)), encodeMoov(trackBoxes{handler: "vide", samples: 3, offset: 8, edits: words(0, 1, 600, 1, 1<<16)}.encode())...))
	f.Add(append([]byte{0, 0, 0, 1}, "mdat\xff\xff\xff\xff\xff\xff\xff\xff"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := scan(data)
		if err != nil {
			if media.KindOf(err) != media.Corrupt || reasonOf(err) == "" {
				t.Errorf("%v", err)
			}
			return
		}
		playable := false
		for _, track := range file.Tracks {
			playable = playable || track.Kind != Other
			if track.Seconds(track.Times.Total) < 0 || track.Edits.Delay < 0 || track.Edits.Length < 0 {
				t.Errorf("negative time: %+v", track)
			}
		}
		if !playable {
			t.Errorf("nothing plays: %+v", file)
		}
	})
}
