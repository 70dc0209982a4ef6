package subprocess

import (
	"errors"
	"strings"
)

// Split splits a command line into the program and its arguments. Blanks separate them. Single
// quotes keep everything between them as it is; within double quotes a backslash takes the
// special meaning from '"' and '\', and outside quotes from any character. Nothing else is
// special: there are no variables, patterns, pipes or redirections, since no shell runs it.
func Split(line string) ([]string, error) {
	s := splitter{rest: []rune(line)}
	for len(s.rest) > 0 {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	s.endWord()
	return s.words, nil
}

// splitter goes through a command line.
type splitter struct {
	rest   []rune
	words  []string
	word   strings.Builder
	inWord bool // '' is a word too
}

func (s *splitter) next() rune {
	c := s.rest[0]
	s.rest = s.rest[1:]
	return c
}

func (s *splitter) endWord() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
		s.word.Reset()
	}
	s.inWord = false
}

func (s *splitter) step() error {
	c := s.next()
	switch c {
	case ' ', '\t', '\n', '\r':
		s.endWord()
		return nil
	case '\'', '"':
		s.inWord = true
		return s.quoted(c)
	case '\\':
		if len(s.rest) == 0 {
			return errors.New("a backslash at the end stands for nothing")
		}
		c = s.next()
	}
	s.inWord = true
	s.word.WriteRune(c)
	return nil
}

// quoted reads to the end of a quotation.
func (s *splitter) quoted(quote rune) error {
	for len(s.rest) > 0 {
		c := s.next()
		switch {
		case c == quote:
			return nil
		case c == '\\' && quote == '"' && len(s.rest) > 0 && (s.rest[0] == '"' || s.rest[0] == '\\'):
			c = s.next()
		}
		s.word.WriteRune(c)
	}
	return errors.New("the quote " + string(quote) + " is not closed")
}
