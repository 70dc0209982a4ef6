package webvtt

import (
	"html"
	"regexp"
	"strings"
)

var (
	voiceTag = regexp.MustCompile(`<v(?:\.[^\s.<>&]+)*[ \t]+([^<>]*)>`)
	anyTag   = regexp.MustCompile(`<[^>]*>`)
)

// Plain is what a cue says, in one line without markup. A speaker in a tag, "<v Anna>",
// stands in front of the speech, as Zoom writes it: "Anna: ".
func (c Cue) Plain() string {
	text := voiceTag.ReplaceAllString(c.Text, " $1: ")
	text = html.UnescapeString(anyTag.ReplaceAllString(text, ""))
	return strings.Join(strings.Fields(text), " ")
}
