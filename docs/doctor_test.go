package docs

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/lectiospace/lectern/internal/doctor"
)

// TestDoctorChecks: doctor.md has a row for each check of doctor, in order, and no other.
func TestDoctorChecks(t *testing.T) {
	page, err := os.ReadFile("doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllSubmatch(page, -1) {
		rows = append(rows, string(m[1]))
	}
	if !slices.Equal(rows, doctor.Names()) {
		t.Errorf("doctor.md describes %q, the checks are %q", rows, doctor.Names())
	}
}
