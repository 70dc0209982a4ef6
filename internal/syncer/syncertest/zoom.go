package syncertest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/syncer/intake"
)

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
