package clients

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// places are where players seek to, in seconds: back and forth over the lesson's five minutes.
var places = []int{0, 200, 40, 290}

// lessonSize is the size of the lesson, in bytes.
func (g *gateway) lessonSize(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(g.file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func tryFFmpeg(t *testing.T, u user) {
	size := u.lessonSize(t)
	link := u.url(lessonPath + "?token=" + u.playback(t, "1", "1h"))
	packets := func(t *testing.T, before ...string) string {
		return runs(t, append(append([]string{"ffmpeg", "-nostdin", "-v", "error"}, before...), "-map", "0", "-c", "copy", "-f", "framemd5", "-")...).stdout
	}
	frame := func(t *testing.T, at int, before ...string) string {
		return runs(t, append(append([]string{"ffmpeg", "-nostdin", "-v", "error", "-ss", strconv.Itoa(at)}, before...), "-map", "0:v", "-frames:v", "1", "-f", "framemd5", "-")...).stdout
	}
	whole := packets(t, "-i", u.file)
	u.measure(t, "all packets, with a header", size, 0, 0, func(t *testing.T) string {
		if got := packets(t, "-headers", "Authorization: Bearer "+u.access(t, "1h")+"\r\n", "-i", u.url(lessonPath)); got != whole {
			t.Error("they differ from those of the file")
		}
		return "as of the file"
	})
	u.measure(t, "all packets by a link, cut", size, 2, 300_000, func(t *testing.T) string {
		if got := packets(t, "-reconnect", "1", "-reconnect_on_network_error", "1", "-i", link); got != whole {
			t.Error("they differ from those of the file")
		}
		return "as of the file, reconnected twice"
	})
	u.measure(t, fmt.Sprintf("pictures at %v s", places), size, 0, 0, func(t *testing.T) string {
		for _, at := range places {
			if got := frame(t, at, "-i", link); got != frame(t, at, "-i", u.file) {
				t.Errorf("the picture at %d s differs from that of the file: %s", at, got)
			}
		}
		return "as of the file"
	})
	expired := u.expired(t, lessonPath)
	u.measure(t, "by an expired link", 0, 0, 0, func(t *testing.T) string {
		out := run(t, "ffprobe", "-v", "error", expired)
		out.refused(t, out.code, "401 Unauthorized")
		if out.code == 0 {
			t.Error(out.said("it succeeds"))
		}
		return "error 401"
	})
}

// samePictures fails the test unless a player makes the same picture of a link as of the file,
// at all places. save writes pictures of a source into an empty directory.
func samePictures(t *testing.T, file, link string, save func(t *testing.T, source string, at int, dir string)) {
	t.Helper()
	seen := map[string]int{}
	for _, at := range places {
		var pictures []string
		for _, source := range []string{file, link} {
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o777); err != nil { // for players that run as another user
				t.Fatal(err)
			}
			save(t, source, at, dir)
			pictures = append(pictures, firstPicture(t, dir))
		}
		if pictures[0] != pictures[1] {
			t.Errorf("the picture at %d s differs from that of the file", at)
		}
		if other, twice := seen[pictures[0]]; twice {
			t.Errorf("the pictures at %d s and %d s are the same", other, at)
		}
		seen[pictures[0]] = at
	}
}

// firstPicture is a digest of the first file in a directory.
func firstPicture(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.png"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no picture: %v", err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil || len(data) == 0 {
		t.Fatalf("an empty picture: %v", err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func tryMpv(t *testing.T, u user) {
	size := u.lessonSize(t)
	link := u.url(lessonPath + "?token=" + u.playback(t, "1", "1h"))
	u.measure(t, "play through, with a header", size, 0, 0, func(t *testing.T) string {
		out := runs(t, "mpv", "--no-config", "--vo=null", "--ao=null", "--ao-null-untimed=yes", "--untimed", "--http-header-fields=Authorization: Bearer "+u.access(t, "1h"), u.url(lessonPath))
		if !strings.Contains(out.stdout+out.stderr, "End of file") {
			t.Error(out.said("it ends before the end"))
		}
		return "to the end"
	})
	u.measure(t, fmt.Sprintf("pictures at %v s", places), size, 0, 0, func(t *testing.T) string {
		samePictures(t, u.file, link, func(t *testing.T, source string, at int, dir string) {
			runs(t, "mpv", "--no-config", "--really-quiet", "--no-audio", "--vo=image", "--vo-image-format=png", "--vo-image-outdir="+dir, "--frames=1", "--start="+strconv.Itoa(at), source)
		})
		return "as of the file"
	})
	u.measure(t, "play through by a link, cut", size, 1, 300_000, func(t *testing.T) string {
		out := runs(t, "mpv", "--no-config", "--vo=null", "--ao=null", "--ao-null-untimed=yes", "--untimed", link)
		if !strings.Contains(out.stdout+out.stderr, "End of file") {
			t.Error(out.said("it ends before the end"))
		}
		return "to the end, reconnected"
	})
	expired := u.expired(t, lessonPath)
	u.measure(t, "by an expired link", 0, 0, 0, func(t *testing.T) string {
		run(t, "mpv", "--no-config", "--no-ytdl", "--vo=null", "--ao=null", expired).refused(t, 2, "Failed to open") // with -v it says why
		return "cannot be opened"
	})
}

// vlc is a command line of VLC, which refuses to run as root.
func vlc(home string, args ...string) []string {
	line := []string{"env", "HOME=" + home, "cvlc", "--no-interact", "--ignore-config", "-I", "dummy", "--no-audio", "--no-color"}
	if os.Getuid() == 0 {
		line = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, line...)
	}
	return append(append(line, args...), "vlc://quit")
}

func tryVLC(t *testing.T, u user) {
	size := u.lessonSize(t)
	link := u.url(lessonPath + "?token=" + u.playback(t, "1", "1h"))
	readable(t, u.file)
	dump := func(t *testing.T) string {
		dir := t.TempDir()
		readable(t, dir)
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "dump")
		runs(t, vlc(dir, "--demux=dump", "--demuxdump-file="+file, link)...)
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(u.file)
		if err != nil {
			t.Fatal(err)
		}
		if sha256.Sum256(got) != sha256.Sum256(want) {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
		return "exact"
	}
	u.measure(t, "all bytes by a link", size, 0, 0, dump)
	u.measure(t, "all bytes by a link, cut", size, 1, 300_000, dump)
	u.measure(t, fmt.Sprintf("pictures at %v s", places), size, 0, 0, func(t *testing.T) string {
		samePictures(t, u.file, link, func(t *testing.T, source string, at int, dir string) {
			readable(t, dir)
			runs(t, vlc(dir, "--vout=dummy", "--video-filter=scene", "--scene-format=png", "--scene-path="+dir, "--scene-ratio=1000000", "--start-time="+strconv.Itoa(at), "--run-time=1", source)...)
		})
		return "as of the file"
	})
	expired := u.expired(t, lessonPath)
	u.measure(t, "by an expired link", 0, 0, 0, func(t *testing.T) string {
		dir := t.TempDir()
		readable(t, dir)
		out := run(t, vlc(dir, "-v", "--vout=dummy", expired)...)
		if !strings.Contains(out.stderr, "401") && !strings.Contains(out.stderr, "authentication failed") {
			t.Error(out.said("it does not say why"))
		}
		return "error 401"
	})
}

// readable lets another user read a file and get to it.
func readable(t *testing.T, path string) {
	t.Helper()
	for dir := filepath.Dir(path); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err == nil {
		err = os.Chmod(path, info.Mode().Perm()|0o555)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func tryGStreamer(t *testing.T, u user) {
	size := u.lessonSize(t)
	link := u.url(lessonPath + "?token=" + u.playback(t, "1", "1h"))
	// pictures are digests of the pictures from a place on, by their times. Those before the
	// seek are left out, and a decoder that is behind leaves some out as well.
	pictures := func(t *testing.T, uri string, at int) map[string]string {
		out := runs(t, "gst-play-1.0", "--no-interactive", "-q", "--videosink=checksumsink", "--audiosink=fakesink sync=false", "--start-position="+strconv.Itoa(at), uri)
		from := fmt.Sprintf("0:%02d:%02d", at/60, at%60)
		sums := map[string]string{}
		for line := range strings.Lines(out.stdout) {
			if fields := strings.Fields(line); len(fields) == 2 && len(fields[1]) == 40 && fields[0] >= from {
				sums[fields[0]] = fields[1]
			}
		}
		if all := (300 - at) * 4; len(sums) < all*8/10 || len(sums) > all+4 {
			t.Fatal(out.said(fmt.Sprintf("%d pictures of %d", len(sums), all)))
		}
		return sums
	}
	for i, at := range append([]int{0}, places...) {
		task, cuts := fmt.Sprintf("from %d s to the end", at), 0
		if i == 0 {
			task, cuts = task+", cut", 1
		}
		u.measure(t, task, size, cuts, 300_000, func(t *testing.T) string {
			want := pictures(t, "file://"+u.file, at)
			both := 0
			for moment, sum := range pictures(t, link, at) {
				if there := want[moment]; there == sum {
					both++
				} else if there != "" {
					t.Errorf("the picture at %s differs from that of the file", moment)
				}
			}
			if both < len(want)*8/10 {
				t.Errorf("%d pictures of %d are the same", both, len(want))
			}
			return "as of the file"
		})
	}
	expired := u.expired(t, lessonPath)
	u.measure(t, "by an expired link", 0, 0, 0, func(t *testing.T) string {
		out := run(t, "gst-play-1.0", "--no-interactive", "--videosink=fakesink", "--audiosink=fakesink", expired)
		if !strings.Contains(out.stdout+out.stderr, "Unauthorized") {
			t.Error(out.said("it does not say why"))
		}
		return "error 401"
	})
}
