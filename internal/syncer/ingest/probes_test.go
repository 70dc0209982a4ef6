package ingest_test

import (
	"slices"
	"testing"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/ffmpeg/ffmpegtest"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// TestProbedOnce: a part is probed when it is downloaded, and what ffmpeg makes of the parts
// when it is made; neither is probed again on its way into the archive.
func TestProbedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meeting string
		probed  int
	}{
		"one part, archived as it is": {"listed-one-byte-too-long", 1},
		"one part, copied":            {"bytes-behind", 2},
		"two parts, joined":           {"one-second-of-overlap", 3},
	} {
		t.Run(name, func(t *testing.T) {
			program, calls := ffmpegtest.Recorded(t, "ffprobe")
			s := syncertest.New(t, func(s *syncertest.Server) { s.Deps.Parts = ffmpeg.Tool{FFprobe: program} }).Start()
			m := listedMeeting(t, c.meeting)
			s.Zoom.AddMeeting(m)
			s.Deliver(s.Zoom.Event("recording.completed", m.UUID))
			s.Archived(1)
			if got := slices.DeleteFunc(calls(), func(arg string) bool { return arg == "-version" }); len(got) != c.probed {
				t.Errorf("probed %d times, want %d: %q", len(got), c.probed, got)
			}
		})
	}
}
