package ffmpeg

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// mapped are the options that take a part's picture and sound, and nothing else: no
// chapters, which would become a text track.
func mapped(i Info) []string {
	args := []string{"-map_chapters", "-1"}
	if i.Video.Present() {
		args = append(args, "-map", "0:"+strconv.Itoa(i.Video.Index))
	}
	if i.Audio.Present() {
		args = append(args, "-map", "0:"+strconv.Itoa(i.Audio.Index))
	}
	return args
}

// written are the options that write a plain MP4.
func written(out string) []string {
	return []string{"-movflags", "+faststart", "-f", "mp4", "file:" + out}
}

func concat(lists ...[]string) (out []string) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// remuxing are the arguments that copy one file's picture and sound.
func remuxing(in string, info Info, out string) []string {
	return concat(quiet, reading(in), mapped(info), []string{"-c", "copy"}, written(out))
}

// copying are the arguments that copy parts one behind the other with the concat
// demuxer. Its list, and links with plain names, for the list has no way to write every
// name, are made in dir.
func copying(parts []string, infos []Info, dir, out string) ([]string, error) {
	var list strings.Builder
	list.WriteString("ffconcat version 1.0\n")
	for i, part := range parts {
		path, err := filepath.Abs(part)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("part-%d.mp4", i)
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			return nil, err
		}
		// Without a duration the longest stream counts, be it a chapter track.
		fmt.Fprintf(&list, "file %s\nduration %s\n", name, seconds(infos[i].Duration))
	}
	path := filepath.Join(dir, "parts.ffconcat")
	if err := os.WriteFile(path, []byte(list.String()), 0o600); err != nil {
		return nil, err
	}
	return concat(quiet,
		// The timestamps stay as they are: a priming packet before 0 would move the
		// picture otherwise, and an edit list skips it.
		[]string{"-copyts", "-protocol_whitelist", "file", "-format_whitelist", "concat,mov", "-f", "concat", "-safe", "0", "-i", "file:" + path},
		mapped(infos[0]), []string{"-c", "copy", "-avoid_negative_ts", "disabled"}, written(out)), nil
}

// seconds writes a duration as ffmpeg reads it.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }

// quality are the options of the encoders.
type quality struct {
	crf     int
	bitrate string // of the sound
}

// encoding are the arguments that encode parts one behind the other. Each part becomes
// exactly as long as Info.Duration in picture and sound: the last frame stays, silence
// follows, and black or silence stands where a part has no picture or no sound. Parts
// thus begin where the sum of the durations before them says.
func encoding(parts []string, infos []Info, t target, q quality, out string) []string {
	args := concat(quiet, []string{"-filter_complex_threads", "2"})
	var graph, labels strings.Builder
	input := 0
	for i, info := range infos {
		// A picture that changes its size on the way is scaled like the frames before;
		// the graph of all parts would begin anew otherwise.
		args = append(args, "-threads", "2", "-reinit_filter:v", "0")
		args = append(args, reading(parts[i])...)
		if t.video {
			graph.WriteString(t.pictureFilter(input, i, info))
			fmt.Fprintf(&labels, "[v%d]", i)
		}
		if t.audio {
			graph.WriteString(t.soundFilter(input, i, info))
			fmt.Fprintf(&labels, "[a%d]", i)
		}
		input++
	}
	streams := map[bool]int{true: 1}
	fmt.Fprintf(&graph, "%sconcat=n=%d:v=%d:a=%d", labels.String(), len(infos), streams[t.video], streams[t.audio])
	var tail []string
	if t.video {
		graph.WriteString("[v]")
		// Every player can decode the main profile in 4:2:0.
		tail = append(tail, "-map", "[v]", "-c:v", "libx264", "-preset", "veryfast", "-crf", strconv.Itoa(q.crf), "-threads", "4")
	}
	if t.audio {
		graph.WriteString("[a]")
		tail = append(tail, "-map", "[a]", "-c:a", "aac", "-b:a", q.bitrate)
	}
	return concat(args, []string{"-filter_complex", graph.String(), "-map_chapters", "-1"}, tail, written(out))
}

func (t target) pictureFilter(input, part int, info Info) string {
	length := seconds(info.Duration)
	if !info.Video.Present() {
		return fmt.Sprintf("color=c=black:s=%dx%d:r=%s:d=%s,setsar=%s,format=yuv420p[v%d];", t.width, t.height, t.frameRate, length, t.sampleAspect, part)
	}
	width, height := t.fit(info.Video)
	// ffmpeg applies the rotation in front of the graph.
	return fmt.Sprintf("[%d:%d]scale=%d:%d,pad=%d:%d:(ow-iw)/2:(oh-ih)/2,setsar=%s,fps=%s:start_time=0,format=yuv420p,tpad=stop_mode=clone:stop_duration=%s,trim=duration=%s,setpts=PTS-STARTPTS[v%d];",
		input, info.Video.Index, width, height, t.width, t.height, t.sampleAspect, t.frameRate, length, length, part)
}

func (t target) soundFilter(input, part int, info Info) string {
	length, layout := seconds(info.Duration), "mono"
	if t.channels > 1 {
		layout = "stereo"
	}
	if !info.Audio.Present() {
		return fmt.Sprintf("anullsrc=r=%d:cl=%s,aformat=sample_fmts=fltp,atrim=duration=%s[a%d];", t.sampleRate, layout, length, part)
	}
	// Gaps are filled with silence, and a late beginning is.
	return fmt.Sprintf("[%d:%d]aresample=%d:async=1:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=%s,apad=whole_dur=%s,atrim=duration=%s,asetpts=PTS-STARTPTS[a%d];",
		input, info.Audio.Index, t.sampleRate, layout, length, length, part)
}
