package fulltext

import "slices"

const (
	// maxSnippet bounds what is shown of a place, in code points.
	maxSnippet = 300
	// leadIn is how much is shown in front of the first mark of what is cut.
	leadIn = 60
)

// Snippet is what is shown of a text that has some of the stems, and where in it their
// words are: [from, to) in code points. A long text is cut at words, with an ellipsis.
func Snippet(text string, stems []string) (snippet string, marks [][2]int) {
	runes, words := []rune(text), Words(text)
	from, to := 0, len(runes)
	if len(runes) > maxSnippet {
		from, to = window(words, stems, len(runes))
	}
	shift := -from
	if from > 0 {
		shift++
	}
	marks = [][2]int{}
	for _, w := range words {
		if w.From >= from && w.To <= to && slices.Contains(stems, w.Stem) {
			marks = append(marks, [2]int{w.From + shift, w.To + shift})
		}
	}
	snippet = string(runes[from:to])
	if from > 0 {
		snippet = "…" + snippet
	}
	if to < len(runes) {
		snippet += "…"
	}
	return snippet, marks
}

// window is what is shown of a text of length code points: from a word a little in front
// of the first that is marked, to the end of a word.
func window(words []Word, stems []string, length int) (from, to int) {
	first := slices.IndexFunc(words, func(w Word) bool { return slices.Contains(stems, w.Stem) })
	if first > 0 {
		for i := first; i >= 0 && words[first].From-words[i].From <= leadIn; i-- {
			from = words[i].From
			if i == 0 {
				from = 0
			}
		}
	}
	to = min(from+maxSnippet, length)
	if to < length {
		for _, w := range words {
			if w.From > from && w.From < to && w.To > to {
				to = w.From
				break
			}
		}
	}
	return from, to
}
