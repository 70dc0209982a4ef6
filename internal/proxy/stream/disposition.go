package stream

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/contenttype"
)

// maxNameRunes keeps a file name under the 255 bytes of common file systems
// even when every letter takes three bytes.
const maxNameRunes = 75

// disposition writes Content-Disposition (RFC 6266) for a recording. Names that
// are not plain ASCII come twice, the second time by RFC 8187.
func disposition(rec media.Recording, contentType string, download bool) string {
	kind := "inline"
	if download {
		kind = "attachment"
	}
	ext := contenttype.Extension(contentType)
	fallback := "recording-" + strconv.FormatInt(rec.ID, 10)
	name := fileName(rec.Title, ext)
	if name == "" {
		name = fallback
	}
	plain := asciiName(name)
	if plain == "" {
		plain = fallback
	}
	v := kind + `; filename="` + plain + ext + `"`
	if plain != name {
		v += "; filename*=UTF-8''" + encode8187(name+ext)
	}
	return v
}

// fileName makes a title fit to be a file's name: no separators, no control or
// formatting characters (a right-to-left override can dress up an extension),
// no leading dot, not too long, and without the extension it may already have.
func fileName(title, ext string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(title, "") {
		switch {
		case unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && !unicode.IsSpace(r):
			continue
		case unicode.IsSpace(r):
			r = ' '
		case strings.ContainsRune(`/\:*?"<>|`, r):
			r = '-'
		}
		if n++; n > maxNameRunes {
			break
		}
		b.WriteRune(r)
	}
	name := b.String()
	if len(name) >= len(ext) && strings.EqualFold(name[len(name)-len(ext):], ext) {
		name = name[:len(name)-len(ext)]
	}
	return strings.Trim(name, " .")
}

// asciiName is the name for those who know no RFC 8187: "_" for every letter
// outside ASCII, and "" when nothing readable would be left.
func asciiName(name string) string {
	readable := false
	ascii := strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf || r == '%' { // some browsers decode %xx here
			return '_'
		}
		readable = readable || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		return r
	}, name)
	if !readable {
		return ""
	}
	return ascii
}

// encode8187 percent-encodes all but attr-char (RFC 8187 section 3.2.1).
func encode8187(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
