package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/store"
)

// TestFileName: the name of an archived file shows the lesson's title as it is written,
// and nothing invisible.
func TestFileName(t *testing.T) {
	start := time.Date(2026, 11, 20, 10, 5, 0, 0, time.FixedZone("", 3*3600))
	for title, want := range map[string]string{
		"Урок 1":                  "2026-11-20 0705 Урок 1.mp4",
		"":                        "2026-11-20 0705.mp4",
		"a/b:c":                   "2026-11-20 0705 a-b-c.mp4",
		"نیم\u200cفاصله":          "2026-11-20 0705 نیم\u200cفاصله.mp4",
		"x\u202egpj\u2066\x1b[2J": "2026-11-20 0705 xgpj[2J.mp4",
		strings.Repeat("😀", 80):   "2026-11-20 0705 " + strings.Repeat("😀", 58) + ".mp4",
	} {
		r := &run{lesson: store.Lesson{Title: title, Start: start}}
		if got := r.fileName(); got != want || len(got) > 255 {
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
}
