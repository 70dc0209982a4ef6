// Package ffmpeg joins, inspects and mends recordings through the programs ffmpeg
// and ffprobe. Nothing is read into memory; whatever is made appears whole.
package ffmpeg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Tool runs the two programs. The zero value finds them in PATH. Safe for
// concurrent use.
type Tool struct {
	FFmpeg, FFprobe string
}

// Version says which ffmpeg there is. Kind Unavailable: none.
func (t Tool) Version(ctx context.Context) (string, error) {
	out, err := t.run(ctx, "ffmpeg: version", t.ffmpeg(), "-version")
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(out, "\n")
	return line, nil
}

func (t Tool) ffmpeg() string {
	if t.FFmpeg != "" {
		return t.FFmpeg
	}
	return "ffmpeg"
}

func (t Tool) ffprobe() string {
	if t.FFprobe != "" {
		return t.FFprobe
	}
	return "ffprobe"
}

// run runs a program and gives its standard output. Its standard error, shortened,
// is the text of a failure; file names in it are of our own making.
func (t Tool) run(ctx context.Context, op, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 5 * time.Second
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", media.Fault(media.KindOf(ctx.Err()), op, ctx.Err())
	case errors.Is(err, exec.ErrNotFound):
		return "", &media.Error{Kind: media.Unavailable, Op: op, Reason: "ffmpeg_missing", Err: fmt.Errorf("the program %s is not installed", program)}
	}
	text := strings.TrimSpace(problem.String())
	if len(text) > 300 {
		text = "… " + text[len(text)-300:]
	}
	return "", media.Faultf(media.Corrupt, op, "%w: %s", err, strings.ReplaceAll(text, "\n", "; "))
}

// Info is what a file holds.
type Info struct {
	Duration time.Duration
	Video    Video // zero when there are no pictures
	Audio    Audio // zero when there is no sound
}

// Video is a stream of pictures.
type Video struct {
	Codec, Pixels, Profile string
	Width, Height          int
}

// Audio is a stream of sound.
type Audio struct {
	Codec, Layout, Rate string
	Channels            int
}

type probeJSON struct {
	Streams []struct {
		Type     string `json:"codec_type"`
		Codec    string `json:"codec_name"`
		Profile  string `json:"profile"`
		Pixels   string `json:"pix_fmt"`
		Width    int    `json:"width"`
		Height   int    `json:"height"`
		Rate     string `json:"sample_rate"`
		Layout   string `json:"channel_layout"`
		Channels int    `json:"channels"`
	} `json:"streams"`
	Format struct {
		Duration string `json:"duration"`
	} `json:"format"`
}

// Probe looks into a file. Kind Corrupt: it cannot be played.
func (t Tool) Probe(ctx context.Context, path string) (Info, error) {
	const op = "ffprobe"
	out, err := t.run(ctx, op, t.ffprobe(), "-v", "error", "-show_streams", "-show_format", "-of", "json", "file:"+path)
	if err != nil {
		return Info{}, err
	}
	var in probeJSON
	if err := json.Unmarshal([]byte(out), &in); err != nil {
		return Info{}, media.Fault(media.Corrupt, op, err)
	}
	var info Info
	for _, s := range in.Streams {
		switch {
		case s.Type == "video" && info.Video.Codec == "":
			info.Video = Video{s.Codec, s.Pixels, s.Profile, s.Width, s.Height}
		case s.Type == "audio" && info.Audio.Codec == "":
			info.Audio = Audio{s.Codec, s.Layout, s.Rate, s.Channels}
		}
	}
	if info.Video.Codec == "" && info.Audio.Codec == "" {
		return Info{}, media.Faultf(media.Corrupt, op, "there is neither picture nor sound")
	}
	if seconds, err := strconv.ParseFloat(in.Format.Duration, 64); err == nil && seconds > 0 && seconds < math.MaxInt32 {
		info.Duration = time.Duration(seconds * float64(time.Second))
	}
	return info, nil
}

// Join makes one file of parts in their order, with its index in front. Streams
// are copied; only parts that do not fit together are encoded anew. A single part
// is given a new order of boxes and nothing else. out appears whole or not at all.
func (t Tool) Join(ctx context.Context, parts []string, out string) error {
	const op = "ffmpeg: join"
	infos := make([]Info, len(parts))
	for i, part := range parts {
		var err error
		if infos[i], err = t.Probe(ctx, part); err != nil {
			return err
		}
	}
	return t.whole(out, func(partial string) error {
		if alike(infos) {
			args, cleanup, err := copying(parts, partial)
			if err != nil {
				return media.Fault(media.Other, op, err)
			}
			defer cleanup()
			_, err = t.run(ctx, op, t.ffmpeg(), args...)
			return err
		}
		_, err := t.run(ctx, op, t.ffmpeg(), encoding(parts, infos, partial)...)
		return err
	})
}

