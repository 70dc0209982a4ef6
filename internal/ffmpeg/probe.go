package ffmpeg

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/mp4"
)

// Info is what a file holds: the picture and the sound that players choose, and all
// that decides whether streams can be copied behind those of another file.
type Info struct {
	// Duration is from the first to the last instant of the picture or the sound. It is
	// how far a part moves those behind it in a join.
	Duration time.Duration
	// BitRate is in bits a second; 0 = unknown.
	BitRate int64
	// Video is the zero value when there is no picture. A cover image is none.
	Video Video
	// Audio is the zero value when there is no sound.
	Audio Audio
	// Streams counts all streams: text, chapters, cover images and further pictures and
	// sounds too.
	Streams int
	// Layout is the structure of the file.
	Layout mp4.File
	// Dropped counts the further pictures and sounds, which a join leaves out.
	Dropped int
}

// Stream is what pictures and sound have in common.
type Stream struct {
	// Index is the stream's place in the file.
	Index int
	// Codec is ffmpeg's name of the codec, Tag the sample entry's four characters.
	Codec, Tag, Profile string
	// Config is a digest of the codec's configuration (avcC, esds); "" without one.
	Config string
	// TimeBase is the length of a tick in seconds.
	TimeBase Ratio
	// Start is when the stream begins, edit lists applied. It may be negative.
	Start time.Duration
	// Duration is how long the stream is presented, from Start on.
	Duration time.Duration
	// Packets counts the packets; 0 = unknown.
	Packets int64
	// BitRate is in bits a second; 0 = unknown.
	BitRate int64
	// Language is the code of ISO 639-2/T; "" when it is undetermined.
	Language string
	// Track is what the index says: times, edit list, sample entries.
	Track mp4.Track
}

// End is when the stream ends.
func (s Stream) End() time.Duration { return s.Start + s.Duration }

// Video is a stream of pictures.
type Video struct {
	Stream
	Level int
	// Width and Height are in pixels as they are coded, before Rotation.
	Width, Height int
	// SampleAspect is a pixel's width over its height; 1:1 when the file does not say.
	SampleAspect Ratio
	// Rotation is by how many degrees, counterclockwise, a player turns the picture:
	// 0, 90, 180, 270, or another angle.
	Rotation int
	// Matrix is the display matrix; "" for the identity. It tells mirroring too.
	Matrix string
	// Pixels is the pixel format; Color is range, matrix, transfer and primaries.
	Pixels, Color string
	// Interlaced: the field order is other than progressive.
	Interlaced bool
	// FrameRate is the rate that all timestamps fit, AverageRate that of the whole
	// stream; they differ where frames are not evenly spaced. 0 = unknown.
	FrameRate, AverageRate Ratio
}

// Audio is a stream of sound.
type Audio struct {
	Stream
	SampleRate int // in samples a second
	Channels   int
	Layout     string // of the channels, as "stereo"; "" = unknown
	Format     string // of the samples, as "fltp"
}

// Present reports whether there is a picture.
func (v Video) Present() bool { return v.Codec != "" }

// Present reports whether there is sound.
func (a Audio) Present() bool { return a.Codec != "" }

// Plain reports whether the file is as players like it best: one index, in front, and
// nothing behind the last box. What is not plain is worth a Join of one part.
func (i Info) Plain() bool {
	return i.Layout.FastStart && !i.Layout.Fragmented && len(i.Layout.Warnings) == 0
}

// begin is when the first of picture and sound begins.
func (i Info) begin() time.Duration {
	switch {
	case !i.Video.Present():
		return i.Audio.Start
	case !i.Audio.Present():
		return i.Video.Start
	}
	return min(i.Video.Start, i.Audio.Start)
}

// Ratio is a rational number; the zero value is unknown.
type Ratio struct{ Num, Den int64 }

