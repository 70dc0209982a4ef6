package fulltext

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSameWord holds forms of one word against each other.
func TestSameWord(t *testing.T) {
	for _, forms := range []string{
		"интеграл интегралы интегралов ИНТЕГРАЛОМ Интегралах",
		"ёлка елка ёлки ЁЛКОЙ", "уравнение уравнения уравнений", "решать решали решаем",
		"limit limits LIMITED limiting", "study studies studied", "don't don’t",
		"42", "α Α", "naïve NAI\u0308VE",
	} {
		words := strings.Fields(forms)
		for _, w := range words {
			if a, b := Stems(words[0]), Stems(w); len(a) != 1 || !slices.Equal(a, b) {
				t.Errorf("%q is %q, %q is %q", words[0], a, w, b)
			}
		}
	}
	for _, pair := range [][2]string{{"предел", "переделать"}, {"limit", "lime"}, {"кот", "кит"}, {"1", "10"}} {
		if slices.Equal(Stems(pair[0]), Stems(pair[1])) {
			t.Errorf("%q and %q are one word", pair[0], pair[1])
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "[]",
		" \t…—!":                "[]",
		"Anna: Good morning!":   "[{anna 0 4} {good 6 10} {morn 11 18}]",
		"a+b":                   "[{a 0 1} {b 2 3}]",
		"'quoted' it’s":         "[{quot 1 7} {it 9 13}]",
		"🙂 мир":                 "[{мир 2 5}]",
		"x\u0301y":              "[{xy 0 3}]",
		strings.Repeat("ы", 99): "[{" + strings.Repeat("ы", 64) + " 0 99}]",
	} {
		if got := fmt.Sprint(Words(text)); got != want && text != strings.Repeat("ы", 99) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if got := Words(strings.Repeat("ж", 99)); len(got) != 1 || got[0].To != 99 || len(got[0].Stem) > 2*maxWord {
		t.Errorf("a long word: %v", got)
	}
}

// TestPlaces: a place is a cue and its neighbours.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		cues  string // separated by |
		query string
		want  string
	}{
		{"a b|c", "a b", "[{0 0}]"},
		{"a|b|c", "a b", "[{0 1}]"},
		{"a|x|c", "a c", "[{0 2}]"},
		{"a|x|y|c", "a c", "[]"},
		{"a|b|a b", "a b", "[{2 2} {0 1}]"},
		{"a|a|b|b", "a b", "[{1 2}]"},
		{"a|a|a|a|a", "a", "[{0 0} {1 1} {2 2}]"},
		{"a", "b", "[]"},
		{"a|…|b|!|c", "a c", "[{0 2}]"}, // what has no words is no cue
		{"пределы|функций", "функция предел", "[{0 1}]"},
	} {
		d := Index(cuesOf(c.cues))
		if got := fmt.Sprint(d.Positions.Places(Stems(c.query), 3)); got != c.want {
			t.Errorf("%q in %q: %s, want %s", c.query, c.cues, got, c.want)
		}
	}
}

func cuesOf(text string) (cues []Cue) {
	for i, part := range strings.Split(text, "|") {
		cues = append(cues, Cue{time.Duration(i) * time.Second, part})
	}
	return cues
}

// TestPlacesAgainstAll holds Places against every run of cues there is.
func TestPlacesAgainstAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		parts := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(letters, 1, 3), func(s []string) string { return strings.Join(s, " ") }), 1, 12).Draw(t, "cues")
		stems := Stems(strings.Join(rapid.SliceOfN(letters, 1, 3).Draw(t, "query"), " "))
		holds := func(first, last int) bool {
			return !slices.ContainsFunc(stems, func(s string) bool { return !slices.Contains(Stems(strings.Join(parts[first:last+1], " ")), s) })
		}
		var places []Place // all, and of these what Places promises
		for length := 1; length <= MaxCues; length++ {
			for first := 0; first+length <= len(parts); first++ {
				p := Place{first, first + length - 1}
				if holds(p.First, p.Last) && !slices.ContainsFunc(places, func(o Place) bool { return p.First <= o.Last && o.First <= p.Last }) {
					places = append(places, p)
				}
			}
		}
		got := Index(cuesOf(strings.Join(parts, "|"))).Positions.Places(stems, len(parts)+1)
		if !slices.Equal(got, places) {
			t.Fatalf("%q in %q: %v, want %v", stems, parts, got, places)
		}
	})
}

func TestExcerptAndSnippet(t *testing.T) {
	d := Index([]Cue{{2500 * time.Millisecond, "second\nline\tof  <speech>"}, {time.Second, "First"}, {3 * time.Second, "…"}, {4 * time.Second, "third"}})
	start, text, ok := Excerpt(d.Cues, 1, 2)
	if !ok || start != 2500*time.Millisecond || text != "second line of <speech> third" {
		t.Errorf("%s %q %v", start, text, ok)
	}
	if _, _, ok := Excerpt(d.Cues, 2, 3); ok {
		t.Error("a cue that is not there")
	}
	snippet, marks := Snippet("🙂 Пределы и предел.", Stems("предел"))
	if snippet != "🙂 Пределы и предел." || !reflect.DeepEqual(marks, [][2]int{{2, 9}, {12, 18}}) {
		t.Errorf("%q %v", snippet, marks)
	}
	long := strings.Repeat("слово ", 200) + "интеграл " + strings.Repeat("слово ", 200)
	snippet, marks = Snippet(long, Stems("интегралы"))
	runes := []rune(snippet)
	if len(runes) > maxSnippet+2 || len(marks) != 1 || string(runes[marks[0][0]:marks[0][1]]) != "интеграл" || runes[0] != '…' || runes[len(runes)-1] != '…' {
		t.Errorf("%q %v", snippet, marks)
	}
}

