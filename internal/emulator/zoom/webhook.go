package zoom

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Event is the body of an event about a meeting. Each call has a time and a
// download token of its own, as deliveries from two subscriptions do.
func (s *Server) Event(name, uuid string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meetings[uuid]
	payload := map[string]any{"account_id": m.Account, "object": s.resource(m, true)}
	out := map[string]any{"event": name, "event_ts": time.Now().UnixMilli(), "payload": payload}
	switch name {
	case "recording.completed", "recording.transcript_completed", "recording.trashed", "recording.recovered":
		out["download_token"] = s.issue(m.Account, 24*time.Hour)
	case "meeting.ended":
		payload["object"] = map[string]any{"uuid": m.UUID, "id": strconv.FormatInt(m.ID, 10), "host_id": m.Host, "topic": m.Topic,
			"start_time": m.Start.UTC().Format(time.RFC3339), "end_time": m.Start.Add(time.Duration(m.Minutes) * time.Minute).UTC().Format(time.RFC3339), "duration": m.Minutes}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return body
}

// BatchEvent is the body of an event about several meetings.
func (s *Server) BatchEvent(name, account string, uuids ...string) []byte {
	body, err := json.Marshal(map[string]any{"event": name, "event_ts": time.Now().UnixMilli(),
		"payload": map[string]any{"account_id": account, "operation": "trash_user_recordings", "object": map[string]any{"meeting_uuids": uuids}}})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return body
}

// Challenge is the body of a URL validation.
func Challenge(plainToken string) []byte {
	return fmt.Appendf(nil, `{"payload":{"plainToken":%q},"event_ts":%d,"event":"endpoint.url_validation"}`, plainToken, time.Now().UnixMilli())
}

// Request signs a body and makes the request Zoom would send.
func Request(ctx context.Context, target, secret string, body []byte, at time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + timestamp + ":"))
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("X-Zm-Request-Timestamp", timestamp)
	req.Header.Set("X-Zm-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	req.Header.Set("X-Zm-Trackingid", "emulated")
	return req, nil
}

// Deliver sends a signed body and gives the answer.
func Deliver(ctx context.Context, client *http.Client, target, secret string, body []byte) (status int, answer []byte, err error) {
	req, err := Request(ctx, target, secret, body, time.Now())
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
