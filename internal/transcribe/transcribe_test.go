package transcribe

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const captions = "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nЗдравствуйте\n"

// program is one that runs a script with the sound as $1.
func program(t *testing.T, script string) Program {
	t.Helper()
	p, err := ParseProgram("sh -c '"+script+"' transcribe", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// heard is the path of a sound, which these programs do not listen to.
func heard(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "it's a sound $HOME.m4a")
	if err := os.WriteFile(path, []byte(captions), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTranscribe(t *testing.T) {
	for _, c := range []struct {
		name, script string
		cues         int
		reason       string
	}{
		{"the path is the last argument", `cat "$1"`, 1, ""},
		{"nothing is said", `echo WEBVTT`, 0, ""},
		{"a failure after captions", `cat "$1"; exit 1`, 0, ReasonFailed},
		{"no captions", `echo [00:00.000] hello`, 0, ReasonNotCaptions},
		{"times that go back", `printf "WEBVTT\n\n00:02.000 --> 00:01.000\nx\n"`, 0, ReasonNotCaptions},
		{"no output", `:`, 0, ReasonNotCaptions},
		{"too much output", `cat "$1"; yes`, 0, ReasonTooExpensive},
	} {
		t.Run(c.name, func(t *testing.T) {
			track, err := program(t, c.script).Transcribe(t.Context(), heard(t), time.Second)
			if media.ReasonOf(err) != c.reason || len(track.Cues) != c.cues || err != nil && media.KindOf(err) != media.Invalid {
				t.Errorf("%+v, %v, want %d cues, %q", track, err, c.cues, c.reason)
			}
		})
	}
	for name, p := range map[string]Program{
		"no program": {[]string{"/nowhere/whisper"}, 0},
		"full disk":  program(t, "echo [Errno 28] No space left on device >&2; exit 1"),
	} {
		if _, err := p.Transcribe(t.Context(), heard(t), time.Second); media.KindOf(err) != media.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := program(t, ":").Transcribe(canceled, heard(t), time.Second); media.KindOf(err) != media.Canceled {
		t.Errorf("canceled: %v", err)
	}
}

func TestParseProgram(t *testing.T) {
	none, err := ParseProgram(" ", 1)
	if err != nil || !none.IsNone() {
		t.Errorf("%+v, %v", none, err)
	}
	for _, line := range []string{"'", `"" a`} {
		if _, err := ParseProgram(line, 1); err == nil {
			t.Errorf("%s was taken", line)
		}
	}
	if err := program(t, ":").Check(); err != nil {
		t.Error(err)
	}
	p, err := ParseProgram("/nowhere/whisper --model large", 1)
	if err != nil || p.Check() == nil || !strings.Contains(p.Check().Error(), "/nowhere/whisper") {
		t.Errorf("%v, %v", err, p.Check())
	}
}
