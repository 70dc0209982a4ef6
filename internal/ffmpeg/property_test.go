package ffmpeg

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// joinLists is how many random lists of parts TestJoinRandomLists joins, unless
// FFMPEG_JOIN_LISTS says otherwise. FFMPEG_JOIN_SEED is the seed of the first list; the
// seeds of the others follow.
const joinLists = 4

// TestJoinRandomLists joins random lists of parts. Each part shows one color, with a
// mark in one corner, and sounds one tone; after the join, the color, the place of the
// picture, the corner of the mark and the tone at any time must be those of the part
// that the durations of the parts say. Probe must refuse the parts that do not play, and only
// them; the others are joined without them.
func TestJoinRandomLists(t *testing.T) {
	count, first := joinLists, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("FFMPEG_JOIN_LISTS")); err == nil {
		count = n
	}
	if n, err := strconv.ParseUint(os.Getenv("FFMPEG_JOIN_SEED"), 10, 64); err == nil {
		first = n
	}
	methods := map[Method]int{}
	refused, parts := 0, 0
	for i := range count {
		seed := first + uint64(i)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			list := randomList(rand.New(rand.NewPCG(seed, 0)))
			t.Logf("parts: %s", list)
			got := joinList(t, list)
			methods[got.method]++
			refused += got.refused
			parts += len(list)
		})
	}
	t.Logf("%d lists of %d parts; refused parts %d; %v", count, parts, refused, methods)
}

// partSpec is how a part is made.
type partSpec struct {
	color, tone            int // indexes
	width, height          int
	rate, sampleAspect     string
	timescale              int
	codec, pixels          string
	reorder                bool // B-frames
	video, audio           bool
	videoLength, extra     time.Duration // extra: how much longer the sound is
	soundDelay, hidden     time.Duration // hidden: by an edit list, at the beginning
	audioCodec             string
	sampleRate, channels   int
	rotation               int
	fragmented, indexFront bool
	behind                 int // stray bytes
	fault                  string
}

func (p partSpec) String() string {
	type fields partSpec // without this method
	return fmt.Sprintf("%+v", fields(p))
}

// colors are far from each other, from black, and from the white of the mark.
var colors = [][3]float64{{0, 0, 0}, {200, 0, 0}, {0, 160, 0}, {0, 0, 220}, {200, 180, 0}, {180, 0, 180}, {0, 170, 190}, {120, 120, 120}}

// tone is the frequency of a tone in hertz. Tone 0 is silence.
func tone(i int) float64 { return 400 + 300*float64(i) }

const hiddenTone = 9 // heard only where an edit list is ignored

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func randomPart(r *rand.Rand) partSpec {
	size := pick(r, [2]int{160, 90}, [2]int{128, 96}, [2]int{96, 160}, [2]int{240, 136})
	return partSpec{
		width: size[0], height: size[1], rate: pick(r, "10", "15", "25", "30", "30000/1001"), sampleAspect: pick(r, "1/1", "1/1", "4/3", "8/9"),
		timescale: pick(r, 0, 12800, 90000, 15360), codec: pick(r, "libx264", "libx264", "libx264", "mpeg4", "libx265"), pixels: pick(r, "yuv420p", "yuv420p", "yuv420p", "yuv444p"),
		reorder: r.IntN(2) == 0, video: true, audio: true, audioCodec: pick(r, "aac", "aac", "aac", "libmp3lame"),
		sampleRate: pick(r, 48000, 44100, 32000, 16000), channels: 1 + r.IntN(2), rotation: pick(r, 0, 0, 0, 90, 180, 270),
	}
}

// mutate changes one property, so that lists are made whose parts are nearly equal.
func (p *partSpec) mutate(r *rand.Rand) {
	other := randomPart(r)
	switch r.IntN(12) {
	case 0:
		p.width, p.height = other.width, other.height
	case 1:
		p.rate = other.rate
	case 2:
		p.sampleAspect = other.sampleAspect
	case 3:
		p.timescale = other.timescale
	case 4:
		p.codec, p.pixels = other.codec, other.pixels
	case 5:
		p.reorder = !p.reorder
	case 6:
		p.audioCodec = other.audioCodec
	case 7:
		p.sampleRate = other.sampleRate
	case 8:
		p.channels = other.channels
	case 9:
		p.rotation = other.rotation
	case 10:
		p.audio = false
	case 11:
		p.video = false
	}
}

