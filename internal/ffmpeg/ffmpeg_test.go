package ffmpeg

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// video makes a small real MP4.
func video(t *testing.T, name string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	full := append([]string{"-nostdin", "-v", "error", "-y"}, args...)
	full = append(full, "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac", out)
	if text, err := exec.Command("ffmpeg", full...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, text)
	}
	return out
}

func picture(size, seconds string) []string {
	return []string{"-f", "lavfi", "-i", "testsrc2=size=" + size + ":rate=10:duration=" + seconds, "-f", "lavfi", "-i", "sine=frequency=440:duration=" + seconds, "-shortest"}
}

func layout(t *testing.T, path string) Layout {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Boxes(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func about(got, want time.Duration) bool { return (got - want).Abs() < 400*time.Millisecond }

func TestJoin(t *testing.T) {
	a, b := video(t, "it's a.mp4", picture("320x240", "2")...), video(t, "b.mp4", picture("320x240", "3")...)
	wide := video(t, "wide.mp4", picture("640x360", "2")...)
	silent := video(t, "silent.mp4", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10:duration=2")
	for _, c := range []struct {
		name          string
		parts         []string
		want          time.Duration
		width, height int
		copied        bool
	}{
		{"one", []string{a}, 2 * time.Second, 320, 240, true},
		{"two of one kind", []string{a, b}, 5 * time.Second, 320, 240, true},
		{"different frames", []string{a, wide}, 4 * time.Second, 640, 360, false},
		{"one without sound", []string{a, silent, b}, 7 * time.Second, 320, 240, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.mp4")
			if err := (Tool{}).Join(t.Context(), c.parts, out); err != nil {
				t.Fatal(err)
			}
			info, err := Tool{}.Probe(t.Context(), out)
			if err != nil {
				t.Fatal(err)
			}
			if !about(info.Duration, c.want) || info.Video.Width != c.width || info.Video.Height != c.height || info.Audio.Codec != "aac" {
				t.Errorf("joined: %+v", info)
			}
			if !layout(t, out).FastStart {
				t.Error("the index stands at the end")
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
			infos := []Info{}
			for _, p := range c.parts {
				i, _ := Tool{}.Probe(t.Context(), p)
				infos = append(infos, i)
			}
			if alike(infos) != c.copied {
				t.Errorf("copied: %v", !c.copied)
			}
		})
	}
	if layout(t, a).FastStart {
		t.Error("the source has its index in front already: the test proves nothing")
	}
}

func TestRubbish(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.mp4")
	if err := os.WriteFile(page, []byte("<html>Only the host can download this</html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.mp4")
	if err := (Tool{}).Join(t.Context(), []string{page}, out); media.KindOf(err) != media.Corrupt {
		t.Errorf("a page: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a page made a file")
	}
	if _, err := (Tool{FFprobe: "/nowhere/ffprobe"}).Probe(t.Context(), page); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("no program: %v", err)
	}
	if _, err := (Tool{FFprobe: "no-such-program"}).Probe(t.Context(), page); media.KindOf(err) != media.Unavailable {
		t.Errorf("no program: %v", err)
	}
}

func TestSmaller(t *testing.T) {
	big := video(t, "big.mp4", append(picture("1280x960", "2"), "-crf", "0")...)
	out := filepath.Join(t.TempDir(), "out.mp4")
	worth, err := Tool{}.Smaller(t.Context(), big, out)
	if err != nil || !worth {
		t.Fatalf("worth %v, %v", worth, err)
	}
	info, err := Tool{}.Probe(t.Context(), out)
	if err != nil || info.Video.Width != 960 || info.Video.Height != 720 {
		t.Errorf("4:3 became %+v, %v", info.Video, err)
	}
	again := filepath.Join(t.TempDir(), "again.mp4")
	small := video(t, "small.mp4", append(picture("64x48", "1"), "-crf", "51")...)
	worth, err = Tool{}.Smaller(t.Context(), small, again)
	if err != nil || worth {
		t.Errorf("a larger result: worth %v, %v", worth, err)
	}
	if _, err := os.Stat(again); err == nil {
		t.Error("a larger result was kept")
	}
}

func box(kind string, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), append([]byte(kind), body...)...)
}

func TestBoxes(t *testing.T) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	ftyp, moov, mdat := box("ftyp", []byte("isom")), box("moov", make([]byte, 20)), box("mdat", make([]byte, 100))
	long := append(append([]byte{0, 0, 0, 1}, "mdat"...), append(binary.BigEndian.AppendUint64(nil, 116), make([]byte, 100)...)...)
	open := append(append([]byte{0, 0, 0, 0}, "mdat"...), make([]byte, 50)...)
	for _, c := range []struct {
		name string
		data []byte
		want string // part of the error, or ""
		fast bool
	}{
		{"index in front", join(ftyp, moov, mdat), "", true},
		{"index at the end", join(ftyp, mdat, moov), "", false},
		{"a 64-bit length", join(ftyp, moov, long), "", true},
		{"to the end", join(ftyp, moov, open), "", true},
		{"cut short", join(ftyp, moov, mdat)[:100], "too early", false},
		{"cut in a header", join(ftyp, moov, mdat, []byte{0, 0}), "header", false},
		{"without index", join(ftyp, mdat), "moov", false},
		{"without pictures", join(ftyp, moov), "mdat", false},
		{"a page", []byte("<html><body>Only the host</body></html>"), "not an MP4", false},
		{"nothing", nil, "not an MP4", false},
		{"an impossible length", join(ftyp, []byte{0, 0, 0, 3}, []byte("moov")), "impossible", false},
	} {
		l, err := Boxes(bytes.NewReader(c.data), int64(len(c.data)))
		if c.want == "" && (err != nil || l.FastStart != c.fast) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || media.KindOf(err) != media.Corrupt) {
			t.Errorf("%s: %+v, %v", c.name, l, err)
		}
	}
}

func FuzzBoxes(f *testing.F) {
	f.Add(box("ftyp", []byte("isom")))
	f.Add(append([]byte{0, 0, 0, 1}, "mdat\xff\xff\xff\xff\xff\xff\xff\xff"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := Boxes(bytes.NewReader(data), int64(len(data))); err != nil && media.KindOf(err) != media.Corrupt {
			t.Errorf("%v", err)
		}
	})
}
