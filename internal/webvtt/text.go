package webvtt

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"time"
)

// escapeText makes valid cue text of what was said: tags, timestamps and character
// references of WebVTT stay as they are, every other "<", ">" and "&" is escaped, so
// that it is shown instead of being read as markup.
func escapeText(text string) string {
	var (
		b    strings.Builder
		open []string // names of the tags that are open
	)
	for text != "" {
		switch text[0] {
		case '<':
			if tag := readTag(text, &open); tag != "" {
				b.WriteString(tag)
				text = text[len(tag):]
				continue
			}
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			if ref := characterReference.FindString(text); ref != "" && html.UnescapeString(ref) != ref {
				b.WriteString(ref)
				text = text[len(ref):]
				continue
			}
			b.WriteString("&amp;")
		default:
			n := strings.IndexAny(text, "<>&")
			if n < 0 {
				n = len(text)
			}
			b.WriteString(text[:n])
			text = text[n:]
			continue
		}
		text = text[1:]
	}
	return b.String()
}

var (
	characterReference = regexp.MustCompile(`^&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{0,31});`)
	startTag           = regexp.MustCompile(`^<(v|lang|b|i|u|c|ruby|rt)((?:\.[^\s.<>&]+)*)([ \t][^<>]*)?>`)
	endTag             = regexp.MustCompile(`^</(v|lang|b|i|u|c|ruby|rt)>`)
)

// readTag returns the tag or timestamp at the beginning of text, or "". Only v and lang
// take an annotation (section 3.5), so "a <b and c>" is speech. An end tag counts only
// where it ends something.
func readTag(text string, open *[]string) string {
	if m := startTag.FindStringSubmatch(text); m != nil {
		annotated := m[1] == "v" || m[1] == "lang"
		if annotated == (strings.TrimSpace(m[3]) != "") && !strings.Contains(m[0], "-->") {
			*open = append(*open, m[1])
			return m[0]
		}
		return ""
	}
	if m := endTag.FindStringSubmatch(text); m != nil {
		for i, name := range slices.Backward(*open) {
			if name == m[1] {
				*open = (*open)[:i]
				return m[0]
			}
		}
		return ""
	}
	if _, rest, ok := readTime(text[1:]); ok && strings.HasPrefix(rest, ">") {
		return text[:len(text)-len(rest)+1]
	}
	return ""
}

var timestampTag = regexp.MustCompile(`<[0-9]+:[0-9:.]+>`)

// shiftTimestamps moves the timestamps inside a valid cue text by offset.
func shiftTimestamps(text string, offset time.Duration) string {
	return timestampTag.ReplaceAllStringFunc(text, func(tag string) string {
		t, _, ok := readTime(tag[1:])
		if !ok {
			return tag
		}
		return "<" + formatTime(t+offset) + ">"
	})
}
