package ingest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// TestJoinOrder: what is joined, in the time order of the parts, wherever the archived
// file is among them.
func TestJoinOrder(t *testing.T) {
	const view = "shared_screen_with_speaker_view "
	for _, c := range []struct {
		name     string
		parts    []string // in time order, as a plan has them
		archived string   // names of the archived parts
		want     string
	}{
		{"nothing is archived", []string{"a " + view + "0-20", "b " + view + "30-60"}, "", "u/a u/b"},
		{"what is archived is still at Zoom", []string{"a " + view + "0-20", "b " + view + "30-60"}, "u/a", "u/a u/b"},
		{"a late segment follows", []string{"a " + view + "0-20 archived", "b " + view + "30-60"}, "u/a", "archive u/b"},
		{"two late segments follow", []string{"a " + view + "0-20 archived", "b " + view + "30-40", "c " + view + "50-60"}, "u/a", "archive u/b u/c"},
		{"a late segment precedes", []string{"a " + view + "0-20", "b " + view + "30-60 archived"}, "u/b", "u/a archive"},
		{"two late segments precede", []string{"a " + view + "0-10", "b " + view + "15-25", "c " + view + "30-60 archived"}, "u/c", "u/a u/b archive"},
		{"three late segments precede", []string{"a " + view + "0-5", "b " + view + "6-10", "c " + view + "15-25", "d " + view + "30-60 archived"}, "u/d", "u/a u/b u/c archive"},
		{"one precedes and one follows", []string{"a " + view + "0-10", "b " + view + "15-25 archived", "c " + view + "30-60"}, "u/b", "u/a archive u/c"},
		{"one lies between two that are archived as one file", []string{"a " + view + "0-10 archived", "b " + view + "15-25", "c " + view + "30-60 archived"}, "u/a u/c", "archive u/b"},
		{"two are archived as one file", []string{"a " + view + "0-10", "b " + view + "15-25 archived", "c " + view + "30-60 archived"}, "u/b u/c", "u/a archive"},
		{"one of two archived is still at Zoom", []string{"a " + view + "0-10", "b " + view + "15-25 archived", "c " + view + "30-60"}, "u/b u/c", "u/a archive"},
	} {
		var parts []store.File
		for _, spec := range c.parts {
			parts = append(parts, file("u", spec))
		}
		var got []string
		for _, in := range joinOrder(parts, strings.Fields(c.archived), nil) {
			if in.archived {
				got = append(got, "archive")
			} else {
				got = append(got, in.part.Name())
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

// TestFingerprintOfAChangedPart: what was joined of an earlier version of a part is not
// used for another: neither one of another size, nor one of the same size and another time.
func TestFingerprintOfAChangedPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part.mp4")
	seen := map[string]bool{}
	for n, content := range []string{"one", "other", "third"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, ten.Add(time.Duration(n)*time.Second)); err != nil {
			t.Fatal(err)
		}
		got := fingerprintOf([]joinInput{{path: path}})
		if seen[got] || got != fingerprintOf([]joinInput{{path: path}}) {
			t.Errorf("%q: fingerprint %s", content, got)
		}
		seen[got] = true
	}
}

// TestJoinOrderWithPartsBeside: a part that is archived as a file of its own comes from
// the archive once Zoom has it no longer, at its place in time.
func TestJoinOrderWithPartsBeside(t *testing.T) {
	a, b, c := file("u", "a gallery_view 0-10 archived"), file("u", "b gallery_view 15-25 archived"), file("u", "c gallery_view 30-60")
	beside := []store.RecordingFile{{ID: 7, ZoomFile: "u/b", VerifiedAt: time.Now()}}
	got := joinOrder([]store.File{a, b, c}, []string{"u/a"}, beside)
	if len(got) != 3 || !got[0].archived || got[1].beside == nil || got[1].beside.ID != 7 || got[2].fromArchive() {
		t.Errorf("both left Zoom: %+v", got)
	}
	a.TrashedAt, b.TrashedAt = time.Time{}, time.Time{}
	if got := joinOrder([]store.File{a, b, c}, []string{"u/a"}, beside); got[0].fromArchive() || got[1].fromArchive() {
		t.Errorf("both at Zoom: %+v", got)
	}
}
