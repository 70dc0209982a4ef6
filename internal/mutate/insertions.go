package main

import (
	"bytes"
	"slices"
)

// insertions are texts to put into a file. They nest as the nodes of its syntax tree do:
// nodes are added from the outside in.
type insertions struct {
	before  map[int][]string // what precedes the text at an offset, outer first
	after   map[int][]string // what follows the text that ends at an offset, outer first
	replace map[int]replacement
}

type replacement struct {
	length int
	text   string
}

func newInsertions() insertions {
	return insertions{map[int][]string{}, map[int][]string{}, map[int]replacement{}}
}

// wrap puts text around what is between two offsets.
func (in insertions) wrap(begin, end int, before, after string) {
	in.before[begin] = append(in.before[begin], before)
	in.after[end] = append(in.after[end], after)
}

// apply returns the text with all that is to be inserted. No line is added, so that a
// compiler's message names a line of the original.
func (in insertions) apply(text []byte) []byte {
	var out bytes.Buffer
	for i := 0; i <= len(text); {
		for _, s := range slices.Backward(in.after[i]) {
			out.WriteString(s)
		}
		if r, ok := in.replace[i]; ok {
			out.WriteString(r.text)
			i += r.length
			continue
		}
		for _, s := range in.before[i] {
			out.WriteString(s)
		}
		if i < len(text) {
			out.WriteByte(text[i])
		}
		i++
	}
	return out.Bytes()
}
