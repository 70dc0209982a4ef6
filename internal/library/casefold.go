package library

import (
	"strings"
	"unicode"

	"github.com/lectiospace/lectern/internal/catalog"
)

// containing is the operator and the argument of a condition that a column contains a
// text, in any case.
//
// Neither database has that built in: SQLite's LIKE and lower() know ASCII only, and
// PostgreSQL's use the database's locale, which may be C. Both have patterns with sets of
// letters, compared by code point: so each letter becomes the set of its forms.
func containing(d catalog.Dialect, text string) (operator, argument string) {
	if d == catalog.Postgres {
		return "~", foldedPattern(text, "[]\\^$.*+?(){}|-", func(r rune) string { return `\` + string(r) })
	}
	return "GLOB", "*" + foldedPattern(text, "*?[", func(r rune) string { return "[" + string(r) + "]" }) + "*"
}

// foldedPattern writes each letter as the set of its forms and each special
// character by quote.
func foldedPattern(text, special string, quote func(rune) string) string {
	var b strings.Builder
	for _, r := range text {
		switch all := foldedForms(r); {
		case len(all) > 1:
			b.WriteString("[" + string(all) + "]")
		case strings.ContainsRune(special, r):
			b.WriteString(quote(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// foldedForms are all forms of a letter, as Unicode's simple folding has them.
func foldedForms(r rune) []rune {
	all := []rune{r}
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		all = append(all, other)
	}
	return all
}
