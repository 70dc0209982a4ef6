package store_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/zoom"
)

// TestMadeIDs: files to which Zoom gives no id have ids of their own, which are the same in
// every list that has the same files, whatever its order and its addresses are.
func TestMadeIDs(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	file := func(kind, view string, minutes int, url string) zoom.File {
		return zoom.File{Type: kind, View: view, Extension: "vtt", Start: start, End: start.Add(time.Duration(minutes) * time.Minute), DownloadURL: url}
	}
	ids := func(files ...zoom.File) map[string]string { // by address
		out := map[string]string{}
		for _, f := range store.MeetingFromZoom(zoom.Meeting{UUID: "uuid==", Files: files}, 0, "").Files {
			if !f.HasMadeID() {
				t.Errorf("%s: the id %q looks like one of Zoom's", f.DownloadURL, f.ID)
			}
			out[f.DownloadURL] = f.ID
		}
		return out
	}
	one, other, short := file("CC", "closed_caption", 45, "one"), file("CC", "cc_transcript", 45, "other"), file("CC", "closed_caption", 40, "short")
	timeline := file("TIMELINE", "timeline", 45, "timeline")
	if got := ids(one, timeline); got["one"] != "CC@2026-03-02T09:00:00Z" || got["timeline"] != "TIMELINE@2026-03-02T09:00:00Z" {
		t.Errorf("ids of single files have changed: %q", got)
	}
	want := ids(one, other, short, timeline)
	if distinct := slices.Compact(slices.Sorted(maps.Values(want))); len(distinct) != 4 {
		t.Errorf("four files have the ids %q", distinct)
	}
	for _, list := range [][]zoom.File{{short, other, one, timeline}, {timeline, other, short, one}} {
		for address, id := range ids(list...) {
			if id != want[address] {
				t.Errorf("%s: %q in another order, %q before", address, id, want[address])
			}
		}
	}
	moved := other
	moved.DownloadURL = "elsewhere"
	if got := ids(one, moved, short); got["elsewhere"] != want["other"] || got["one"] != want["one"] {
		t.Errorf("at another address: %q, %q before", got, want)
	}
	twin := one
	twin.DownloadURL = "twin"
	if got := ids(one, twin); got["one"] != "CC@2026-03-02T09:00:00Z" || got["twin"] == got["one"] {
		t.Errorf("twins: %q", got)
	}
}
