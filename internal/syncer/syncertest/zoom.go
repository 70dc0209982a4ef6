package syncertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer/intake"
)

// Video is Clip as content of the emulated Zoom's.
func Video(t *testing.T) emulator.Content {
	t.Helper()
	data, err := Clip()
	if err != nil {
		t.Fatal(err)
	}
	return emulator.Bytes(data)
}

// Encode makes a video of so many seconds with sound, in a codec that ffmpeg knows by
// that name.
func Encode(t *testing.T, seconds int, codec string) emulator.Content {
	t.Helper()
	out := filepath.Join(t.TempDir(), "clip.mp4")
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=160x90:rate=5:duration=%d", seconds),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:duration=%d", seconds), "-c:v", codec, "-c:a", "aac", "-movflags", "+faststart", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return emulator.Bytes(data)
}

// Noise is a video of about 6 MB.
func Noise(t *testing.T) emulator.Content {
	t.Helper()
	t.Helper()
	out := filepath.Join(t.TempDir(), "noise.mp4")
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=gray:size=640x360:rate=25:duration=0.5,noise=alls=100:allf=t",
		"-f", "lavfi", "-i", "sine=duration=0.5", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-c:a", "aac", "-shortest", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return emulator.Bytes(data)
}

// Record adds a recorded meeting at Zoom, of one segment in the best view.
func (s *Server) Record(account string, id int64, uuid string, start time.Time) zoomemu.Meeting {
	m := zoomemu.Meeting{
		Account: "acc-" + account, ID: id, UUID: uuid, Host: "host-" + account, Topic: "a lesson", Start: start, Minutes: 60,
		Files: []zoomemu.File{{ID: "file-" + uuid, Type: "MP4", View: SpeakerView, Start: start, End: start.Add(time.Hour), Content: Video(s.t)}},
	}
	s.Zoom.AddMeeting(m)
	return m
}

// Send delivers an event until it is taken.
func (s *Server) Send(body []byte) (code int, answer []byte, err error) {
	for range Attempts {
		code, answer, err = zoomemu.Deliver(context.Background(), http.DefaultClient, s.HTTP.URL+intake.Paths[0], WebhookSecret, body)
		if err != nil || code != http.StatusServiceUnavailable {
			break
		}
	}
	return code, answer, err
}

// Deliver sends an event and returns the status Lectern gave.
func (s *Server) Deliver(body []byte) string {
	s.t.Helper()
	code, answer, err := s.Send(body)
	if err != nil || code != http.StatusOK {
		s.t.Fatalf("the webhook: %d %s, %v", code, answer, err)
	}
	var out struct{ Status string }
	if err := json.Unmarshal(answer, &out); err != nil {
		s.t.Fatal(err)
	}
	return out.Status
}
