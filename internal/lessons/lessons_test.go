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
		if entry := fmt.Sprintf("key: %s, size: %d,", lesson.File, len(data)); strings.Count(string(catalog), entry) != 1 {
			t.Errorf("lesson %d: the catalog does not say %q", i+1, entry)
		}
	}
	if indexAtEnd != 1 {
		t.Errorf("%d lessons have their index at the end, want 1", indexAtEnd)
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