// Float is the number; 0 when it is unknown.
func (r Ratio) Float() float64 {
	if r.Den == 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// String writes it as ffmpeg reads it.
func (r Ratio) String() string { return fmt.Sprintf("%d/%d", r.Num, r.Den) }

// parseRatio reads "16:9" or "25/1"; what is no positive number is the zero Ratio. The
// result is reduced.
func parseRatio(s string) Ratio {
	num, den, ok := strings.Cut(strings.ReplaceAll(s, ":", "/"), "/")
	n, err1 := strconv.ParseInt(num, 10, 32)
	d, err2 := strconv.ParseInt(den, 10, 32)
	if !ok || err1 != nil || err2 != nil || n <= 0 || d <= 0 {
		return Ratio{}
	}
	return reduced(n, d)
}

func reduced(n, d int64) Ratio {
	r := big.NewRat(n, d)
	return Ratio{r.Num().Int64(), r.Denom().Int64()}
}

type probeJSON struct {
	Streams []streamJSON `json:"streams"`
	Format  struct {
		BitRate string `json:"bit_rate"`
	} `json:"format"`
}

type streamJSON struct {
	Index        int    `json:"index"`
	ID           string `json:"id"`
	Type         string `json:"codec_type"`
	Codec        string `json:"codec_name"`
	Tag          string `json:"codec_tag_string"`
	Profile      string `json:"profile"`
	Level        int    `json:"level"`
	Config       string `json:"extradata_hash"`
	TimeBase     string `json:"time_base"`
	FrameRate    string `json:"r_frame_rate"`
	AverageRate  string `json:"avg_frame_rate"`
	Start        string `json:"start_time"`
	Duration     string `json:"duration"`
	Packets      string `json:"nb_frames"`
	BitRate      string `json:"bit_rate"`
	Width        int    `json:"width"`
	Height       int    `json:"height"`
	SampleAspect string `json:"sample_aspect_ratio"`
	Pixels       string `json:"pix_fmt"`
	Range        string `json:"color_range"`
	Space        string `json:"color_space"`
	Transfer     string `json:"color_transfer"`
	Primaries    string `json:"color_primaries"`
	FieldOrder   string `json:"field_order"`
	SampleRate   string `json:"sample_rate"`
	SampleFormat string `json:"sample_fmt"`
	Layout       string `json:"channel_layout"`
	Channels     int    `json:"channels"`
	Disposition  struct {
		AttachedPicture int `json:"attached_pic"`
		Thumbnails      int `json:"timed_thumbnails"`
	} `json:"disposition"`
	SideData []struct {
		Matrix   string  `json:"displaymatrix"`
		Rotation float64 `json:"rotation"`
	} `json:"side_data_list"`
}

// maxProbeOutput bounds ffprobe's account of a file: a stream takes about 2 kB of it.
const maxProbeOutput = 1 << 20

// Probe inspects a file. Kind Corrupt: it does not play; the reason is one of package
// mp4 (a page, an index or media data that is missing or cut short, nothing to play),
// ReasonUnreadable or ReasonTooExpensive. Other kinds are faults of this machine.
func (t Tool) Probe(ctx context.Context, path string) (Info, error) {
	const op = "ffprobe"
	layout, err := scan(path)
	if err != nil {
		return Info{}, err
	}
	var out bytes.Buffer
	args := append([]string{"-v", "error", "-max_alloc", maxAlloc, "-show_streams", "-show_format", "-show_data_hash", "sha256", "-of", "json"}, reading(path)...)
	if err := t.run(ctx, op, t.ffprobe(), probeLimits, &out, args...); err != nil {
		return Info{}, err
	}
	var in probeJSON
	if err := json.Unmarshal(out.Bytes(), &in); err != nil {
		return Info{}, &media.Error{Kind: media.Corrupt, Op: op, Reason: ReasonUnreadable, Err: err}
	}
	info := Info{Layout: layout, Streams: len(in.Streams)}
	info.BitRate, _ = strconv.ParseInt(in.Format.BitRate, 10, 64)
	for _, s := range in.Streams {
		info.add(s)
	}
	if !info.Video.Present() && !info.Audio.Present() {
		return Info{}, &media.Error{Kind: media.Corrupt, Op: op, Reason: mp4.ReasonNoPlayableTrack, Err: fmt.Errorf("no stream of %d is a picture or a sound of a known codec", len(in.Streams))}
	}
	if err := t.completeDurations(ctx, path, &info); err != nil {
		return Info{}, err
	}
	begin := info.begin()
	if info.Video.Present() {
		info.Duration = info.Video.End() - begin
	}
	if info.Audio.Present() {
		info.Duration = max(info.Duration, info.Audio.End()-begin)
	}
	if info.Duration <= 0 {
		return Info{}, &media.Error{Kind: media.Corrupt, Op: op, Reason: mp4.ReasonNoPlayableTrack, Err: fmt.Errorf("neither the picture nor the sound lasts any time")}
	}
	return info, nil
}

// scan reads the structure of the file at a path.
func scan(path string) (mp4.File, error) {
	const op = "mp4"
	f, err := os.Open(path)
	if err != nil {
		return mp4.File{}, media.Fault(media.Other, op, err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return mp4.File{}, media.Fault(media.Other, op, err)
	}
	return mp4.Scan(f, stat.Size())
}

// add takes one stream of ffprobe's account. The first picture and the first sound
// count, as they do for players; streams of an unknown codec or without a sample do not.
func (i *Info) add(s streamJSON) {
	stream := s.stream()
	id, _ := strconv.ParseUint(strings.TrimPrefix(s.ID, "0x"), 16, 32)
	for _, t := range i.Layout.Tracks {
		if t.ID == uint32(id) {
			stream.Track = t
		}
	}
	stream.Language = stream.Track.Language
	if stream.Codec == "" || s.Disposition.AttachedPicture+s.Disposition.Thumbnails > 0 || stream.Track.Samples == 0 && !i.Layout.Fragmented {
		return
	}
	switch {
	case s.Type == "video" && s.Width > 0 && s.Height > 0 && !i.Video.Present():
		i.Video = s.video(stream)
	case s.Type == "audio" && s.Channels > 0 && !i.Audio.Present():
		rate, _ := strconv.Atoi(s.SampleRate)
		i.Audio = Audio{Stream: stream, SampleRate: rate, Channels: s.Channels, Layout: s.Layout, Format: s.SampleFormat}
	case s.Type == "video", s.Type == "audio":
		i.Dropped++
	}
}

func (s streamJSON) stream() Stream {
	out := Stream{
		Index: s.Index, Codec: s.Codec, Tag: s.Tag, Profile: s.Profile, Config: s.Config,
		TimeBase: parseRatio(s.TimeBase), Start: parseSeconds(s.Start), Duration: max(0, parseSeconds(s.Duration)),
	}
	if s.Codec == "none" || s.Codec == "unknown" {
		out.Codec = ""
	}
	out.Packets, _ = strconv.ParseInt(s.Packets, 10, 64)
	out.BitRate, _ = strconv.ParseInt(s.BitRate, 10, 64)
	return out
}

func (s streamJSON) video(stream Stream) Video {
	v := Video{
		Stream: stream, Level: s.Level, Width: s.Width, Height: s.Height, SampleAspect: parseRatio(s.SampleAspect),
		Pixels: s.Pixels, Color: strings.Join([]string{s.Range, s.Space, s.Transfer, s.Primaries}, "/"),
		Interlaced: s.FieldOrder != "" && s.FieldOrder != "progressive" && s.FieldOrder != "unknown",
		FrameRate:  parseRatio(s.FrameRate), AverageRate: parseRatio(s.AverageRate),
	}
	if v.SampleAspect == (Ratio{}) {
		v.SampleAspect = Ratio{1, 1}
	}
	for _, d := range s.SideData {
		if d.Matrix != "" {
			v.Matrix = strings.Join(strings.Fields(d.Matrix), " ")
			v.Rotation = (int(math.Round(d.Rotation))%360 + 360) % 360
		}
	}
	return v
}

// parseSeconds reads a number of seconds; what is none, or beyond a thousand hours, is 0.
func parseSeconds(s string) time.Duration {
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > 3.6e6 {
		return 0
	}
	return time.Duration(math.Round(seconds*1e6)) * time.Microsecond
}

// completeDurations measures the streams of a fragmented file, whose headers are mostly
// silent or wrong about them, and those whose duration is absent.
func (t Tool) completeDurations(ctx context.Context, path string, info *Info) error {
	lacks := func(s Stream) bool { return s.Codec != "" && s.Duration <= 0 }
	if !info.Layout.Fragmented && !lacks(info.Video.Stream) && !lacks(info.Audio.Stream) {
		return nil
	}
	spans, err := t.measurePackets(ctx, path, info.Layout.Duration)
	if err != nil {
		return err
	}
	for _, s := range []*Stream{&info.Video.Stream, &info.Audio.Stream} {
		if s.Codec == "" {
			continue
		}
		span, ok := spans[s.Index]
		if !ok {
			*s = Stream{} // it has no packet
			continue
		}
		tick := s.TimeBase.Float() * float64(time.Second)
		s.Start, s.Duration, s.Packets = time.Duration(float64(span.first)*tick), time.Duration(float64(span.end-span.first)*tick), span.packets
	}
	if !info.Video.Present() {
		info.Video = Video{}
	}
	if !info.Audio.Present() {
		info.Audio = Audio{}
	}
	return nil
}

// packetSpan is what the packets of a stream cover, in ticks.
type packetSpan struct {
	first, end, packets int64
}

// measurePackets lists the packets of a file, which reads all of it.
func (t Tool) measurePackets(ctx context.Context, path string, d time.Duration) (map[int]packetSpan, error) {
	spans := map[int]packetSpan{}
	out := &lines{f: func(line string) {
		// stream, presentation time, duration, flags
		field := strings.Split(line, ",")
		if len(field) < 4 || strings.Contains(field[3], "D") {
			return // a packet that the edit list discards
		}
		index, err1 := strconv.Atoi(field[0])
		at, err2 := strconv.ParseInt(field[1], 10, 64)
		length, _ := strconv.ParseInt(field[2], 10, 64)
		if err1 != nil || err2 != nil || index < 0 || index > 1000 {
			return
		}
		span, ok := spans[index]
		if !ok {
			span = packetSpan{first: at, end: at}
		}
		span.first, span.end, span.packets = min(span.first, at), max(span.end, at+length), span.packets+1
		spans[index] = span
	}}
	args := append([]string{"-v", "error", "-max_alloc", maxAlloc, "-show_entries", "packet=stream_index,pts,duration,flags", "-of", "csv=p=0"}, reading(path)...)
	return spans, t.run(ctx, "ffprobe: packets", t.ffprobe(), copyLimits(max(d, 10*time.Hour)), out, args...)
}
