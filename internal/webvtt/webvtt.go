// Package webvtt reads, joins and writes captions in WebVTT
// (https://www.w3.org/TR/webvtt1/).
//
// Parse follows the parsing algorithm of section 6.1 with three deliberate differences,
// because what it reads was spoken and must stay readable:
//
//   - a line of text that holds "-->" without times in front of it stays text, where a
//     browser ends the cue;
//   - markup that is no tag of WebVTT is escaped, where a browser swallows it;
//   - UTF-16 with a byte order mark and repeated byte order marks are read.
package webvtt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cue is one caption: a text and the time during which it is shown.
type Cue struct {
	Start, End time.Duration // from the beginning of the video
	// Settings are the cue's settings as they follow its times, known ones only,
	// separated by one space.
	Settings string
	// Text is one or more lines of valid cue text: everything that is no tag, no
	// timestamp and no character reference of WebVTT is escaped.
	Text string
}

// Track is a list of cues in the order in which they begin, as a file must have them.
type Track struct {
	Cues []Cue
	// Skipped counts the blocks that look like cues and have no valid times.
	Skipped int
}

// Append adds another track's cues, shifted by offset together with the timestamps
// inside their texts. The cues of a part may last beyond its end, into the next part's.
func (t *Track) Append(other Track, offset time.Duration) {
	for _, c := range other.Cues {
		c.Start, c.End = c.Start+offset, c.End+offset
		c.Text = shiftTimestamps(c.Text, offset)
		t.Cues = append(t.Cues, c)
	}
	t.Skipped += other.Skipped
	t.sort()
}

func (t *Track) sort() {
	slices.SortStableFunc(t.Cues, func(a, b Cue) int { return cmp.Compare(a.Start, b.Start) })
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
		b.WriteByte('\n')
		if c.Text != "" {
			b.WriteString(c.Text + "\n")
		}
	}
	return b.String()
}

// formatTime writes hours with at least two digits, which every reader understands.
func formatTime(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
