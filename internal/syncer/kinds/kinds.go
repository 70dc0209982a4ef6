// Package kinds reads the settings that list kinds of files.
package kinds

import (
	"fmt"
	"slices"
	"strings"
)

// Filter says which kinds of files are wanted. The zero value wants none.
type Filter[K ~string] struct {
	all   bool
	kinds []K
}

// ParseFilter reads a list of known kinds, or the single words "all" and "none".
func ParseFilter[K ~string](words []string, known []K) (Filter[K], error) {
	var f Filter[K]
	for _, word := range words {
		word = strings.ToLower(strings.TrimSpace(word))
		switch {
		case (word == "all" || word == "none") && len(words) == 1:
			f.all = word == "all"
		case word == "all", word == "none":
			return f, fmt.Errorf("%q stands alone: give it without other kinds", word)
		case slices.Contains(known, K(word)):
			f.kinds = append(f.kinds, K(word))
		default:
			return f, fmt.Errorf("%q is not one of all, none%s", word, list(known))
		}
	}
	return f, nil
}

// list writes kinds behind others.
func list[K ~string](kinds []K) string {
	var b strings.Builder
	for _, k := range kinds {
		b.WriteString(", " + string(k))
	}
	return b.String()
}

// Wants reports whether files of a kind are wanted.
func (f Filter[K]) Wants(kind K) bool { return f.all || slices.Contains(f.kinds, kind) }

// IsNone reports whether no file is wanted.
func (f Filter[K]) IsNone() bool { return !f.all && len(f.kinds) == 0 }