// vary sets what each part has of its own.
func (p *partSpec) vary(r *rand.Rand) {
	p.videoLength = time.Duration(1000+r.IntN(1000)) * time.Millisecond
	chance := func(n int) bool { return r.IntN(n) == 0 }
	if chance(4) {
		p.extra = pick[time.Duration](r, -400, 400, 700) * time.Millisecond
	}
	switch {
	case chance(8) && p.video && p.audio:
		p.soundDelay = 500 * time.Millisecond
	case chance(8):
		p.hidden = 500 * time.Millisecond
	default:
		// ffmpeg writes no edit list into a fragmented file.
		p.fragmented = chance(4)
	}
	p.indexFront = chance(2)
	if chance(6) {
		p.behind = 1 + r.IntN(40)
	}
	if chance(12) {
		p.fault = pick(r, "empty", "truncated")
	}
}

func randomList(r *rand.Rand) []partSpec {
	base := randomPart(r)
	alike := r.IntN(2) == 0
	copies := alike && r.IntN(2) == 0 // nothing keeps these from being copied
	list := make([]partSpec, 1+r.IntN(4))
	for i := range list {
		if !alike {
			base = randomPart(r)
		}
		list[i] = base
		if r.IntN(3) == 0 && !copies {
			list[i].mutate(r)
		}
		list[i].vary(r)
		if copies {
			list[i].hidden, list[i].soundDelay, list[i].fragmented = 0, 0, false
		}
		list[i].color, list[i].tone = 1+(i+r.IntN(2)*3)%7, 1+i
	}
	return list
}

// make makes the file of a part.
func (p partSpec) make(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "part.mp4")
	if p.fault == "empty" {
		return sample("empty.mp4")
	}
	var args, encoders []string
	length := (p.videoLength + p.hidden).Seconds()
	if p.video {
		c := colors[p.color]
		// White is shown while the edit list hides the picture.
		args = append(args, "-f", "lavfi", "-i", fmt.Sprintf("color=c=0x%02x%02x%02x:s=%dx%d:r=%s:d=%f,drawbox=w=iw/4:h=ih/4:color=white:t=fill,drawbox=w=iw:h=ih:color=white:t=fill:enable='lt(t,%f)',setsar=%s,format=%s",
			int(c[0]), int(c[1]), int(c[2]), p.width, p.height, p.rate, length, p.hidden.Seconds()-.001, p.sampleAspect, p.pixels))
		encoders = append(encoders, "-c:v", p.codec)
		switch p.codec {
		case "libx264":
			encoders = append(encoders, "-preset", "ultrafast", "-g", "250")
			if p.reorder {
				encoders = append(encoders, "-bf", "2")
			}
		case "libx265":
			encoders = append(encoders, "-preset", "ultrafast", "-x265-params", "log-level=none")
		case "mpeg4":
			encoders = append(encoders, "-pix_fmt", "yuv420p", "-g", "250", "-q:v", "3")
		}
		if p.timescale > 0 {
			encoders = append(encoders, "-video_track_timescale", strconv.Itoa(p.timescale))
		}
	}
	if p.audio {
		if p.soundDelay > 0 {
			args = append(args, "-itsoffset", seconds(p.soundDelay))
		}
		args = append(args, "-f", "lavfi", "-i", fmt.Sprintf("aevalsrc='0.4*sin(2*PI*t*if(lt(t,%f),%f,%f))':s=%d:c=%s:d=%f",
			p.hidden.Seconds(), tone(hiddenTone), tone(p.tone), p.sampleRate, map[int]string{1: "mono", 2: "stereo"}[p.channels], p.soundLength().Seconds()+p.hidden.Seconds()))
		encoders = append(encoders, "-c:a", p.audioCodec, "-ar", strconv.Itoa(p.sampleRate), "-ac", strconv.Itoa(p.channels))
	}
	whole := filepath.Join(dir, "whole.mp4")
	command(t, append(append(args, encoders...), whole)...)
	final := []string{"-i", whole, "-map", "0", "-c", "copy"}
	if p.hidden > 0 {
		final = append([]string{"-ss", seconds(p.hidden)}, final...)
	}
	if p.rotation > 0 && p.video {
		final = append(final, "-metadata:s:v", "rotate="+strconv.Itoa(p.rotation))
	}
	if p.timescale > 0 {
		final = append(final, "-video_track_timescale", strconv.Itoa(p.timescale))
	}
	switch {
	case p.fragmented:
		final = append(final, "-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "500000")
	case p.indexFront:
		final = append(final, "-movflags", "+faststart")
	}
	command(t, append(final, out)...)
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, "\x00\x01stray bytes behind the last of all boxes"[:p.behind]...)
	if p.fault == "truncated" {
		data = data[:len(data)*2/3]
	}
	return fileOf(t, "part.mp4", data)
}

