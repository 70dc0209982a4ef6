package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/syncer/store"
)

// TestArchiveName: the name of an archived file shows the title as it is written, and nothing
// invisible.
func TestArchiveName(t *testing.T) {
	start := time.Date(2026, 11, 20, 10, 5, 0, 0, time.FixedZone("", 3*3600))
	for title, want := range map[string]string{
		"Урок 1":                  "2026-11-20 0705 Урок 1.mp4",
		"":                        "2026-11-20 0705.mp4",
		"a/b:c":                   "2026-11-20 0705 a-b-c.mp4",
		"نیم\u200cفاصله":          "2026-11-20 0705 نیم\u200cفاصله.mp4",
		"x\u202egpj\u2066\x1b[2J": "2026-11-20 0705 xgpj[2J.mp4",
		strings.Repeat("😀", 80):   "2026-11-20 0705 " + strings.Repeat("😀", 58) + ".mp4",
	} {
		if got := store.ArchiveName(start, title, ".mp4"); got != want || len(got) > 255 {
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
	if got := store.ArchiveName(time.Time{}, "Algebra", ".mp4"); got != "Algebra.mp4" {
		t.Errorf("without a beginning: %q", got)
	}
}

// TestNameSuffix: what people see of a file is the same whichever part of the syncer stores it.
func TestNameSuffix(t *testing.T) {
	for want, f := range map[string]store.RecordingFile{
		" Poster.jpg":     {Kind: "poster", Label: "Poster", ContentType: "image/jpeg", ArchiveKey: "drive-id"},
		" a-b.txt":        {Kind: "chat", Label: "a/b", ContentType: "text/plain; charset=utf-8"},
		" part 2.mp4":     {Kind: store.KindPart, Position: 1, ArchiveKey: "drive-id"},
		" Chapters.bin":   {Kind: string(media.CompanionChapters), Label: "Chapters", ContentType: "application/x-unknown"},
		" Transcript.vtt": {Kind: "transcript", Label: "Transcript", ContentType: "text/vtt; charset=utf-8", ArchiveKey: "lessons/2026/7-x.vtt"},
	} {
		if got := f.NameSuffix(); got != want {
			t.Errorf("%+v: %q, want %q", f, got, want)
		}
	}
	for want, ids := range map[string][2]int64{"7": {7, 3}, "teacher-3": {0, 3}} {
		if got := store.KeyHint(ids[0], ids[1]); got != want {
			t.Errorf("%d: %q, want %q", ids, got, want)
		}
	}
}
