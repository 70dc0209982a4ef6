// Package webvtt reads, joins and writes captions in WebVTT
// (https://www.w3.org/TR/webvtt1/), as far as Zoom's transcripts need.
package webvtt

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Cue is a text with its time.
type Cue struct {
	Start, End time.Duration
	Settings   string // as written behind the times
	Text       string // one or more lines
}

// Track is a list of cues in time order.
type Track struct{ Cues []Cue }

// ErrNotVTT says that a file is something else.
var ErrNotVTT = errors.New("the file is not WebVTT")

// Parse reads a file. Blocks that are no cues (notes, styles) are left out.
func Parse(data []byte) (Track, error) {
	text := strings.ToValidUTF8(string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))), "\uFFFD")
	text = strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\x00", "")
	if text != "WEBVTT" && !strings.HasPrefix(text, "WEBVTT\n") && !strings.HasPrefix(text, "WEBVTT ") && !strings.HasPrefix(text, "WEBVTT\t") {
		return Track{}, ErrNotVTT
	}
	var out Track
	for block := range strings.SplitSeq(text, "\n\n") {
		if cue, ok := parseCue(strings.Trim(block, "\n")); ok {
			out.Cues = append(out.Cues, cue)
		}
	}
	return out, nil
}

func parseCue(block string) (Cue, bool) {
	lines := strings.Split(block, "\n")
	for i, line := range lines[:min(2, len(lines))] { // an identifier may stand before the times
		from, rest, ok := strings.Cut(line, "-->")
		if !ok {
			continue
		}
		to, settings, _ := strings.Cut(strings.TrimSpace(rest), " ")
		start, err1 := parseTime(strings.TrimSpace(from))
		end, err2 := parseTime(to)
		if err1 != nil || err2 != nil || end < start {
			return Cue{}, false
		}
		return Cue{start, end, strings.TrimSpace(settings), strings.Join(lines[i+1:], "\n")}, true
	}
	return Cue{}, false
}

// parseTime reads [HH:]MM:SS.mmm.
func parseTime(s string) (time.Duration, error) {
	clock, fraction, ok := strings.Cut(s, ".")
	parts := strings.Split(clock, ":")
	if !ok || len(fraction) != 3 || len(parts) < 2 || len(parts) > 3 {
		return 0, ErrNotVTT
	}
	total := 0
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 9999 || i > 0 && n > 59 {
			return 0, ErrNotVTT
		}
		total = total*60 + n
	}
	ms, err := strconv.Atoi(fraction)
	if err != nil || ms < 0 {
		return 0, ErrNotVTT
	}
	return time.Duration(total)*time.Second + time.Duration(ms)*time.Millisecond, nil
}

// Append adds another track's cues, later by offset.
func (t *Track) Append(other Track, offset time.Duration) {
	for _, c := range other.Cues {
		c.Start, c.End = c.Start+offset, c.End+offset
		t.Cues = append(t.Cues, c)
	}
}

// String writes the track as a file.
func (t Track) String() string {
	var b strings.Builder
	b.WriteString("WEBVTT\n")
	for _, c := range t.Cues {
		b.WriteString("\n" + formatTime(c.Start) + " --> " + formatTime(c.End))
		if c.Settings != "" {
			b.WriteString(" " + c.Settings)
		}
		b.WriteString("\n" + c.Text + "\n")
	}
	return b.String()
}

func formatTime(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
