package workloads

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseRange(t *testing.T) {
	for header, want := range map[string]PlayerRequest{
		"": {Last: -1}, "bytes=0-": {Last: -1}, "bytes=7-": {From: 7, Last: -1}, "bytes=7-7": {From: 7, Last: 7}, "bytes=0-99": {Last: 99},
	} {
		if r := (PlayerRequest{From: 5, Last: 5}); !r.ParseRange(header) || r != want {
			t.Errorf("%q is %+v", header, r)
		}
	}
	for _, header := range []string{"bytes=", "bytes=-5", "bytes=5", "bytes=5-4", "bytes=0-1,3-4", "bytes=a-", "items=0-", "bytes=0-b"} {
		if r := (PlayerRequest{}); r.ParseRange(header) {
			t.Errorf("%q is %+v", header, r)
		}
	}
}

const goodRecording = `{"player": "P 1", "share": 1, "size": 1000, "watched_ms": 500, "requests": [
	{"at_ms":0,"for_ms":100,"connection":0,"from":0,"last":-1,"bytes":1000},
	{"at_ms":200,"for_ms":300,"connection":1,"from":10,"last":19,"bytes":10}]}`

func TestReadRecording(t *testing.T) {
	r, err := ReadRecording(strings.NewReader(goodRecording))
	if err != nil || len(r.Requests) != 2 || r.watched() != 500*time.Millisecond {
		t.Fatalf("%+v, %v", r, err)
	}
	steps := r.steps(10)
	if s := steps[1]; s.At != 20*time.Millisecond || s.For != 30*time.Millisecond || s.Off != 10 || s.Last != 19 || s.Want != 10 || s.Connection != 1 {
		t.Errorf("%+v", s)
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if again, err := ReadRecording(strings.NewReader(b.String())); err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("%+v, %v", again, err)
	}
	for what, change := range map[string][2]string{
		"no player":               {`"P 1"`, `""`},
		"no share":                {`"share": 1`, `"share": 0`},
		"no size":                 {`"size": 1000`, `"size": 0`},
		"no requests":             {goodRecording[strings.Index(goodRecording, "["):], `[]}`},
		"a field that is unknown": {`"for_ms":100`, `"for":100`},
		"no JSON":                 {`]}`, `]`},
		"an order that is none":   {`"at_ms":0`, `"at_ms":201`},
		"more than was asked for": {`"bytes":10}`, `"bytes":11}`},
		"a range behind the end":  {`"last":19`, `"last":1000`},
		"a range backwards":       {`"last":19`, `"last":9`},
		"a negative place":        {`"from":10`, `"from":-10`},
		"longer than the session": {`"for_ms":300`, `"for_ms":301`},
	} {
		if _, err := ReadRecording(strings.NewReader(strings.Replace(goodRecording, change[0], change[1], 1))); err == nil {
			t.Errorf("%s is read", what)
		}
	}
}

func TestArrange(t *testing.T) {
	r := Recording{Requests: []PlayerRequest{{At: 70, Connection: 1}, {At: 50}}}
	r.Arrange(time.Second)
	if r.Watched != 950 || r.Requests[0] != (PlayerRequest{At: 0}) || r.Requests[1] != (PlayerRequest{At: 20, Connection: 1}) {
		t.Errorf("%+v", r)
	}
}

// TestRecordings: the files are good, and twenty viewers have the players' shares.
func TestRecordings(t *testing.T) {
	recorded, err := recordings()
	if err != nil {
		t.Fatal(err)
	}
	mix, err := Recordings()
	if err != nil {
		t.Fatal(err)
	}
	viewers := map[string]int{}
	for _, r := range mix {
		viewers[r.Player]++
	}
	for _, r := range recorded {
		if viewers[r.Player] != r.Share {
			t.Errorf("%s: %d viewers of %d", r.Player, viewers[r.Player], r.Share)
		}
	}
}