// soundLength is how long the tone is; it begins after soundDelay.
func (p partSpec) soundLength() time.Duration { return p.videoLength + p.extra }

// length is how long the part lasts.
func (p partSpec) length() (d time.Duration) {
	if p.video {
		d = p.videoLength
	}
	if p.audio {
		d = max(d, p.soundDelay+p.soundLength())
	}
	return d
}

type listOutcome struct {
	method  Method
	refused int
}

// joinList makes the parts of a list, joins them and checks the result.
func joinList(t *testing.T, list []partSpec) (outcome listOutcome) {
	t.Helper()
	var specs []partSpec
	var good []Part
	for _, p := range list {
		if !p.video && !p.audio {
			p.audio = true
		}
		path := p.make(t)
		info, err := Tool{}.Probe(t.Context(), path)
		switch {
		case (err != nil) != (p.fault != ""), err != nil && media.KindOf(err) != media.Corrupt:
			t.Fatalf("%v: probed: %v", p, err)
		case err != nil:
			outcome.refused++
		default:
			specs, good = append(specs, p), append(good, Part{path, info})
		}
	}
	if len(good) == 0 {
		return outcome
	}
	got, err := Joiner{}.Join(t.Context(), good, filepath.Join(t.TempDir(), "out.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	outcome.method = got.Method
	t.Logf("%s %s", got.Method, got.Why)
	checkJoin(t, got, specs, good)
	return outcome
}

// checkJoin compares the result with the parts at three times in each.
func checkJoin(t *testing.T, got Result, specs []partSpec, parts []Part) {
	t.Helper()
	pictures, sounds := decodePictures(t, got.Path), decodeSound(t, got.Path)
	hasPicture, hasSound := false, false
	for _, p := range specs {
		hasPicture, hasSound = hasPicture || p.video, hasSound || p.audio
	}
	if hasPicture != (len(pictures.frames) > 0) || hasSound != (len(sounds) > 0) {
		t.Fatalf("%d frames and %d samples; want picture %v and sound %v", len(pictures.frames), len(sounds), hasPicture, hasSound)
	}
	begin := time.Duration(0)
	for i, p := range specs {
		length := got.Parts[i].Duration
		slack := 200 * time.Millisecond
		if p.fragmented {
			slack *= 2 // without an edit list, reordered frames are shown two later
		}
		if !near(length, p.length(), slack) {
			t.Errorf("part %d lasts %v, was probed as %v", i, p.length(), length)
		}
		for _, at := range []time.Duration{200 * time.Millisecond, length / 2, length - 250*time.Millisecond} {
			name := fmt.Sprintf("part %d at %v (%v of the whole)", i, at, begin+at)
			if hasPicture {
				want := 0
				if p.video {
					want = p.color
				}
				frame := pictures.at(begin + at)
				if frame == nil {
					t.Errorf("%s: there is no frame", name)
				} else if c := nearestColor(pictures.center(frame)); c != want {
					t.Errorf("%s: color %v, want %v", name, colors[c], colors[want])
				}
			}
			if hasSound {
				checkTone(t, name, sounds, begin+at, p, at)
			}
		}
		if hasPicture && p.video {
			checkPlace(t, i, pictures, pictures.at(begin+length/2), parts[i].Path)
		}
		begin += length
	}
}

func checkTone(t *testing.T, name string, sounds []int16, at time.Duration, p partSpec, local time.Duration) {
	t.Helper()
	const window = 60 * time.Millisecond
	want, margin := 0, 150*time.Millisecond
	if p.audio && local > p.soundDelay && local < p.soundDelay+p.soundLength() {
		want = p.tone
	}
	if p.audio && (near(local, p.soundDelay, margin) && p.soundDelay > 0 || near(local, p.soundDelay+p.soundLength(), margin)) {
		return // the tone begins or ends here
	}
	if got := loudestTone(sounds, at-window, at+window); got != want {
		t.Errorf("%s: tone %d, want %d", name, got, want)
	}
}

// checkPlace compares where the picture lies, and the corner of its mark, with the part
// as a player shows it.
func checkPlace(t *testing.T, i int, made decodedPictures, frame []byte, path string) {
	t.Helper()
	if frame == nil {
		return // said above
	}
	part := decodePictures(t, path)
	whole := part.content(part.at(part.length() / 2))
	shown := made.content(frame)
	if got, want := made.corner(frame, shown), part.corner(part.at(part.length()/2), whole); got != want {
		t.Errorf("part %d: the mark is in corner %v, want %v", i, got, want)
	}
	aspect := float64(part.width) / float64(part.height) * part.sampleAspect
	frameAspect := float64(made.width) / float64(made.height) * made.sampleAspect
	width, height := float64(made.width), float64(made.height)
	if aspect > frameAspect {
		height *= frameAspect / aspect
	} else {
		width *= aspect / frameAspect
	}
	if math.Abs(float64(shown.width)-width) > 4 || math.Abs(float64(shown.height)-height) > 4 {
		t.Errorf("part %d is shown %d x %d pixels large, want %.1f x %.1f of %d x %d", i, shown.width, shown.height, width, height, made.width, made.height)
	}
	if left, right := shown.x, made.width-shown.x-shown.width; max(left-right, right-left) > 5 {
		t.Errorf("part %d is not in the middle: %d and %d pixels beside it", i, left, right)
	}
}

// decodedPictures are the frames of a file as a player shows them, rotated, ten a second.
type decodedPictures struct {
	width, height int
	sampleAspect  float64
	frames        [][]byte // RGB
}

const decodedRate = 10

// program runs a program that decodes, and returns its output.
func program(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var problem bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, problem.String())
	}
	return out
}

