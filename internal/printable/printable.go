// Package printable makes text that people and other services wrote, the topic of a
// meeting above all, safe to show on a terminal and in a log: it can move no cursor, hide
// nothing and turn no line around.
package printable

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

// Escape is a text in one line, with every control character and every invisible one as
// \uXXXX: line breaks, escape sequences, and the marks that turn the direction of writing
// (U+202A to U+202E, U+2066 to U+2069 and others). The joiners U+200C and U+200D stay:
// without them Persian words and emoji are others. Bytes that are no UTF-8 become U+FFFD.
//
// The escapes are those of JSON (RFC 8259 section 7), so that JSON stays JSON.
func Escape(text string) string {
	if plain(text, "") == len(text) {
		return text
	}
	var b strings.Builder
	appendEscaped(&b, text, "")
	return b.String()
}

// lineBreaks are what a program's own output holds beside visible characters.
const lineBreaks = "\n\r\t"

// plain is the length of the beginning of a text that needs no escape.
func plain(text, allowed string) int {
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[i:])
		}
		if r == utf8.RuneError && size == 1 || hidden(r) && !strings.ContainsRune(allowed, r) {
			return i
		}
		i += size
	}
	return len(text)
}

// hidden reports whether a character is shown as nothing, or changes how others are shown.
func hidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7F && r <= 0x9F:
		return true
	case r < 0x80:
		return false
	case r == 0x200C, r == 0x200D:
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

func appendEscaped(b *strings.Builder, text, allowed string) {
	for text != "" {
		n := plain(text, allowed)
		b.WriteString(text[:n])
		if text = text[n:]; text == "" {
			return
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch high, low := utf16.EncodeRune(r); {
		case r == utf8.RuneError:
			b.WriteRune(utf8.RuneError)
		case high != utf8.RuneError:
			fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
	}
}

// Writer escapes what is written through it as Escape does, except line breaks and tabs,
// which structure a program's own output. A value that may hold some is escaped before it
// is formatted. A character whose bytes come in two writes is written with the second. It
// is safe for concurrent use.
type Writer struct {
	to io.Writer

	mu      sync.Mutex
	pending []byte // the first bytes of a character; guarded by mu
}

// NewWriter returns a Writer to a destination.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Write writes all of p or returns an error. The length is p's, whatever escapes add.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := string(p)
	if len(w.pending) > 0 {
		text = string(w.pending) + text
		w.pending = nil
	}
	if cut := incomplete(text); cut > 0 {
		w.pending = []byte(text[len(text)-cut:])
		text = text[:len(text)-cut]
	}
	out := text
	if plain(text, lineBreaks) < len(text) {
		var b strings.Builder
		appendEscaped(&b, text, lineBreaks)
		out = b.String()
	}
	if _, err := io.WriteString(w.to, out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// incomplete is how many bytes at the end of a text begin a character that is not whole.
func incomplete(text string) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if at := len(text) - n; utf8.RuneStart(text[at]) {
			if utf8.FullRuneInString(text[at:]) {
				return 0
			}
			return n
		}
	}
	return 0
}

// Unwrap is the destination of a Writer, and any other writer itself: for output that must
// not be changed, such as a document that another program reads.
func Unwrap(w io.Writer) io.Writer {
	if e, ok := w.(*Writer); ok {
		return e.to
	}
	return w
}

// Terminal is the terminal that a writer, or a Writer's destination, writes to; false when it is
// none.
func Terminal(w io.Writer) (*os.File, bool) {
	f, ok := Unwrap(w).(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}
