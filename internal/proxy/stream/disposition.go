package stream

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/filename"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/contenttype"
)

// disposition writes Content-Disposition (RFC 6266) for a recording. Names that
// are not plain ASCII come twice, the second time by RFC 8187. Both are at most
// filename.MaxBytes long when they are decoded.
func disposition(rec media.Recording, contentType string, download bool) string {
	kind := "inline"
	if download {
		kind = "attachment"
	}
	ext := contenttype.Extension(contentType)
	fallback := "recording-" + strconv.FormatInt(rec.ID, 10)
	name := filename.Of(rec.Title, ext)
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

// asciiName is the name for those who know no RFC 8187: "_" for every letter
// outside ASCII, and "" when nothing readable would be left.
func asciiName(name string) string {
	readable := false
	ascii := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // a joiner is no letter
			return -1
		}
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