func decodePictures(t *testing.T, path string) decodedPictures {
	t.Helper()
	text := string(program(t, "ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height,sample_aspect_ratio:stream_side_data=rotation", "-of", "default=nw=1", path))
	field := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		field[name] = value
	}
	var p decodedPictures
	p.width, _ = strconv.Atoi(field["width"])
	p.height, _ = strconv.Atoi(field["height"])
	p.sampleAspect = 1
	if num, den, ok := strings.Cut(field["sample_aspect_ratio"], ":"); ok && num != "0" {
		n, _ := strconv.ParseFloat(num, 64)
		d, _ := strconv.ParseFloat(den, 64)
		p.sampleAspect = n / d
	}
	if r, _ := strconv.Atoi(field["rotation"]); r%180 != 0 {
		p.width, p.height, p.sampleAspect = p.height, p.width, 1/p.sampleAspect
	}
	if p.width == 0 {
		return p
	}
	data := program(t, "ffmpeg", "-nostdin", "-v", "fatal", "-i", path, "-map", "0:v:0", "-vf", fmt.Sprintf("fps=%d:start_time=0", decodedRate), "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
	for size := p.width * p.height * 3; len(data) >= size; data = data[size:] {
		p.frames = append(p.frames, data[:size])
	}
	return p
}

func (p decodedPictures) length() time.Duration {
	return time.Duration(len(p.frames)) * time.Second / decodedRate
}

