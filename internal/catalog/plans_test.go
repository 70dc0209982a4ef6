package catalog_test

import (
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/catalogtest"
)

// TestRecordingIsReadByItsIndex: with 100,000 recordings the query of every stream
// does not read all of them.
func TestRecordingIsReadByItsIndex(t *testing.T) {
	db := catalogtest.Large[1].Open(t) // PostgreSQL, whose planner chooses by the tables' size
	plan := db.Plan(t, catalog.SelectRecording, int64(catalogtest.Offset+77))
	if line := db.ReadsAllRecordings(plan); line != "" {
		t.Errorf("%s in\n%s", line, strings.Join(plan, "\n"))
	}
}
