package store

import (
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
)

// TestUnindexedCaptionsReadsNoCaptions: a syncer looks for captions without a transcript
// every round, and SQLite keeps a caption's time behind its text.
func TestUnindexedCaptionsReadsNoCaptions(t *testing.T) {
	db := catalogtest.Databases[0].Open(t)
	if db.Dialect() != catalog.SQLite {
		t.Fatal("the first database is not SQLite")
	}
	plan := db.Plan(t, selectUnindexed)
	if !slices.ContainsFunc(plan, func(line string) bool {
		return strings.Contains(line, "SCAN c USING COVERING INDEX lectern_captions_updated")
	}) {
		t.Errorf("the captions are read:\n%s", strings.Join(plan, "\n"))
	}
}
