package alert

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// sink is a server that keeps the requests it gets and answers with a status.
type sink struct {
	*httptest.Server
	status   int
	requests chan request
}

type request struct {
	method, path, contentType string
	body                      []byte
}

func newSink(t *testing.T, status int) *sink {
	s := &sink{status: status, requests: make(chan request, 10)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.requests <- request{r.Method, r.URL.Path, r.Header.Get("Content-Type"), body}
		w.WriteHeader(s.status)
	}))
	t.Cleanup(s.Close)
	return s
}

var message = Message{
	Key: "reconcile", State: Firing, Severity: "warning", Title: "2 teachers fail", Text: "look at syncer jobs",
	Since: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC), At: time.Date(2026, 11, 20, 10, 5, 0, 0, time.UTC),
}

func TestPlainURLGetsJSON(t *testing.T) {
	s := newSink(t, http.StatusAccepted)
	if err := NewSender(Config{URLs: []string{s.URL + "/alerts"}}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	got := <-s.requests
	if got.method != http.MethodPost || got.path != "/alerts" || got.contentType != "application/json; charset=utf-8" {
		t.Errorf("%+v", got)
	}
	var back Message
	if err := json.Unmarshal(got.body, &back); err != nil || back != message {
		t.Errorf("%v in %s", err, got.body)
	}
	var fields map[string]any
	_ = json.Unmarshal(got.body, &fields)
	for _, name := range []string{"key", "state", "severity", "title", "text", "since", "at"} {
		if _, ok := fields[name]; !ok {
			t.Errorf("%s is missing in %s", name, got.body)
		}
	}
}

func TestShoutrrrURL(t *testing.T) {
	s := newSink(t, http.StatusOK)
	target := "generic+" + s.URL + "/hook?template=json"
	if err := (Config{URLs: []string{target}}).Check(); err != nil {
		t.Fatal(err)
	}
	if err := NewSender(Config{URLs: []string{target}}).Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	got := <-s.requests
	if got.method != http.MethodPost || got.path != "/hook" || !strings.Contains(string(got.body), message.Title) || !strings.Contains(string(got.body), message.Text) {
		t.Errorf("%+v: %s", got, got.body)
	}
}

// TestSendReachesTheOthers: one target that fails does not keep the message from the
// rest, and the error counts without naming.
func TestSendReachesTheOthers(t *testing.T) {
	broken, working := newSink(t, http.StatusInternalServerError), newSink(t, http.StatusOK)
	sender := NewSender(Config{URLs: []string{broken.URL + "/token-hidden", working.URL}})
	err := sender.Send(t.Context(), message)
	if media.KindOf(err) != media.Unavailable || !strings.Contains(err.Error(), "1 of 2") || !strings.Contains(err.Error(), "status 500") {
		t.Errorf("%v", err)
	}
	if len(working.requests) != 1 {
		t.Errorf("%d requests reached the target that works", len(working.requests))
	}
}

// TestErrorsHoldNoSecrets: the URLs of alerts hold tokens.
func TestErrorsHoldNoSecrets(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	working := newSink(t, http.StatusOK)
	for _, c := range []struct {
		name, target string
		ctx          context.Context
	}{
		{"refused", closed.URL + "/hidden?token=hidden", t.Context()},
		{"user and password", "http://hidden:hidden@" + strings.TrimPrefix(closed.URL, "http://") + "/", t.Context()},
		{"not a request", "http://127.0.0.1:1/%zz/hidden", t.Context()},
		{"cancelled", working.URL + "/hidden", ended},
		{"shoutrrr refused", "generic+" + closed.URL + "/hidden", t.Context()},
		{"unknown service", "nothing://hidden@hidden", t.Context()},
	} {
		err := NewSender(Config{URLs: []string{c.target}}).Send(c.ctx, message)
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		urls []string
		bad  string // "" when all are good
	}{
		{nil, ""},
		{[]string{"https://alerts.example/hook"}, ""},
		{[]string{"https://a.example/,https://b.example/\nhttps://c.example/"}, ""},
		{[]string{"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@channel"}, ""},
		{[]string{"https://a.example/", "nothing://hidden"}, "number 2"},
		{[]string{"hidden"}, "number 1"},
		{[]string{"http:///hidden"}, "number 1"},
	} {
		err := Config{URLs: c.urls}.Check()
		if (err == nil) != (c.bad == "") || err != nil && (!strings.HasPrefix(err.Error(), "alert-urls: ") || !strings.Contains(err.Error(), c.bad) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%q: %v", c.urls, err)
		}
	}
}

func TestWithoutTargets(t *testing.T) {
	s := NewSender(Config{})
	if err := s.Send(t.Context(), message); err != nil || s.Any() {
		t.Errorf("%v, %v", err, s.Any())
	}
}
