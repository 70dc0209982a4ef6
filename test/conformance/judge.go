package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
)

// judge compares what was answered with what a case wants.
func (t transcript) judge(c Case, s *Subject) (faults []string) {
	faults = faultsOf(t)
	var reasons []string
	for want := range strings.SplitSeq(c.Want, " | ") {
		missing := t.misses(want, s)
		if missing == "" {
			return faults
		}
		reasons = append(reasons, missing)
	}
	return append(faults, fmt.Sprintf("%s, want %s (%s)", t, c.Want, strings.Join(reasons, "; ")))
}

// String sums up a transcript.
func (t transcript) String() string {
	var words []string
	for _, a := range t.answers {
		words = append(words, strconv.Itoa(a.status))
	}
	if len(words) == 0 {
		words = append(words, "no answer")
	}
	if t.probed {
		return strings.Join(words, " ") + " keep"
	}
	return strings.Join(words, " ") + " close"
}

// misses is the first condition of an alternative that is not met, "" for none.
func (t transcript) misses(want string, s *Subject) string {
	number := 1
	for _, word := range strings.Fields(want) {
		if n, ok := strings.CutPrefix(word, "n="); ok {
			number, _ = strconv.Atoi(n)
		}
		if word == "silent" {
			number = 0
		}
	}
	if len(t.answers) != number {
		return fmt.Sprintf("%d answers", len(t.answers))
	}
	var last answer
	if number > 0 {
		last = t.answers[number-1]
	}
	for _, word := range strings.Fields(want) {
		if !t.meets(word, last, s) {
			return word
		}
	}
	return ""
}

// meets reports whether one condition is met.
func (t transcript) meets(word string, last answer, s *Subject) bool {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "n":
		return true // checked already
	case "keep":
		return t.probed
	case "close", "silent":
		return !t.probed || t.proxy && last.status >= 400
	case "interim":
		return t.interim > 0
	case "!interim":
		return t.interim == 0
	case "whole":
		return bytes.Equal(last.body, s.Content)
	case "none":
		return len(last.body) == 0
	case "bytes":
		return last.holds(value, last.fields.Get("Content-Range"), last.body, s)
	case "parts":
		return last.holdsParts(value, s)
	case "unsatisfied":
		return last.fields.Get("Content-Range") == "bytes */"+strconv.Itoa(len(s.Content))
	}
	if name, ok := strings.CutPrefix(word, "+"); ok {
		return len(last.fields.Values(name)) > 0
	}
	if name, ok := strings.CutPrefix(word, "!"); ok {
		return len(last.fields.Values(name)) == 0
	}
	if name, part, ok := strings.Cut(word, "~"); ok {
		return strings.Contains(strings.ToLower(strings.Join(last.fields.Values(name), ",")), strings.ToLower(part))
	}
	if t.proxy && refusals[word] && last.status >= 400 {
		return true
	}
	status := strconv.Itoa(last.status)
	return status == word || strings.HasSuffix(word, "xx") && status[:1] == word[:1]
}

// refusals are the statuses in place of which a proxy may choose another one.
var refusals = map[string]bool{"400": true, "413": true, "414": true, "501": true, "505": true, "4xx": true}

// holds reports whether contentRange and body are the bytes of a range "first-last".
func (a answer) holds(want, contentRange string, body []byte, s *Subject) bool {
	from, to, _ := strings.Cut(want, "-")
	first, errFirst := strconv.Atoi(from)
	last, errLast := strconv.Atoi(to)
	if errFirst != nil || errLast != nil || last >= len(s.Content) {
		panic("BUG: the range " + want)
	}
	return contentRange == fmt.Sprintf("bytes %s/%d", want, len(s.Content)) && bytes.Equal(body, s.Content[first:last+1])
}

// holdsParts reports whether the body has these ranges, in this order and no others.
func (a answer) holdsParts(want string, s *Subject) bool {
	kind, params, err := mime.ParseMediaType(a.fields.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" {
		return false
	}
	parts := multipart.NewReader(bytes.NewReader(a.body), params["boundary"])
	for one := range strings.SplitSeq(want, ",") {
		part, err := parts.NextPart()
		if err != nil {
			return false
		}
		body, err := io.ReadAll(part)
		if err != nil || !a.holds(one, part.Header.Get("Content-Range"), body, s) {
			return false
		}
	}
	_, err = parts.NextPart()
	return errors.Is(err, io.EOF)
}
