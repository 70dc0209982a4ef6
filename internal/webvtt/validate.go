package webvtt

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// SyntaxError says where a file breaks WebVTT's syntax (section 4.1).
type SyntaxError struct {
	Line    int // from 1
	Problem string
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// Validate reads a file that a person made, and refuses what Parse would leave out or
// repair: its sender can mend it. The error is a *SyntaxError. Text is taken as it
// stands: players show a "<" or "&" that begins nothing.
func Validate(data []byte) (Track, error) {
	v := validator{}
	if err := v.file(data); err != nil {
		return Track{}, err
	}
	return Parse(data)
}

// validator goes through the lines of a file.
type validator struct {
	lines []string
	at    int           // of the line to come, from 0
	start time.Duration // of the latest cue
	cues  int
}

func (v *validator) fail(format string, args ...any) error {
	return &SyntaxError{v.at + 1, fmt.Sprintf(format, args...)}
}

func (v *validator) file(data []byte) error {
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	v.lines = strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data)), "\n")
	for i, line := range v.lines {
		v.at = i
		switch {
		case !utf8.ValidString(line):
			return v.fail("it is not UTF-8")
		case strings.ContainsRune(line, 0):
			return v.fail("it has a NUL character")
		}
	}
	v.at = 0
	if rest, ok := strings.CutPrefix(v.lines[0], "WEBVTT"); !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return v.fail(`a WebVTT file begins with "WEBVTT"`)
	}
	for v.at++; v.more() && v.lines[v.at] != ""; v.at++ {
		if strings.Contains(v.lines[v.at], "-->") {
			return v.fail("an empty line is missing in front of the cue")
		}
	}
	for {
		for v.more() && v.lines[v.at] == "" {
			v.at++
		}
		if !v.more() {
			return nil
		}
		if err := v.block(); err != nil {
			return err
		}
	}
}

func (v *validator) more() bool { return v.at < len(v.lines) }

var otherBlock = regexp.MustCompile(`^(?:NOTE(?:[ \t].*)?|(?:STYLE|REGION)[ \t]*)$`)

// block checks a note, a style, a region or a cue.
func (v *validator) block() error {
	line := v.lines[v.at]
	if otherBlock.MatchString(line) && !strings.Contains(line, "-->") {
		if v.cues > 0 && !strings.HasPrefix(line, "NOTE") {
			return v.fail("styles and regions stand in front of the first cue")
		}
		v.at++
		return v.text()
	}
	if !strings.Contains(line, "-->") { // an identifier
		v.at++
		if !v.more() || !strings.Contains(v.lines[v.at], "-->") {
			v.at--
			return v.fail("it is neither the times of a cue nor followed by them")
		}
	}
	if err := v.times(); err != nil {
		return err
	}
	v.at++
	return v.text()
}

// text checks the lines of a block to the next empty one.
func (v *validator) text() error {
	for ; v.more() && v.lines[v.at] != ""; v.at++ {
		if strings.Contains(v.lines[v.at], "-->") {
			return v.fail(`the text has "-->"; where a cue begins, an empty line is missing in front of it`)
		}
	}
	return nil
}

// times checks the line of a cue's times and settings.
func (v *validator) times() error {
	from, rest, _ := strings.Cut(v.lines[v.at], "-->")
	start, tail, ok := readTime(from)
	if !ok || strings.Trim(tail, " \t") != "" {
		return v.fail("the cue's first time is not written as 00:00:00.000")
	}
	end, settings, ok := readTime(strings.TrimLeft(rest, " \t"))
	if !ok {
		return v.fail("the cue's second time is not written as 00:00:00.000")
	}
	if settings != "" && settings[0] != ' ' && settings[0] != '\t' {
		return v.fail("something follows the cue's times without a blank")
	}
	switch {
	case !strings.HasSuffix(from, " ") && !strings.HasSuffix(from, "\t"), rest == "" || rest[0] != ' ' && rest[0] != '\t':
		return v.fail(`blanks are missing around "-->"`)
	case end <= start:
		return v.fail("the cue ends before it has begun")
	case start < v.start:
		return v.fail("the cue begins before the one in front of it")
	}
	for field := range strings.FieldsSeq(settings) {
		if !cueSetting.MatchString(field) {
			return v.fail("there is no cue setting %q", field)
		}
	}
	v.start = start
	v.cues++
	return nil
}

// cueSetting is one of a cue's settings (section 4.4).
var cueSetting = regexp.MustCompile(`^(?:vertical:(?:rl|lr)|line:(?:-?\d+|\d+(?:\.\d+)?%)(?:,(?:start|center|end))?|position:\d+(?:\.\d+)?%(?:,(?:line-left|center|line-right))?|size:\d+(?:\.\d+)?%|align:(?:start|center|end|left|right)|region:\S+)$`)
