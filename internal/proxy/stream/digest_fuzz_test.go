package stream

import (
	"regexp"
	"strings"
	"testing"
)

var algorithm = regexp.MustCompile(`(?i)^[ \t]*sha-256[ \t]*(?:=[ ]*([^ ]*)[ ]*)?$`)

// FuzzPreference: of a plain list the last mention of an algorithm counts, and no mention of
// another one does.
func FuzzPreference(f *testing.F) {
	for _, seed := range []string{"sha-256=10, sha-512=3", "sha-256=0", "SHA-256=1,sha-256=0.0", "sha-512", "", "=,;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		got := preference(list, "=", "sha-256")
		if !strings.Contains(strings.ToLower(strings.ReplaceAll(list, " ", "")), "sha-256") && got != unmentioned {
			t.Fatalf("%q: %d", list, got)
		}
		members := strings.Split(list, ",")
		last := members[len(members)-1]
		if m := algorithm.FindStringSubmatch(last); m != nil {
			want := wanted
			if m[1] != "" && strings.Trim(m[1], "0.") == "" {
				want = unwanted
			}
			if got != want {
				t.Fatalf("%q: %d, want %d", list, got, want)
			}
		}
		if again := preference("x=1,"+list, "=", "sha-256"); again != got {
			t.Fatalf("%q behind another member: %d, not %d", list, again, got)
		}
	})
}
