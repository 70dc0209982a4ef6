package webvtt

import (
	"strings"
	"time"
)

// Parse reads a file. Blocks that are no cues (notes, styles, regions) are left out, and cues
// are put in order. The error is ErrNotWebVTT; everything else that is wrong costs the one
// block.
func Parse(data []byte) (Track, error) {
	lines := strings.Split(decode(data), "\n")
	rest, ok := strings.CutPrefix(lines[0], "WEBVTT")
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return Track{}, ErrNotWebVTT
	}
	p := parser{lines: lines[1:]}
	p.skipHeader()
	for p.skipBlank(); len(p.lines) > 0; p.skipBlank() {
		p.block()
	}
	p.track.sort()
	return p.track, nil
}

// parser reads blocks from the lines that are left.
type parser struct {
	lines []string
	track Track
}

func (p *parser) next() string {
	line := p.lines[0]
	p.lines = p.lines[1:]
	return line
}

func (p *parser) skipBlank() {
	for len(p.lines) > 0 && p.lines[0] == "" {
		p.lines = p.lines[1:]
	}
}

// skipHeader skips metadata below the first line. Times end it even without a blank line.
func (p *parser) skipHeader() {
	for len(p.lines) > 0 && p.lines[0] != "" && !isTimingLine(p.lines[0]) {
		p.lines = p.lines[1:]
	}
}

// block reads one block: an optional identifier, times, text until a blank line or
// until the times of the next cue.
func (p *parser) block() {
	line := p.next()
	if !isTimingLine(line) {
		if len(p.lines) == 0 || !isTimingLine(p.lines[0]) {
			p.skipBlock(line)
			return
		}
		line = p.next()
	}
	cue, ok := parseTimingLine(line)
	var text []string
	for len(p.lines) > 0 && p.lines[0] != "" && !isTimingLine(p.lines[0]) {
		text = append(text, p.next())
	}
	if !ok {
		p.track.Skipped++
		return
	}
	cue.Text = escapeText(strings.Join(text, "\n"))
	p.track.Cues = append(p.track.Cues, cue)
}

// skipBlock skips a block that begins with a line and is no cue, to the next blank line or to
// times, which begin a cue of their own. An arrow in what is no note, style or region was
// meant to be a cue's.
func (p *parser) skipBlock(line string) {
	arrow := strings.Contains(line, "-->")
	for len(p.lines) > 0 && p.lines[0] != "" && !isTimingLine(p.lines[0]) {
		arrow = strings.Contains(p.next(), "-->") || arrow
	}
	if arrow && !otherBlock.MatchString(line) {
		p.track.Skipped++
	}
}

// isTimingLine reports whether a line is meant to hold a cue's times, valid or not:
// nothing but digits and their separators stand in front of the arrow.
func isTimingLine(line string) bool {
	before, _, ok := strings.Cut(line, "-->")
	before = strings.TrimSpace(before)
	return ok && before != "" && strings.Trim(before, "0123456789:.,") == ""
}

// parseTimingLine reads "start --> end settings". A cue that would end before it begins
// is never shown by a player and counts as invalid. One that would end when it begins is
// not shown either, but says something: it lasts for a moment.
func parseTimingLine(line string) (Cue, bool) {
	from, rest, _ := strings.Cut(line, "-->")
	start, tail, ok1 := readTime(strings.TrimLeft(from, " \t\f"))
	end, settings, ok2 := readTime(strings.TrimLeft(rest, " \t\f"))
	if !ok1 || !ok2 || strings.Trim(tail, " \t\f") != "" || end < start {
		return Cue{}, false
	}
	if end == start {
		end += time.Millisecond
	}
	return Cue{Start: start, End: end, Settings: knownSettings(settings)}, true
}

// knownSettings keeps the valid settings that a joined file can still mean: a region is
// defined in a block that is left out, so it is no longer one of them.
func knownSettings(s string) string {
	var kept []string
	for field := range strings.FieldsSeq(s) {
		if cueSetting.MatchString(field) && !strings.HasPrefix(field, "region:") {
			kept = append(kept, field)
		}
	}
	return strings.Join(kept, " ")
}

// readTime reads [hours:]minutes:seconds.milliseconds at the beginning of s (section 6.3,
// "collect a WebVTT timestamp") and returns what follows it.
func readTime(s string) (t time.Duration, rest string, ok bool) {
	first, digits, s := readDigits(s)
	if digits == 0 || digits > 9 || !strings.HasPrefix(s, ":") {
		return 0, s, false
	}
	second, n, s := readDigits(s[1:])
	if n != 2 {
		return 0, s, false
	}
	hours, minutes, seconds := 0, first, second
	if digits != 2 || first > 59 || strings.HasPrefix(s, ":") {
		if !strings.HasPrefix(s, ":") {
			return 0, s, false
		}
		hours, minutes = first, second
		if seconds, n, s = readDigits(s[1:]); n != 2 {
			return 0, s, false
		}
	}
	if !strings.HasPrefix(s, ".") {
		return 0, s, false
	}
	ms, n, s := readDigits(s[1:])
	if n != 3 || minutes > 59 || seconds > 59 || hours > maxHours {
		return 0, s, false
	}
	total := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second
	return total + time.Duration(ms)*time.Millisecond, s, true
}

// maxHours bounds a timestamp well below the largest time.Duration.
const maxHours = 99_999

// readDigits reads the decimal digits at the beginning of s. The value is exact for up
// to nine of them.
func readDigits(s string) (value, n int, rest string) {
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		if n < 9 {
			value = value*10 + int(s[n]-'0')
		}
		n++
	}
	return value, n, s[n:]
}
