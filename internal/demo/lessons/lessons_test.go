package lessons

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/webvtt"
)

// boxes lists an MP4's top-level boxes in their order (ISO/IEC 14496-12, 4.2).
func boxes(t *testing.T, data []byte) (order string) {
	t.Helper()
	for len(data) > 0 {
		if len(data) < 8 {
			t.Fatalf("%d bytes are left over", len(data))
		}
		size := int(binary.BigEndian.Uint32(data))
		if size < 8 || size > len(data) {
			t.Fatalf("box %q has %d bytes of %d", data[4:8], size, len(data))
		}
		order += string(data[4:8]) + " "
		data = data[size:]
	}
	return order
}

func TestLessonsAreWhatTheySay(t *testing.T) {
	indexAtEnd := 0
	for i, lesson := range All() {
		data, err := fs.ReadFile(media, "media/"+lesson.File)
		if err != nil {
			t.Fatal(err)
		}
		order := boxes(t, data)
		if strings.Index(order, "moov") > strings.Index(order, "mdat") {
			indexAtEnd++
		}
		for _, codec := range []string{"avc1", "mp4a"} {
			if !bytes.Contains(data, []byte(codec)) {
				t.Errorf("%s has no %s", lesson.File, codec)
			}
		}
		if entry := fmt.Sprintf("key: %s, size: %d,", lesson.File, len(data)); strings.Count(catalog, entry) != 1 {
			t.Errorf("lesson %d: the catalog does not say %q", i+1, entry)
		}
	}
	if indexAtEnd != 1 {
		t.Errorf("%d lessons have their index at the end, want 1", indexAtEnd)
	}
}

func TestCatalogFollowsTheCalendar(t *testing.T) {
	text, err := Catalog(time.Date(2027, 3, 2, 23, 30, 0, 0, time.UTC), "local")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"start: 2027-03-01T09:00:00Z", "available_until: 2027-03-05T20:00:00Z"} {
		if !bytes.Contains(text, []byte(part)) {
			t.Errorf("the catalog has no %q", part)
		}
	}
	if bytes.Contains(text, []byte("{{")) {
		t.Error("a time is left unsaid")
	}
}

// TestSpokenHasEverything: what accompanies the demo's lessons is embedded, in both languages
// of the pages, and small.
func TestSpokenHasEverything(t *testing.T) {
	tracks, err := Tracks()
	if err != nil || len(tracks) != 2 {
		t.Fatalf("%d tracks, %v", len(tracks), err)
	}
	for _, one := range tracks {
		if track, err := webvtt.Parse([]byte(one.Text)); err != nil || len(track.Cues) != 11 {
			t.Errorf("captions in %s: %v, %d cues, want 11", one.Lang, err, len(track.Cues))
		}
	}
	if chapters := Chapters(); len(chapters) != 5 || chapters[4].Start != 96*time.Second {
		t.Errorf("chapters: %v", chapters)
	}
	total := 0
	posters := map[int64]bool{}
	for _, c := range Companions() {
		data, err := fs.ReadFile(Media(), c.File)
		if err != nil || len(data) == 0 {
			t.Errorf("%s: %d bytes, %v", c.File, len(data), err)
		}
		total += len(data)
		posters[c.Recording] = posters[c.Recording] || c.Kind == "poster"
	}
	if len(posters) != len(All()) {
		t.Errorf("posters: %v", posters)
	}
	if total > 450_000 {
		t.Errorf("what accompanies the lessons has %d bytes, want at most 450,000", total)
	}
}

func TestWriteTo(t *testing.T) {
	dir := t.TempDir()
	if err := WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	for _, lesson := range All() {
		out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", filepath.Join(dir, lesson.File)).CombinedOutput()
		if err != nil || string(out) != "h264\naac\n" {
			t.Errorf("%s: ffprobe says %q, %v", lesson.File, out, err)
		}
	}
}
