package ingest

import (
	"slices"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/media"
)

// FuzzPrivacy: notes that name nobody in a line of their own show a recording to the lesson's
// group, and ids are those of rows.
func FuzzPrivacy(f *testing.F) {
	for _, seed := range []string{
		`Privacy: {"privacy_type": "groups", "allowed_groups": [1, "2", -3, 4.0, 1e2], "allowed_students": [" 5"]}`, "bring paper\r\n Privacy:{\"privacy_type\":\"all\"}\nthanks",
		`Privacy: {"privacy_type": 7}`, `Privacy: null`, `privacy: {"privacy_type": "students"}`, `Privacy: {"privacy_type": "students", "allowed_students": {"a": 1}}`,
		"Privacy: {\"privacy_type\": \"students\", \"allowed_students\": [9223372036854775808, \"\\u0031\"]}",
	} {
		f.Add(seed)
	}
	known := []media.Visibility{media.VisibleLessonGroup, media.VisibleAllGroups, media.VisibleCustomGroups, media.VisibleCustomStudents}
	f.Fuzz(func(t *testing.T, notes string) {
		got := parsePrivacy(notes)
		if !slices.Contains(known, got.visibility) {
			t.Fatalf("the visibility %q", got.visibility)
		}
		for _, id := range slices.Concat(got.groups, got.students) {
			if id <= 0 {
				t.Fatalf("the id %d", id)
			}
		}
		if !strings.Contains(notes, "Privacy:") && (got.visibility != media.VisibleLessonGroup || len(got.groups)+len(got.students) > 0) {
			t.Fatalf("%q: %+v", notes, got)
		}
		if again := parsePrivacy("a line\n" + notes); again.visibility != got.visibility || !slices.Equal(again.groups, got.groups) || !slices.Equal(again.students, got.students) {
			t.Fatalf("%q: %+v, behind a line %+v", notes, got, again)
		}
	})
}
