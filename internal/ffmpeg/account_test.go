package ffmpeg

import (
	"encoding/json"
	"testing"

	"github.com/lectiospace/lectern/internal/mp4"
)

// FuzzAccount: whatever ffprobe says of a file that somebody has made, lengths and ratios are
// positive or not known, and a turn is one of a circle.
func FuzzAccount(f *testing.F) {
	for _, seed := range []string{
		`{"streams":[{"index":0,"id":"0x1","codec_type":"video","codec_name":"h264","width":160,"height":90,"r_frame_rate":"25/1","time_base":"1/12800","duration":"2.0","sample_aspect_ratio":"4:3","side_data_list":[{"displaymatrix":"x","rotation":-90}]},{"index":1,"id":"0x2","codec_type":"audio","codec_name":"aac","channels":2,"sample_rate":"48000","duration":"1e9"}]}`,
		`{"streams":[{"id":"0x1","codec_type":"video","codec_name":"none","width":-1,"duration":"NaN","start_time":"-1e300","side_data_list":[{"displaymatrix":"x","rotation":1e300}]}]}`,
		`{"streams":[{"id":"0x2","codec_type":"audio","codec_name":"opus","channels":1,"r_frame_rate":"0/0","avg_frame_rate":"2147483647/2147483647","duration":"-5"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, account []byte) {
		var in probeJSON
		if json.Unmarshal(account, &in) != nil {
			return
		}
		info := Info{Layout: mp4.File{Fragmented: true, Tracks: []mp4.Track{{ID: 1, Samples: 5}, {ID: 2, Samples: 5}}}}
		for _, s := range in.Streams {
			info.add(s)
		}
		for _, s := range []Stream{info.Video.Stream, info.Audio.Stream} {
			if s.Duration < 0 || s.End() < s.Start {
				t.Fatalf("from %s, for %s", s.Start, s.Duration)
			}
			known(t, s.TimeBase)
		}
		v := info.Video
		known(t, v.FrameRate)
		known(t, v.AverageRate)
		if v.Present() && (v.Width <= 0 || v.Height <= 0 || v.Rotation < 0 || v.Rotation >= 360 || v.SampleAspect.Float() <= 0) {
			t.Fatalf("%+v", v)
		}
		if info.Audio.Present() && info.Audio.Channels <= 0 {
			t.Fatalf("%+v", info.Audio)
		}
	})
}

func known(t *testing.T, r Ratio) {
	t.Helper()
	if r != (Ratio{}) && (r.Num <= 0 || r.Den <= 0) {
		t.Fatalf("the ratio %s", r)
	}
}
