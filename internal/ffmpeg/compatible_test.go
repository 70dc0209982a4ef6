package ffmpeg

import (
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/mp4"
)

// recorded is an ordinary part.
func recorded() Info {
	return Info{
		Duration: 10 * time.Second,
		Video: Video{
			Stream: Stream{Index: 0, Codec: "h264", Tag: "avc1", Profile: "High", Config: "SHA256:1", TimeBase: Ratio{1, 90000}, Duration: 10 * time.Second,
				Track: mp4.Track{Formats: 1, Timescale: 90000, Times: mp4.Times{Total: 900000, FirstComposition: 7200}, Edits: mp4.Edits{Count: 1, Simple: true, MediaTime: 7200, Length: 10 * time.Second}}},
			Level: 31, Width: 1280, Height: 720, SampleAspect: Ratio{1, 1}, Pixels: "yuv420p", Color: "tv/bt709/bt709/bt709", FrameRate: Ratio{25, 1}, AverageRate: Ratio{25, 1},
		},
		Audio: Audio{
			Stream: Stream{Index: 1, Codec: "aac", Tag: "mp4a", Profile: "LC", Config: "SHA256:2", TimeBase: Ratio{1, 32000}, Duration: 10 * time.Second,
				Track: mp4.Track{Formats: 1, Timescale: 32000, Times: mp4.Times{Total: 321024}, Edits: mp4.Edits{Count: 1, Simple: true, MediaTime: 1024, Length: 10 * time.Second}}},
			SampleRate: 32000, Channels: 1, Layout: "mono", Format: "fltp",
		},
	}
}

func TestCompatible(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Info)
		why    string // the beginning of it; "" = compatible
	}{
		{"equal", func(*Info) {}, ""},
		{"another length", func(i *Info) {
			i.Duration, i.Video.Duration = 5*time.Second, 5*time.Second
			i.Video.Track.Times.Total, i.Video.Track.Edits.Length = 450000, 5*time.Second
		}, ""},
		{"another language", func(i *Info) { i.Audio.Language = "rus" }, ""},
		{"bytes behind", func(i *Info) { i.Layout.Warnings = []mp4.Warning{mp4.TrailingBytes} }, ""},
		{"frames of uneven length", func(i *Info) { i.Video.AverageRate = Ratio{1437, 100} }, ""},
		{"a rate that is guessed otherwise", func(i *Info) { i.Video.FrameRate, i.Video.AverageRate = Ratio{50, 1}, Ratio{249, 10} }, ""},
		{"video codec", func(i *Info) { i.Video.Codec = "hevc" }, "video codec: h264 and hevc"},
		{"video tag", func(i *Info) { i.Video.Tag = "avc3" }, "video tag"},
		{"video profile", func(i *Info) { i.Video.Profile = "Main" }, "video profile"},
		{"video configuration", func(i *Info) { i.Video.Config = "SHA256:3" }, "video configuration"},
		{"video level", func(i *Info) { i.Video.Level = 40 }, "video level"},
		{"video time base", func(i *Info) { i.Video.TimeBase = Ratio{1, 12800} }, "video time base: 1/90000 and 1/12800"},
		{"video index", func(i *Info) { i.Video.Index, i.Audio.Index = 1, 0 }, "video index"},
		{"width", func(i *Info) { i.Video.Width = 1920 }, "video width"},
		{"height", func(i *Info) { i.Video.Height = 1080 }, "video height"},
		{"sample aspect", func(i *Info) { i.Video.SampleAspect = Ratio{4, 3} }, "sample aspect: 1/1 and 4/3"},
		{"rotation", func(i *Info) { i.Video.Rotation = 90 }, "rotation"},
		{"mirrored", func(i *Info) { i.Video.Matrix = "-65536" }, "display matrix"},
		{"pixel format", func(i *Info) { i.Video.Pixels = "yuv444p" }, "pixel format"},
		{"color", func(i *Info) { i.Video.Color = "pc/bt709/bt709/bt709" }, "color"},
		{"interlaced", func(i *Info) { i.Video.Interlaced = true }, "interlacing"},
		{"frame rate", func(i *Info) { i.Video.FrameRate, i.Video.AverageRate = Ratio{30, 1}, Ratio{30, 1} }, "frame rate: 25/1 and 30/1"},
		{"video edit list", func(i *Info) { i.Video.Track.Edits.MediaTime = 3600 }, "video edit list"},
		{"no edit list", func(i *Info) { i.Audio.Track.Edits = mp4.Edits{} }, "audio edit list"},
		{"an edit list that cuts the beginning", func(i *Info) { i.Video.Track.Edits.MediaTime = 90000 }, "h264: an edit list cuts"},
		{"an edit list that cuts the end", func(i *Info) { i.Audio.Track.Edits.Length = 8 * time.Second }, "aac: an edit list cuts"},
		{"an edit list with two cuts", func(i *Info) { i.Audio.Track.Edits = mp4.Edits{Count: 2} }, "aac: an edit list cuts"},
		{"an edit list that delays", func(i *Info) { i.Audio.Track.Edits.Delay = time.Second }, "aac: an edit list cuts"},
		{"a late beginning", func(i *Info) { i.Audio.Start = time.Second }, "aac: a stream begins late"},
		{"a change of format", func(i *Info) { i.Video.Track.Formats = 2 }, "h264: the codec's configuration changes"},
		{"fragmented", func(i *Info) { i.Layout.Fragmented = true }, "a part is fragmented"},
		{"no picture", func(i *Info) { i.Video = Video{} }, "picture: true and false"},
		{"no sound", func(i *Info) { i.Audio = Audio{} }, "sound: true and false"},
		{"audio codec", func(i *Info) { i.Audio.Codec = "mp3" }, "audio codec"},
		{"audio profile", func(i *Info) { i.Audio.Profile = "HE-AAC" }, "audio profile"},
		{"audio configuration", func(i *Info) { i.Audio.Config = "SHA256:4" }, "audio configuration"},
		{"audio time base", func(i *Info) { i.Audio.TimeBase = Ratio{1, 48000} }, "audio time base"},
		{"sample rate", func(i *Info) { i.Audio.SampleRate = 48000 }, "sample rate: 32000 and 48000"},
		{"channels", func(i *Info) { i.Audio.Channels = 2 }, "channels: 1 and 2"},
		{"channel layout", func(i *Info) { i.Audio.Layout = "" }, "channel layout"},
		{"sample format", func(i *Info) { i.Audio.Format = "s16p" }, "sample format"},
	} {
		other := recorded()
		c.change(&other)
		ok, why := Compatible(recorded(), other)
		if ok != (c.why == "") || !strings.HasPrefix(why, c.why) {
			t.Errorf("%s: %v, %q", c.name, ok, why)
		}
		if back, _ := Compatible(other, recorded()); back != ok {
			t.Errorf("%s: compatible one way only", c.name)
		}
	}
}

