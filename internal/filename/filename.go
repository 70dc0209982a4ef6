// Package filename makes text that people wrote, the title of a lesson above all, fit to
// be a file's name on the disks that are in use.
package filename

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxBytes is how long a name may be, its extension included: the limit of ext4, XFS,
// Btrfs and APFS, in bytes of UTF-8. NTFS allows as many UTF-16 units, which are fewer.
const MaxBytes = 255

// Of is the name for a title, without the extension, which follows it and counts. The
// name has no separators, no characters that Windows refuses, no invisible ones (see
// Visible), no leading dot, and not the extension that the title may already have. It is
// "" when nothing is left.
func Of(title, ext string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, Visible(title))
	if len(name) >= len(ext) && strings.EqualFold(name[len(name)-len(ext):], ext) {
		name = name[:len(name)-len(ext)]
	}
	name = trim(Truncate(trim(name), MaxBytes-len(ext)))
	if strings.Trim(name, string([]rune{zwnj, zwj})) == "" {
		return ""
	}
	return name
}

// trim removes what file managers of Windows remove or hide at the ends of a name.
func trim(name string) string { return strings.Trim(name, " .") }

// The joiners, and the bounds of what belongs to a flag such as Scotland's: a black flag,
// letters in tag characters, the cancel tag (UTS #51 section 1.4.9).
const (
	zwnj      = '\u200c'
	zwj       = '\u200d'
	blackFlag = '\U0001F3F4'
	tagFirst  = '\U000E0020'
	tagLast   = '\U000E007E'
	cancelTag = '\U000E007F'
)

// Visible is a text without what cannot be seen and may deceive: control characters,
// byte-order marks, and the marks that turn the direction of writing (U+202A to U+202E,
// U+2066 to U+2069 and others), by which an extension can be dressed up. White space of
// all kinds becomes a space.
//
// Invisible characters that are part of how a text is written stay: the joiners U+200C and
// U+200D, without which Persian words and emoji are others; the tags of a flag; the Arabic
// signs that enclose digits. Bytes that are no UTF-8 are removed.
func Visible(text string) string {
	text = strings.ToValidUTF8(text, "")
	var b strings.Builder
	for i, r := range text {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.IsControl(r):
		case unicode.Is(unicode.Cf, r) && !isWritten(text, i, r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isWritten reports whether the format character r, at i, is part of the writing.
func isWritten(text string, i int, r rune) bool {
	switch {
	case r == zwnj, r == zwj, unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return true
	case r >= tagFirst && r <= cancelTag:
		before := strings.TrimRightFunc(text[:i], isTag)
		after := strings.TrimLeftFunc(text[i:], isTag)
		return strings.HasSuffix(before, string(blackFlag)) &&
			(r == cancelTag && len(before) < i || r != cancelTag && strings.HasPrefix(after, string(cancelTag)))
	}
	return false
}

func isTag(r rune) bool { return r >= tagFirst && r <= tagLast }

// maxCluster is the longest run of joined characters, in bytes, that Truncate leaves out
// whole. Longer ones, which are no writing, are cut.
const maxCluster = 64

// Truncate is the longest start of a text that has at most limit bytes and ends between
// two characters as people see them: not within a code point, before a mark or a variation
// that belongs to the letter before it, within a joined emoji, or within a flag.
func Truncate(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := max(limit, 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	for at := end; at > end-maxCluster; {
		if at == 0 || isBoundary(text, at) {
			return text[:at]
		}
		_, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
	}
	return text[:end]
}

// isBoundary reports whether a visible character ends before at, which is where a code
// point begins. It knows the rules of UAX #29 section 3.1.1 for marks, joiners, emoji and
// flags, which are those that titles have; Hangul and Indic syllables may be parted.
func isBoundary(text string, at int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	after, _ := utf8.DecodeRuneInString(text[at:])
	switch {
	case unicode.Is(unicode.M, after), after == zwj, after == zwnj, isSkinTone(after), after >= tagFirst && after <= cancelTag:
		return false
	case before == zwj, unicode.Is(unicode.Prepended_Concatenation_Mark, before):
		return false
	case isRegional(before) && isRegional(after):
		run := text[:at]
		n := (len(run) - len(strings.TrimRightFunc(run, isRegional))) / utf8.RuneLen(before)
		return n%2 == 0
	}
	return true
}

// isSkinTone reports whether r changes the skin of the emoji before it.
func isSkinTone(r rune) bool { return r >= '\U0001F3FB' && r <= '\U0001F3FF' }

// isRegional reports whether r is one of the two letters of a flag.
func isRegional(r rune) bool { return r >= '\U0001F1E6' && r <= '\U0001F1FF' }
