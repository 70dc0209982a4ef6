package watchstate

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the simplest Played: a flag for each millisecond.
type model []bool

func (m model) add(p Piece) {
	for ms := p.From; ms < p.To; ms++ {
		m[ms] = true
	}
}

func (m model) watched(end int64) (out []int64) {
	for bucket := int64(0); bucket*bucketMS < end; bucket++ {
		played, length := int64(0), min(bucketMS, end-bucket*bucketMS)
		for _, on := range m[bucket*bucketMS : bucket*bucketMS+length] {
			if on {
				played++
			}
		}
		if 2*played >= length {
			out = append(out, bucket)
		}
	}
	return out
}

// TestPlayedIsTheUnion: however pieces are spread over requests, devices and gateways, in
// whichever order and however often they arrive, what counts is their union.
func TestPlayedIsTheUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.Int64Range(1, 45000).Draw(t, "end")
		seen := make(model, end+bucketMS)
		devices := make([]Played, 3)
		for range rapid.IntRange(0, 12).Draw(t, "pieces") {
			from := rapid.Int64Range(0, end).Draw(t, "from")
			piece := Piece{from, min(end, from+rapid.Int64Range(0, 12000).Draw(t, "length"))}
			seen.add(piece)
			devices[rapid.IntRange(0, 2).Draw(t, "device")].Add(piece)
		}
		var merged Played
		for _, i := range rapid.Permutation([]int{0, 1, 2, 0, 1, 2}).Draw(t, "order") {
			stored, err := Decode(devices[i].Encode())
			if err != nil {
				t.Fatal(err)
			}
			merged.Merge(stored)
		}
		duration := time.Duration(end) * time.Millisecond
		if got, want := merged.Watched(duration), seen.watched(end); !slices.Equal(got, want) {
			t.Fatalf("watched %v, want %v", got, want)
		}
		if got := merged.Clone().Encode(); !slices.Equal(got, merged.Encode()) {
			t.Fatalf("a clone differs")
		}
	})
}

func TestHalfOfABucket(t *testing.T) {
	for name, c := range map[string]struct {
		pieces   []Piece
		duration time.Duration
		want     float64
	}{
		"exactly half":            {[]Piece{{0, 5000}}, 20 * time.Second, 0.5},
		"a millisecond less":      {[]Piece{{0, 4999}}, 20 * time.Second, 0},
		"half in two pieces":      {[]Piece{{0, 2500}, {7000, 9500}}, 20 * time.Second, 0.5},
		"the same piece twice":    {[]Piece{{0, 2500}, {0, 2500}}, 20 * time.Second, 0},
		"over a border":           {[]Piece{{6000, 15000}}, 20 * time.Second, 0.5},
		"half of a short last":    {[]Piece{{20000, 21500}}, 23 * time.Second, 1.0 / 3},
		"less of a short last":    {[]Piece{{20000, 21499}}, 23 * time.Second, 0},
		"all":                     {[]Piece{{0, 23000}}, 23 * time.Second, 1},
		"reversed":                {[]Piece{{9000, 1000}}, 20 * time.Second, 0},
		"a recording got shorter": {[]Piece{{0, 60000}}, 20 * time.Second, 1},
	} {
		var p Played
		for _, piece := range c.pieces {
			p.Add(piece)
		}
		if got, known := p.Share(c.duration); got != c.want || !known {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if _, known := (Played{}).Share(0); known {
		t.Error("a share of nobody knows what")
	}
}

// TestPlayedStaysSmall: pieces of a millisecond each do not make a state large.
func TestPlayedStaysSmall(t *testing.T) {
	var p Played
	for ms := int64(0); ms < bucketMS/2; ms += 2 {
		p.Add(Piece{ms, ms + 1})
	}
	if n := len(p.spans[0]); n > maxSpans {
		t.Errorf("%d spans are kept of one bucket", n)
	}
	if n := len(p.Encode()); n > 8*maxSpans {
		t.Errorf("%d bytes are stored", n)
	}
}

// FuzzDecode: what is stored and damaged is refused, or read as something that can be stored.
func FuzzDecode(f *testing.F) {
	var p Played
	p.Add(Piece{0, 25000})
	p.Add(Piece{92000, 93000})
	f.Add(p.Encode())
	f.Add([]byte{})
	f.Add([]byte{200, 1})
	f.Fuzz(func(t *testing.T, stored []byte) {
		p, err := Decode(stored)
		if err != nil {
			return
		}
		again, err := Decode(p.Encode())
		if err != nil || !slices.Equal(again.Encode(), p.Encode()) {
			t.Errorf("%v does not come back: %v", stored, err)
		}
	})
}

func TestLatestArrivalGivesThePosition(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	state := State{Position: 40 * time.Second, At: noon}
	state.Merge(State{Position: time.Second, At: noon.Add(-time.Millisecond)})
	if state.Position != 40*time.Second {
		t.Errorf("an earlier arrival moves the position to %s", state.Position)
	}
	state.Merge(State{Position: 2 * time.Second, At: noon})
	if state.Position != 2*time.Second || !state.At.Equal(noon) {
		t.Errorf("a later one leaves it at %s", state.Position)
	}
}
