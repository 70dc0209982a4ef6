package ffmpeg

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/mp4"
)

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	a := encode(t, "a.mp4", both("160x90", "2")...)
	cover := filepath.Join(dir, "cover.png")
	command(t, "-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", cover)
	chapters := fileOf(t, "chapters.txt", []byte(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=9000\ntitle=One\n"))
	subtitles := fileOf(t, "a.srt", []byte("1\n00:00:00,000 --> 00:00:09,000\nHello\n"))
	for _, c := range []struct {
		name, path string
		check      func(Info) bool
	}{
		{"picture and sound", a, func(i Info) bool {
			return i.Video.Codec == "h264" && i.Video.Config != "" && i.Video.TimeBase == Ratio{1, 10240} && i.Video.FrameRate == Ratio{10, 1} && i.Video.SampleAspect == Ratio{1, 1} &&
				i.Video.Packets == 20 && i.Audio.Codec == "aac" && i.Audio.Config != "" && i.Audio.SampleRate == 44100 && i.Audio.Channels == 1 && i.Audio.Layout == "mono" && i.BitRate > 0 &&
				i.Audio.Track.Edits.MediaTime == 1024 && near(i.Duration, 2*time.Second, time.Millisecond)
		}},
		{"sound only", encode(t, "a.m4a", sound("2")...), func(i Info) bool { return !i.Video.Present() && i.Audio.Present() && i.Streams == 1 }},
		{"picture only", encode(t, "v.mp4", picture("160x90", "2")...), func(i Info) bool { return i.Video.Present() && !i.Audio.Present() }},
		{"pixel shape", sample("part-b-sar43.mp4"), func(i Info) bool { return i.Video.SampleAspect == Ratio{4, 3} }},
		{"rotation", derived(t, a, "r.mp4", "-metadata:s:v", "rotate=90"), func(i Info) bool {
			w, h, _ := i.Video.shown()
			return i.Video.Rotation%180 == 90 && i.Video.Matrix != "" && w == 90 && h == 160
		}},
		{"language", derived(t, a, "l.mp4", "-metadata:s:a", "language=rus"), func(i Info) bool { return i.Audio.Language == "rus" && i.Video.Language == "" }},
		{"a delayed sound", joined(t, "-i", a, "-itsoffset", "0.5", "-i", a, "-map", "0:v", "-map", "1:a", "-c", "copy"), func(i Info) bool {
			return near(i.Audio.Start, 500*time.Millisecond, 30*time.Millisecond) && near(i.Duration, 2500*time.Millisecond, 30*time.Millisecond)
		}},
		{"fragmented", sample("fragmented.mp4"), func(i Info) bool {
			return i.Layout.Fragmented && i.Video.Packets == 100 && near(i.Video.Duration, 4*time.Second, time.Millisecond) && !i.Plain()
		}},
		{"fragmented, the header silent", derived(t, a, "f.mp4", "-movflags", "+frag_keyframe+empty_moov+default_base_moof"), func(i Info) bool {
			return near(i.Video.Duration, 2*time.Second, 50*time.Millisecond) && near(i.Audio.Duration, 2*time.Second, 50*time.Millisecond)
		}},
		// Neither a cover nor a chapter track nor subtitles make a file longer or a picture.
		{"a cover", joined(t, "-i", encode(t, "m.m4a", sound("2")...), "-i", cover, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic"), func(i Info) bool {
			return !i.Video.Present() && i.Audio.Present() && i.Streams == 2 && i.Dropped == 0
		}},
		{"chapters", joined(t, "-i", a, "-i", chapters, "-map_metadata", "1", "-map", "0", "-c", "copy"), func(i Info) bool {
			return i.Streams == 3 && i.Dropped == 0 && near(i.Duration, 2*time.Second, 50*time.Millisecond)
		}},
		{"subtitles", joined(t, "-i", a, "-i", subtitles, "-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text"), func(i Info) bool {
			return i.Streams == 3 && near(i.Duration, 2*time.Second, 50*time.Millisecond)
		}},
		{"two sounds", joined(t, "-i", a, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy"), func(i Info) bool { return i.Streams == 3 && i.Dropped == 1 }},
		{"bytes behind", sample("three-bytes-behind.mp4"), func(i Info) bool { return len(i.Layout.Warnings) == 1 && !i.Plain() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if info := probe(t, c.path); !c.check(info) {
				t.Errorf("%+v", info)
			}
		})
	}
}

// joined makes a file from several inputs.
func joined(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "joined.mp4")
	command(t, append(args, out)...)
	return out
}

// TestJoinLeavesOutOtherTracks: a chapter track, a cover and subtitles are not copied,
// and make no part longer.
func TestJoinLeavesOutOtherTracks(t *testing.T) {
	a := encode(t, "a.mp4", both("160x90", "2")...)
	subtitles := fileOf(t, "a.srt", []byte("1\n00:00:00,000 --> 00:00:09,000\nHello\n"))
	with := joined(t, "-i", a, "-i", subtitles, "-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text")
	out := filepath.Join(t.TempDir(), "out.mp4")
	got, err := Joiner{}.Join(t.Context(), parts(t, with, a, with), out)
	if err != nil || got.Method != Copied || got.Info.Streams != 2 || !near(got.Info.Duration, 6*time.Second, 100*time.Millisecond) {
		t.Errorf("%s because of %q, %+v, %v", got.Method, got.Why, got.Info, err)
	}
}

func TestProbeRefuses(t *testing.T) {
	data, err := os.ReadFile(sample("part-a.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, reason string
		kind               media.Kind
	}{
		{"no track", sample("empty.mp4"), mp4.ReasonNoPlayableTrack, media.Corrupt},
		{"an empty file", fileOf(t, "0.mp4", nil), mp4.ReasonNotMP4, media.Corrupt},
		{"a page", fileOf(t, "p.mp4", []byte("<!DOCTYPE html><html><body>Sign in</body></html>")), mp4.ReasonNotMP4, media.Corrupt},
		{"a playlist", fileOf(t, "l.mp4", []byte("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")), mp4.ReasonNotMP4, media.Corrupt},
		{"subtitles only", derived(t, fileOf(t, "a.srt", []byte("1\n00:00:00,000 --> 00:00:02,000\nHello\n")), "text.mp4", "-c:s", "mov_text"), mp4.ReasonNoPlayableTrack, media.Corrupt},
		{"JSON", fileOf(t, "j.mp4", []byte(`{"code":300,"message":"no"}`)), mp4.ReasonNotMP4, media.Corrupt},
		{"cut short", fileOf(t, "c.mp4", data[:len(data)-1]), mp4.ReasonCutShort, media.Corrupt},
		{"cut shorter", fileOf(t, "s.mp4", data[:len(data)-500]), mp4.ReasonCutShort, media.Corrupt},
		{"codecs that nobody knows", fileOf(t, "u.mp4", renamed(data, "avc1", "avcC", "mp4a", "esds")), mp4.ReasonNoPlayableTrack, media.Corrupt},
		{"no file", filepath.Join(t.TempDir(), "none.mp4"), "", media.Other},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Tool{}.Probe(t.Context(), c.path)
			if err == nil || reasonOf(err) != c.reason || media.KindOf(err) != c.kind {
				t.Errorf("%v, want %s, %q", err, c.kind, c.reason)
			}
		})
	}
	broken := filepath.Join(t.TempDir(), "ffprobe") // its interpreter, as a binary's loader may, has gone
	if err := os.WriteFile(broken, []byte("#!/nowhere/ld.so\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, missing := range []Tool{{FFprobe: "no-such-program"}, {FFprobe: "/nowhere/ffprobe"}, {FFprobe: broken}} {
		if _, err := missing.Probe(t.Context(), sample("part-a.mp4")); media.KindOf(err) != media.Unavailable || reasonOf(err) != ReasonMissing {
			t.Errorf("%+v: %v", missing, err)
		}
	}
}

// renamed is a file whose boxes of some kinds are unknown to everybody.
func renamed(data []byte, kinds ...string) []byte {
	data = bytes.Clone(data)
	for _, kind := range kinds {
		data = bytes.ReplaceAll(data, []byte(kind), []byte("zz"+kind[2:]))
	}
	return data
}

// TestProbeOpensNothingElse: a playable file with the head of a manifest or a playlist is
// read as an MP4, and what it names is not opened.
func TestProbeOpensNothingElse(t *testing.T) {
	data, err := os.ReadFile(sample("part-a.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	secret := fileOf(t, "secret.mp4", data)
	for _, text := range []string{
		"<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"static\"><Period><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\"><BaseURL>file:" + secret + "</BaseURL></Representation></AdaptationSet></Period></MPD>",
		"#EXTM3U\n#EXTINF:2,\nfile:" + secret + "\n#EXT-X-ENDLIST\n",
		"ffconcat version 1.0\nfile " + secret + "\n",
	} {
		path := fileOf(t, "manifest.mp4", []byte(text))
		if _, err := (Tool{}).Probe(t.Context(), path); reasonOf(err) != mp4.ReasonNotMP4 {
			t.Errorf("%.20s: %v", text, err)
		}
		// Behind the walk over the boxes, the program itself must refuse too.
		args := append([]string{"-v", "error", "-show_format"}, reading(path)...)
		if err := (Tool{}).run(t.Context(), "ffprobe", "ffprobe", probeLimits, nil, args...); media.KindOf(err) != media.Corrupt {
			t.Errorf("%.20s: opened, %v", text, err)
		}
		// In a box of free space, it is no manifest to anybody.
		box := append(binary.BigEndian.AppendUint32(nil, uint32(8+len(text))), "free"+text...)
		info, err := (Tool{}).Probe(t.Context(), fileOf(t, "free.mp4", append(box, shifted(t, data, len(box))...)))
		if err != nil || !info.Video.Present() {
			t.Errorf("%.20s in a box: %v", text, err)
		}
	}
}

// shifted is a file whose index allows for n bytes in front of it.
func shifted(t *testing.T, data []byte, n int) []byte {
	t.Helper()
	data = bytes.Clone(data)
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte("stco"))
		if i < 0 {
			return data
		}
		at += i + 4
		count := int(binary.BigEndian.Uint32(data[at+4:]))
		for k := range count {
			p := data[at+8+4*k:]
			binary.BigEndian.PutUint32(p, binary.BigEndian.Uint32(p)+uint32(n))
		}
	}
}

// TestProbeHostile: small files that claim much are refused, within the limits and soon.
func TestProbeHostile(t *testing.T) {
	data, err := os.ReadFile(sample("part-a.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	patch := func(kind string, at int, value uint32) string {
		out := bytes.Clone(data)
		i := bytes.Index(out, []byte(kind))
		binary.BigEndian.PutUint32(out[i+4+at:], value)
		return fileOf(t, "hostile.mp4", out)
	}
	for _, c := range []struct{ name, path string }{
		{"two thousand million samples of one size", patch("stsz", 4, 1)},
		{"a sample count beyond the box", patch("stsz", 8, 2e9)},
		{"a chunk count beyond the box", patch("stco", 4, 2e9)},
		{"samples per chunk", patch("stsc", 12, 2e9)},
		{"durations", patch("stts", 12, 0xffffffff)},
		{"a sample that lasts for days", patch("stts", 8, 0xfffffff)},
	} {
		t.Run(c.name, func(t *testing.T) {
			started := time.Now()
			info, err := Tool{}.Probe(t.Context(), c.path)
			if err != nil && media.KindOf(err) != media.Corrupt {
				t.Errorf("%v", err)
			}
			if err == nil && (info.Duration <= 0 || info.Duration > 1000*time.Hour) {
				t.Errorf("%+v", info)
			}
			if took := time.Since(started); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for in, want := range map[string]Ratio{"16:9": {16, 9}, "25/1": {25, 1}, "50/2": {25, 1}, "0/0": {}, "0:1": {}, "N/A": {}, "": {}, "-1/2": {}, "99999999999/1": {}} {
		if got := parseRatio(in); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
	for in, want := range map[string]time.Duration{"1.5": 1500 * time.Millisecond, "-0.023": -23 * time.Millisecond, "N/A": 0, "": 0, "NaN": 0, "Inf": 0, "1e300": 0} {
		if got := parseSeconds(in); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}
