package webvtt

import (
	"reflect"
	"testing"
	"time"
)

const zooms = "WEBVTT\r\n\r\n1\r\n00:00:01.500 --> 00:00:03.000\r\nAnna: Good morning\r\n\r\n2\r\n00:00:04.000 --> 00:00:06.000 align:start\r\nBoris: Hello\r\nto you\r\n"

func TestRoundTrip(t *testing.T) {
	track, err := Parse([]byte(zooms))
	if err != nil {
		t.Fatal(err)
	}
	want := []Cue{{1500 * time.Millisecond, 3 * time.Second, "", "Anna: Good morning"}, {4 * time.Second, 6 * time.Second, "align:start", "Boris: Hello\nto you"}}
	if !reflect.DeepEqual(track.Cues, want) {
		t.Errorf("%+v", track.Cues)
	}
	again, err := Parse([]byte(track.String()))
	if err != nil || !reflect.DeepEqual(again, track) {
		t.Errorf("%+v, %v", again, err)
	}
	var joined Track
	joined.Append(track, 0)
	joined.Append(track, 100*time.Hour)
	if got := joined.Cues[2]; got.Start != 100*time.Hour+1500*time.Millisecond {
		t.Errorf("moved to %s", got.Start)
	}
	if again, err := Parse([]byte(joined.String())); err != nil || !reflect.DeepEqual(again, joined) {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestNotVTT(t *testing.T) {
	for _, in := range []string{"", "<html>no</html>", "WEBVTTX\n"} {
		if _, err := Parse([]byte(in)); err == nil {
			t.Errorf("%q was taken", in)
		}
	}
	for _, in := range []string{"WEBVTT\n\n00:99:00.000 --> 00:00:01.000\nx", "WEBVTT\n\n00:02.000 --> 00:01.000\nx", "WEBVTT\n\nNOTE a --> b\nx", "WEBVTT\n\n1\n2\n00:01.000 --> 00:02.000\nx"} {
		if track, err := Parse([]byte(in)); err != nil || len(track.Cues) != 0 {
			t.Errorf("%q: %+v, %v", in, track, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(zooms))
	f.Add([]byte("WEBVTT\n\n00:01.000 --> 00:02.000 x\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		track, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse([]byte(track.String()))
		if err != nil || len(again.Cues) != len(track.Cues) {
			t.Errorf("%q became %q", data, track.String())
		}
	})
}