// at is the frame that is shown at a time; the last one stays.
func (p decodedPictures) at(d time.Duration) []byte {
	i := int(d * decodedRate / time.Second)
	if len(p.frames) == 0 || i < 0 || i > len(p.frames)+decodedRate {
		return nil
	}
	return p.frames[min(i, len(p.frames)-1)]
}

func (p decodedPictures) pixel(frame []byte, x, y int) [3]float64 {
	i := (y*p.width + x) * 3
	return [3]float64{float64(frame[i]), float64(frame[i+1]), float64(frame[i+2])}
}

// center is the mean color around the center.
func (p decodedPictures) center(frame []byte) (mean [3]float64) {
	const size = 8
	for y := range size {
		for x := range size {
			c := p.pixel(frame, p.width/2+x-size/2, p.height/2+y-size/2)
			for i := range mean {
				mean[i] += c[i] / (size * size)
			}
		}
	}
	return mean
}

func distance(a, b [3]float64) (d float64) {
	for i := range a {
		d += (a[i] - b[i]) * (a[i] - b[i])
	}
	return d
}

func nearestColor(c [3]float64) (nearest int) {
	for i := range colors {
		if distance(c, colors[i]) < distance(c, colors[nearest]) {
			nearest = i
		}
	}
	return nearest
}

type rectangle struct{ x, y, width, height int }

// content is what is not black, seen along the lines through the center.
func (p decodedPictures) content(frame []byte) rectangle {
	lit := func(x, y int) bool { return distance(p.pixel(frame, x, y), colors[0]) > 60*60 }
	r := rectangle{x: p.width, y: p.height}
	for x := range p.width {
		if lit(x, p.height/2) {
			r.x, r.width = min(r.x, x), x
		}
	}
	for y := range p.height {
		if lit(p.width/2, y) {
			r.y, r.height = min(r.y, y), y
		}
	}
	r.width, r.height = r.width-r.x+1, r.height-r.y+1
	return r
}

// corner is the corner of a rectangle that is white: right and below, or neither.
func (p decodedPictures) corner(frame []byte, r rectangle) (brightest [2]bool) {
	most := -1.0
	for _, c := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
		x, y := r.x+r.width/8, r.y+r.height/8
		if c[0] {
			x = r.x + r.width*7/8
		}
		if c[1] {
			y = r.y + r.height*7/8
		}
		if light := distance(p.pixel(frame, x, y), colors[0]); light > most {
			most, brightest = light, c
		}
	}
	return brightest
}

const decodedSampleRate = 8000

// decodeSound is the sound of a file at its times: gaps are filled with silence.
func decodeSound(t *testing.T, path string) (samples []int16) {
	t.Helper()
	if len(program(t, "ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries", "stream=index", "-of", "csv=p=0", path)) == 0 {
		return nil
	}
	data := program(t, "ffmpeg", "-nostdin", "-v", "fatal", "-i", path, "-map", "0:a:0", "-af", fmt.Sprintf("aresample=%d:async=1:first_pts=0", decodedSampleRate), "-ac", "1", "-f", "s16le", "-")
	for i := 0; i+1 < len(data); i += 2 {
		samples = append(samples, int16(uint16(data[i])|uint16(data[i+1])<<8))
	}
	return samples
}

// loudestTone is the tone that is heard from one time to another; 0 = silence.
func loudestTone(samples []int16, from, to time.Duration) int {
	index := func(d time.Duration) int {
		return min(max(0, int(d*decodedSampleRate/time.Second)), len(samples))
	}
	part := samples[index(from):index(to)]
	power := 0.0
	for _, s := range part {
		power += float64(s) * float64(s)
	}
	if len(part) == 0 || math.Sqrt(power/float64(len(part))) < 300 {
		return 0
	}
	loudest, most := 0, 0.0
	for i := 1; i <= hiddenTone; i++ {
		re, im := 0.0, 0.0
		for n, s := range part {
			angle := 2 * math.Pi * tone(i) * float64(n) / decodedSampleRate
			re += float64(s) * math.Cos(angle)
			im += float64(s) * math.Sin(angle)
		}
		if e := re*re + im*im; e > most {
			loudest, most = i, e
		}
	}
	return loudest
}
