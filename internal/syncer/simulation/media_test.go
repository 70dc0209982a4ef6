package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/lectiospace/lectern/internal/ffmpeg"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/mp4"
)

// video is a file of the simulated school. Its bytes say what it was made of, so that the
// archive can be held against Zoom: a line of JSON, and padding up to Size.
type video struct {
	// Of are the files at Zoom that it shows, in order, each with its version.
	Of     []string `json:"of"`
	Millis int64    `json:"ms"`
	Size   int      `json:"size"`
}

const videoMark = "simulated video "

// bytes are the file.
func (v video) bytes() []byte {
	head, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	out := fmt.Appendf(nil, "%s%s\n", videoMark, head)
	for n := 0; len(out) < v.Size; n++ {
		out = append(out, head[n%len(head)]^byte(n>>3))
	}
	return out
}

// parseVideo reads a whole file, and refuses all else, a file that ends too early too.
func parseVideo(data []byte) (v video, err error) {
	line, ok := bytes.CutPrefix(data, []byte(videoMark))
	end := bytes.IndexByte(line, '\n')
	if !ok || end < 0 {
		return v, errors.New("it is no video")
	}
	if err := json.Unmarshal(line[:end], &v); err != nil {
		return v, err
	}
	if !bytes.Equal(data, v.bytes()) {
		return v, errors.New("it is damaged")
	}
	return v, nil
}

// tool takes the place of ffmpeg for such files.
type tool struct{}

// Version implements ingest.Tool.
func (tool) Version(context.Context) (string, error) { return "simulated", nil }

// Probe implements ingest.Tool.
func (tool) Probe(ctx context.Context, path string) (ffmpeg.Info, error) {
	v, err := probe(ctx, path)
	return v.info(), err
}

func probe(ctx context.Context, path string) (video, error) {
	const op = "simulated: probe"
	if err := ctx.Err(); err != nil {
		return video{}, media.Fault(media.KindOf(err), op, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		kind := media.Unavailable
		if errors.Is(err, fs.ErrNotExist) {
			kind = media.Other
		}
		return video{}, media.Fault(kind, op, err)
	}
	v, err := parseVideo(data)
	if err != nil {
		return v, &media.Error{Kind: media.Corrupt, Op: op, Reason: ffmpeg.ReasonUnreadable, Err: err}
	}
	return v, nil
}

func (v video) info() ffmpeg.Info {
	d := time.Duration(v.Millis) * time.Millisecond
	stream := ffmpeg.Stream{Codec: "simulated", Duration: d}
	return ffmpeg.Info{Duration: d, Video: ffmpeg.Video{Stream: stream}, Audio: ffmpeg.Audio{Stream: stream}, Streams: 2, Layout: mp4.File{FastStart: true}}
}

// Join implements ingest.Tool.
func (tool) Join(ctx context.Context, parts []ffmpeg.Part, out string) (ffmpeg.Result, error) {
	var joined video
	result := ffmpeg.Result{Path: out, Method: ffmpeg.Copied}
	for _, part := range parts {
		v, err := probe(ctx, part.Path)
		if err != nil {
			return ffmpeg.Result{}, err
		}
		joined.Of = slices.Concat(joined.Of, v.Of)
		joined.Millis, joined.Size = joined.Millis+v.Millis, joined.Size+v.Size
		result.Parts = append(result.Parts, v.info())
	}
	result.Info = joined.info()
	partial := out + ".partial"
	if err := os.WriteFile(partial, joined.bytes(), 0o600); err != nil {
		return ffmpeg.Result{}, media.Fault(media.Unavailable, "simulated: join", err)
	}
	return result, os.Rename(partial, out)
}

// Smaller implements ingest.Tool.
func (tool) Smaller(context.Context, string, string) (bool, error) { return false, nil }
