package fulltext

import (
	"slices"
	"strings"
	"unicode"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/russian"
	"golang.org/x/text/unicode/norm"
)

// maxWord bounds a word, in code points: longer ones are no words of a language.
const maxWord = 64

// Word is a word of a text.
type Word struct {
	Stem     string
	From, To int // in code points of the text, To exclusive
}

// Words returns the words of a text in their order.
func Words(text string) []Word {
	var words []Word
	runes := []rune(text)
	eachWord(runes, func(from, to int) {
		if stem := stemOf(runes[from:to]); stem != "" {
			words = append(words, Word{stem, from, to})
		}
	})
	return words
}

// eachWord calls f with the bounds of each word of a text.
func eachWord(runes []rune, f func(from, to int)) {
	for at := 0; at < len(runes); at++ {
		if !inWord(runes[at]) {
			continue
		}
		from := at
		for at < len(runes) && (inWord(runes[at]) || joinsLetters(runes, at)) {
			at++
		}
		f(from, at)
	}
}

// Stems returns the distinct stems of a text in the order of their first words.
func Stems(text string) []string {
	var stems []string
	for _, w := range Words(text) {
		if !slices.Contains(stems, w.Stem) {
			stems = append(stems, w.Stem)
		}
	}
	return stems
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Mn, r)
}

// joinsLetters reports whether an apostrophe stands within a word, as in "don't".
func joinsLetters(runes []rune, at int) bool {
	return (runes[at] == '\'' || runes[at] == '’') && at > 0 && unicode.IsLetter(runes[at-1]) && at+1 < len(runes) && unicode.IsLetter(runes[at+1])
}

var plainLetters = strings.NewReplacer("’", "'", "ё", "е")

// stemOf is a word's stem: letters and digits in lower case without ё and apostrophes. It is
// "" where nothing is left.
func stemOf(word []rune) string {
	if len(word) > maxWord {
		word = word[:maxWord]
	}
	text := plainLetters.Replace(strings.ToLower(norm.NFC.String(string(word))))
	switch script(text) {
	case latin:
		env := snowballstem.NewEnv(text)
		english.Stem(env)
		text = env.Current()
	case cyrillic:
		text = russianStem(text)
	}
	return strings.Map(func(r rune) rune {
		if r == '\'' || unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, text)
}

// russianStem stems a word until nothing more comes off. Once would take the "л" of
// "интеграл", which looks like a verb in the past, and leave it in "интегралы".
func russianStem(word string) string {
	for {
		env := snowballstem.NewEnv(word)
		russian.Stem(env)
		stem := env.Current()
		if stem == word || stem == "" {
			return word
		}
		word = stem
	}
}

type scriptOf int

const (
	other scriptOf = iota
	latin
	cyrillic
)

// script is latin for words of a to z, cyrillic for words of а to я, and other for
// everything else, which has no stemmer.
func script(word string) scriptOf {
	found := other
	for _, r := range word {
		s := other
		switch {
		case r >= 'a' && r <= 'z':
			s = latin
		case r >= 'а' && r <= 'я':
			s = cyrillic
		case r == '\'':
			continue
		}
		if s == other || found != other && found != s {
			return other
		}
		found = s
	}
	return found
}