// whole lets f write a file that gets its name when it is complete.
func (t Tool) whole(out string, f func(partial string) error) error {
	partial := strings.TrimSuffix(out, filepath.Ext(out)) + ".partial" + filepath.Ext(out)
	if err := f(partial); err != nil {
		return errors.Join(err, removeIfThere(partial))
	}
	if err := os.Rename(partial, out); err != nil {
		return media.Fault(media.Other, "ffmpeg", err)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// alike reports whether streams can be copied one after the other.
func alike(infos []Info) bool {
	for _, i := range infos[1:] {
		if i.Video != infos[0].Video || i.Audio != infos[0].Audio {
			return false
		}
	}
	return true
}

var quiet = []string{"-nostdin", "-v", "error", "-y"}

// copying are the arguments that join without encoding (the concat demuxer).
func copying(parts []string, out string) (args []string, cleanup func(), err error) {
	tail := []string{"-map", "0:v:0?", "-map", "0:a:0?", "-c", "copy", "-movflags", "+faststart", "-f", "mp4", "file:" + out}
	if len(parts) == 1 {
		return append(append(append([]string{}, quiet...), "-i", "file:"+parts[0]), tail...), func() {}, nil
	}
	list := out + ".txt"
	var b strings.Builder
	b.WriteString("ffconcat version 1.0\n")
	for _, p := range parts {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, nil, err
		}
		b.WriteString("file 'file:" + strings.ReplaceAll(abs, "'", `'\''`) + "'\n")
	}
	if err := os.WriteFile(list, []byte(b.String()), 0o600); err != nil {
		return nil, nil, err
	}
	args = append(append(append([]string{}, quiet...), "-f", "concat", "-safe", "0", "-i", list), tail...)
	return args, func() { _ = os.Remove(list) }, nil
}

// encoding are the arguments that join parts of different shapes: each is fitted
// into the largest frame, and silence stands where a part has no sound.
func encoding(parts []string, infos []Info, out string) []string {
	args := append([]string{}, quiet...)
	width, height, sound, picture := 0, 0, false, false
	for i, info := range infos {
		args = append(args, "-i", "file:"+parts[i])
		width, height = max(width, info.Video.Width), max(height, info.Video.Height)
		sound, picture = sound || info.Audio.Codec != "", picture || info.Video.Codec != ""
	}
	width, height = max(2, width&^1), max(2, height&^1)
	var graph, labels strings.Builder
	for i, info := range infos {
		seconds := strconv.FormatFloat(info.Duration.Seconds(), 'f', 3, 64)
		if picture {
			if info.Video.Codec != "" {
				fmt.Fprintf(&graph, "[%d:v:0]scale=%d:%d:force_original_aspect_ratio=decrease,pad=%d:%d:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p[v%d];", i, width, height, width, height, i)
			} else {
				fmt.Fprintf(&graph, "color=black:s=%dx%d:d=%s,setsar=1,format=yuv420p[v%d];", width, height, seconds, i)
			}
			fmt.Fprintf(&labels, "[v%d]", i)
		}
		if sound {
			if info.Audio.Codec != "" {
				fmt.Fprintf(&graph, "[%d:a:0]aresample=48000,aformat=channel_layouts=stereo[a%d];", i, i)
			} else {
				fmt.Fprintf(&graph, "anullsrc=r=48000:cl=stereo,atrim=duration=%s[a%d];", seconds, i)
			}
			fmt.Fprintf(&labels, "[a%d]", i)
		}
	}
	v, a := btoi(picture), btoi(sound)
	fmt.Fprintf(&graph, "%sconcat=n=%d:v=%d:a=%d%s%s", labels.String(), len(parts), v, a, strings.Repeat("[v]", v), strings.Repeat("[a]", a))
	args = append(args, "-filter_complex", graph.String())
	if picture {
		args = append(args, "-map", "[v]", "-c:v", "libx264", "-preset", "veryfast", "-crf", "21")
	}
	if sound {
		args = append(args, "-map", "[a]", "-c:a", "aac", "-b:a", "128k")
	}
	return append(args, "-movflags", "+faststart", "-f", "mp4", "file:"+out)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Smaller encodes a file at most 1280 wide or 720 high, keeping its shape, and
// reports whether out is worth having: when it is not smaller than the original it
// is removed.
func (t Tool) Smaller(ctx context.Context, in, out string) (bool, error) {
	const op = "ffmpeg: encode"
	err := t.whole(out, func(partial string) error {
		args := append(append([]string{}, quiet...), "-i", "file:"+in, "-map", "0:v:0?", "-map", "0:a:0?",
			"-vf", "scale='min(1280,iw)':'min(720,ih)':force_original_aspect_ratio=decrease:force_divisible_by=2",
			"-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-c:a", "aac", "-b:a", "96k",
			"-movflags", "+faststart", "-f", "mp4", "file:"+partial)
		_, err := t.run(ctx, op, t.ffmpeg(), args...)
		return err
	})
	if err != nil {
		return false, err
	}
	before, err := os.Stat(in)
	if err != nil {
		return false, media.Fault(media.Other, op, err)
	}
	after, err := os.Stat(out)
	if err != nil {
		return false, media.Fault(media.Other, op, err)
	}
	if after.Size() >= before.Size() {
		return false, removeIfThere(out)
	}
	return true, nil
}
