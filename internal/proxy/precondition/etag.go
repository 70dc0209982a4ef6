package precondition

import "strings"

// optionalWhitespace is OWS of RFC 9110 section 5.6.3.
const optionalWhitespace = " \t"

// MatchesStrong reports whether an If-Match list contains the tag, by the strong
// comparison of section 8.8.3.2.
func MatchesStrong(list, etag string) bool { return matchesTag(list, etag, true) }

// MatchesWeak reports whether an If-None-Match list contains the tag, by the weak
// comparison of section 8.8.3.2.
func MatchesWeak(list, etag string) bool { return matchesTag(list, etag, false) }

// matchesTag looks for a tag in a list. The list is parsed up to its first malformed
// element, as net/http does.
func matchesTag(list, etag string, strong bool) bool {
	for {
		list = strings.Trim(list, optionalWhitespace)
		switch {
		case list == "":
			return false
		case list[0] == ',':
			list = list[1:]
			continue
		case list[0] == '*':
			return true
		}
		tag, rest := cutTag(list)
		if tag == "" {
			return false
		}
		if !strong {
			tag = strings.TrimPrefix(tag, "W/")
		}
		if tag == etag {
			return true
		}
		list = rest
	}
}

// cutTag cuts one entity-tag off the front of s (section 8.8.3); tag is ""
// when there is none. A comma may stand between the quotes.
func cutTag(s string) (tag, rest string) {
	open := 0
	if strings.HasPrefix(s, "W/") {
		open = 2
	}
	if len(s) < open+2 || s[open] != '"' {
		return "", ""
	}
	for i := open + 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:]
		case c < 0x21 || c == 0x7f:
			return "", ""
		}
	}
	return "", ""
}
