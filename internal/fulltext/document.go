package fulltext

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxStems bounds the distinct stems of a document, each of which is of at most maxWord code
// points of a word. Three hours of speech have some 4,000. What comes after is not found.
const maxStems = 20_000

// Cue is a caption without markup.
type Cue struct {
	Start time.Duration
	Text  string
}

// Document is a transcript as it is stored for searches.
type Document struct {
	// Positions say in which cues a stem is.
	Positions Positions
	// Cues are the texts, in time order: see Excerpt.
	Cues string
}

// Index makes the document of a transcript. Cues without words are left out.
func Index(cues []Cue) Document {
	cues = slices.Clone(cues)
	slices.SortStableFunc(cues, func(a, b Cue) int { return int(a.Start.Milliseconds() - b.Start.Milliseconds()) })
	var (
		text  strings.Builder
		in    = map[string][]int{}
		known = map[string]string{} // stems by words: most of a transcript's words repeat
		n     int
	)
	for _, c := range cues {
		stems := stemsOf(c.Text, known)
		if len(stems) == 0 {
			continue
		}
		for _, stem := range stems {
			if _, ok := in[stem]; !ok && len(in) == maxStems {
				continue
			}
			if list := in[stem]; len(list) == 0 || list[len(list)-1] != n {
				in[stem] = append(list, n)
			}
		}
		text.WriteString(strconv.FormatInt(max(0, c.Start.Milliseconds()), 10) + "\t" + oneLine(c.Text) + "\n")
		n++
	}
	stems := make([]string, 0, len(in))
	for stem := range in {
		stems = append(stems, stem)
	}
	slices.Sort(stems)
	return Document{Positions: encode(stems, in), Cues: text.String()}
}

// oneLine is a text with single blanks instead of line ends, tabs and runs of blanks.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// stemsOf is Stems, with the stems of words that were seen before, in known.
func stemsOf(text string, known map[string]string) (stems []string) {
	runes := []rune(text)
	eachWord(runes, func(from, to int) {
		word := string(runes[from:to])
		stem, ok := known[word]
		if !ok {
			stem = stemOf(runes[from:to])
			known[word] = stem
		}
		if stem != "" {
			stems = append(stems, stem)
		}
	})
	return stems
}

// Positions are the cues in which each stem of a document is: for each stem, in order, its
// length, its bytes, the length of its list, and the list, whose numbers of cues are
// written as differences. All numbers are uvarints of encoding/binary.
type Positions []byte

func encode(stems []string, in map[string][]int) Positions {
	var p, list []byte
	for _, stem := range stems {
		list = list[:0]
		before := 0
		for _, cue := range in[stem] {
			list = binary.AppendUvarint(list, uint64(cue-before))
			before = cue
		}
		p = binary.AppendUvarint(p, uint64(len(stem)))
		p = append(p, stem...)
		p = binary.AppendUvarint(p, uint64(len(list)))
		p = append(p, list...)
	}
	return p
}

// each calls f with each stem and the list of its cues until f returns false. What is
// damaged ends the document.
func (p Positions) each(f func(stem, list []byte) bool) {
	for {
		stem, rest, ok := cutField(p)
		if !ok {
			return
		}
		list, rest, ok := cutField(rest)
		if !ok || !f(stem, list) {
			return
		}
		p = rest
	}
}

// lists returns the cues of each of stems; nil when one of them is in no cue.
func (p Positions) lists(stems []string) []cueList {
	out, missing := make([]cueList, len(stems)), len(stems)
	p.each(func(stem, list []byte) bool {
		for i, want := range stems {
			if string(stem) == want && out[i].part == nil {
				out[i].part = list
				missing--
			}
		}
		return missing > 0
	})
	if missing > 0 {
		return nil
	}
	return out
}

func cutField(p []byte) (field, rest []byte, ok bool) {
	length, n := binary.Uvarint(p)
	if n <= 0 || length > uint64(len(p)-n) {
		return nil, nil, false
	}
	return p[n : n+int(length)], p[n+int(length):], true
}

// Excerpt is the text of cues first to last of Document.Cues, and when the first begins.
// ok is false when there are no such cues.
func Excerpt(cues string, first, last int) (start time.Duration, text string, ok bool) {
	n := 0
	var parts []string
	for line := range strings.Lines(cues) {
		if n > last {
			break
		}
		if n >= first {
			ms, cue, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			if n == first {
				at, err := strconv.ParseInt(ms, 10, 64)
				if err != nil {
					return 0, "", false
				}
				start = time.Duration(at) * time.Millisecond
			}
			parts = append(parts, cue)
		}
		n++
	}
	return start, strings.Join(parts, " "), len(parts) == last-first+1 && first >= 0
}
