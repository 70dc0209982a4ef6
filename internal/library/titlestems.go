package library

import (
	"slices"
	"strings"
	"sync"

	"github.com/lectiospace/lectern/internal/fulltext"
)

// maxTitles bounds the titles whose stems are kept. Each takes some 300 bytes.
const maxTitles = 50_000

// titleStems are the stems of titles. Titles are read anew by each search, since others
// change them; making their stems is most of a search's work. Safe for concurrent use.
type titleStems struct {
	mu    sync.Mutex
	stems map[string][]string // by title; guarded by mu
}

func newTitleStems() *titleStems { return &titleStems{stems: map[string][]string{}} }

// haveAll reports whether a title has all stems.
func (t *titleStems) haveAll(title string, stems []string) bool {
	t.mu.Lock()
	have, ok := t.stems[title]
	t.mu.Unlock()
	if !ok {
		have = fulltext.Stems(title)
		t.mu.Lock()
		if len(t.stems) == maxTitles {
			clear(t.stems)
		}
		t.stems[strings.Clone(title)] = have // a piece of a text with all titles
		t.mu.Unlock()
	}
	for _, stem := range stems {
		if !slices.Contains(have, stem) {
			return false
		}
	}
	return true
}
