package api

import (
	"regexp"
	"strings"
)

// languageTag is a tag of RFC 5646: a language, or a private use, and subtags.
var languageTag = regexp.MustCompile(`^(?:[a-zA-Z]{2,8}|[xX]-[a-zA-Z0-9]{1,8})(?:-[a-zA-Z0-9]{1,8})*$`)

// maxLanguageTag bounds a tag, in bytes (RFC 5646 section 4.4.1).
const maxLanguageTag = 35

// captionLang is the {lang} of …/captions/{lang}.vtt in the letter case of RFC 5646 section
// 2.1.1, since letter case does not tell tags apart; "" when it cannot be a language tag.
func captionLang(path string) string {
	tag, ok := strings.CutSuffix(path[strings.LastIndexByte(path, '/')+1:], ".vtt")
	if !ok || len(tag) > maxLanguageTag || !languageTag.MatchString(tag) {
		return ""
	}
	subtags := strings.Split(strings.ToLower(tag), "-")
	for i := 1; i < len(subtags); i++ {
		if len(subtags[i-1]) == 1 {
			break // behind a singleton all are lower
		}
		switch s := subtags[i]; len(s) {
		case 2:
			subtags[i] = strings.ToUpper(s) // a region
		case 4:
			subtags[i] = strings.ToUpper(s[:1]) + s[1:] // a script
		}
	}
	return strings.Join(subtags, "-")
}