func TestTarget(t *testing.T) {
	part := func(change func(*Info)) Info {
		i := recorded()
		change(&i)
		return i
	}
	small := part(func(i *Info) {
		i.Video.Width, i.Video.Height, i.Video.FrameRate, i.Audio.SampleRate, i.Audio.Channels = 640, 480, Ratio{30, 1}, 48000, 6
	})
	portrait := part(func(i *Info) { i.Video.Width, i.Video.Height, i.Video.Rotation = 1920, 1080, 90 })
	odd := part(func(i *Info) { i.Video.Width, i.Video.Height, i.Audio.SampleRate = 1281, 721, 37800 })
	wide := part(func(i *Info) { i.Video.SampleAspect, i.Duration = Ratio{4, 3}, 20*time.Second })
	deaf, blind := part(func(i *Info) { i.Audio = Audio{} }), part(func(i *Info) { i.Video = Video{} })
	for _, c := range []struct {
		name  string
		parts []Info
		want  target
	}{
		{"the best of each", []Info{small, recorded()}, target{true, true, 1280, 720, Ratio{1, 1}, Ratio{30, 1}, 48000, 2}},
		{"rotation applied", []Info{recorded(), portrait}, target{true, true, 1080, 1920, Ratio{1, 1}, Ratio{25, 1}, 32000, 1}},
		{"even sizes, a rate of AAC", []Info{odd}, target{true, true, 1280, 720, Ratio{1, 1}, Ratio{25, 1}, 44100, 1}},
		{"the longest of one size", []Info{recorded(), wide}, target{true, true, 1280, 720, Ratio{4, 3}, Ratio{25, 1}, 32000, 1}},
		{"the first of one size and length", []Info{recorded(), part(func(i *Info) { i.Video.SampleAspect = Ratio{4, 3} })}, target{true, true, 1280, 720, Ratio{1, 1}, Ratio{25, 1}, 32000, 1}},
		{"sound from one, picture from the other", []Info{deaf, blind}, target{true, true, 1280, 720, Ratio{1, 1}, Ratio{25, 1}, 32000, 1}},
	} {
		if got := targetOf(c.parts).encodable(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	if got := targetOf([]Info{blind}); got.video || !got.audio {
		t.Errorf("sound only: %+v", got)
	}
}

func TestSteadyRate(t *testing.T) {
	for _, c := range []struct{ rate, average, want Ratio }{
		{Ratio{25, 1}, Ratio{25, 1}, Ratio{25, 1}},
		{Ratio{30000, 1001}, Ratio{30000, 1001}, Ratio{30000, 1001}},
		{Ratio{90000, 1}, Ratio{1437, 100}, Ratio{15, 1}}, // a screen, recorded unevenly
		{Ratio{120, 1}, Ratio{120, 1}, Ratio{60, 1}},
		{Ratio{1, 2}, Ratio{1, 2}, Ratio{5, 1}},
		{Ratio{}, Ratio{}, Ratio{5, 1}},
	} {
		if got := steadyRate(Video{FrameRate: c.rate, AverageRate: c.average}); got != c.want {
			t.Errorf("%v, %v on average: %v, want %v", c.rate, c.average, got, c.want)
		}
	}
}

func TestFit(t *testing.T) {
	frame := target{width: 1280, height: 720, sampleAspect: Ratio{1, 1}}
	for _, c := range []struct {
		name                    string
		width, height, rotation int
		sampleAspect            Ratio
		wantWidth, wantHeight   int
	}{
		{"the same", 1280, 720, 0, Ratio{1, 1}, 1280, 720},
		{"smaller", 640, 360, 0, Ratio{1, 1}, 1280, 720},
		{"4:3", 640, 480, 0, Ratio{1, 1}, 960, 720},
		{"64:27", 1280, 720, 0, Ratio{4, 3}, 1280, 540},
		{"4:3 by its pixels", 720, 720, 0, Ratio{4, 3}, 960, 720},
		{"portrait", 1280, 720, 90, Ratio{1, 1}, 406, 720},
		{"portrait with pixels", 1280, 720, 270, Ratio{4, 3}, 304, 720},
		{"a line", 10000, 2, 0, Ratio{1, 1}, 1280, 2},
	} {
		v := Video{Width: c.width, Height: c.height, Rotation: c.rotation, SampleAspect: c.sampleAspect}
		if w, h := frame.fit(v); w != c.wantWidth || h != c.wantHeight {
			t.Errorf("%s: %d x %d, want %d x %d", c.name, w, h, c.wantWidth, c.wantHeight)
		}
	}
}