// FuzzSnippet: marks are words of the snippet that a search for them finds.
func FuzzSnippet(f *testing.F) {
	f.Add("Anna: so the limits of it", "limit")
	f.Add(strings.Repeat("слово ", 99)+"ёлка", "елки")
	f.Fuzz(func(t *testing.T, text, query string) {
		stems := Stems(query)
		snippet, marks := Snippet(text, stems)
		runes := []rune(snippet)
		if len(runes) > maxSnippet+2 {
			t.Errorf("%d code points", len(runes))
		}
		for _, m := range marks {
			if m[0] >= m[1] || m[1] > len(runes) {
				t.Fatalf("%v of %d code points", m, len(runes))
			}
			if s := Stems(string(runes[m[0]:m[1]])); len(s) != 1 || !slices.Contains(stems, s[0]) {
				t.Errorf("%q is marked for %q", string(runes[m[0]:m[1]]), query)
			}
		}
		Index([]Cue{{0, text}}).Positions.each(func(stem, _ []byte) bool {
			if len(stem) == 0 || bytes.ContainsAny(stem, " '\"\\\t\n\x00") {
				t.Errorf("the stem %q", stem)
			}
			return true
		})
	})
}

// FuzzPositions: damaged positions have no places, and do no harm.
func FuzzPositions(f *testing.F) {
	f.Add([]byte(Index(cuesOf("a b|c d")).Positions), "a d")
	f.Add([]byte{1, 'a', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, "a")
	f.Fuzz(func(t *testing.T, data []byte, query string) {
		for _, p := range Positions(data).Places(Stems(query), 3) {
			if p.Last-p.First >= MaxCues || p.Last < p.First {
				t.Errorf("%v", p)
			}
		}
	})
}

// TestBlockIsItsTranscripts holds what is found in a block against each transcript alone.
func TestBlockIsItsTranscripts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		cue := rapid.Map(rapid.SliceOfN(word, 1, 2), func(s []string) string { return strings.Join(s, " ") })
		var transcripts []Transcript
		for i := range rapid.IntRange(1, 5).Draw(t, "transcripts") {
			cues := rapid.SliceOfN(cue, 0, 30).Draw(t, "cues")
			transcripts = append(transcripts, Transcript{ID: int64(i * 1000), Recording: int64(7 + i), Positions: Index(cuesOf(strings.Join(cues, "|"))).Positions})
		}
		stems := Stems(strings.Join(rapid.SliceOfN(word, 1, 3).Draw(t, "query"), " "))
		block := NewBlock(transcripts)
		ids := TranscriptIDs(block.Transcripts)
		if !slices.EqualFunc(ids, transcripts, func(a, b Transcript) bool { return a.ID == b.ID && a.Recording == b.Recording }) {
			t.Fatalf("transcripts %v", ids)
		}
		var postings []Postings
		for _, p := range block.Postings {
			if slices.Contains(stems, p.Stem) {
				if len(stems) == 1 {
					p.Rest = nil
				}
				postings = append(postings, p)
			}
		}
		got := map[int][]Place{}
		if len(postings) == len(stems) {
			wanted := func(n int) bool { return n != 1 }
			var m Matcher
			m.Each(postings, 3, wanted, func(int, []Place) {}) // what it leaves behind does not matter
			m.Each(postings, 3, wanted, func(n int, places []Place) { got[n] = slices.Clone(places) })
		}
		for n, transcript := range transcripts {
			want := transcript.Positions.Places(stems, 3)
			if n == 1 {
				want = nil // not wanted
			}
			if !slices.Equal(got[n], want) {
				t.Fatalf("transcript %d, %q: %v, want %v", n, stems, got[n], want)
			}
		}
	})
}

// FuzzPostings: damaged postings have no other transcripts, and do no harm.
func FuzzPostings(f *testing.F) {
	b := NewBlock([]Transcript{{1, 2, Index(cuesOf("a b|c d|a|a|a a|b")).Positions}, {3, 4, Index(cuesOf("b|a")).Positions}})
	f.Add(b.Postings[0].First, b.Postings[0].Rest, b.Postings[1].First, b.Postings[1].Rest, b.Transcripts)
	f.Add([]byte{0, 3, 1, 1}, []byte{0xff, 0xff, 0xff}, []byte{0, 9}, []byte{}, []byte{0xff})
	f.Fuzz(func(t *testing.T, first, rest, second, others, transcripts []byte) {
		n := len(TranscriptIDs(transcripts))
		new(Matcher).Each([]Postings{{First: first, Rest: rest}, {First: second, Rest: others}}, 3, func(i int) bool { return i < n }, func(i int, places []Place) {
			if i < 0 || i >= n || len(places) == 0 || len(places) > 3 {
				t.Errorf("transcript %d of %d: %v", i, n, places)
			}
		})
	})
}
