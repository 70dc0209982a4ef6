package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/proxy/openapi/openapitest"
	"github.com/lectiospace/lectern/internal/syncer"
	"github.com/lectiospace/lectern/internal/syncer/intake"
	"github.com/lectiospace/lectern/internal/syncer/store"
	"github.com/lectiospace/lectern/internal/syncer/syncertest"
	"github.com/lectiospace/lectern/internal/zoom"
)

// ask sends a request and gives status and code, or the whole body of a 200.
func ask(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	var (
		code int
		body []byte
	)
	for range syncertest.Attempts { // as Zoom comes again: a machine that is busy enough may need more than the 2.5 s
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		code = resp.StatusCode
		body, err = io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if code != http.StatusServiceUnavailable {
			break
		}
		if req.Body, err = req.GetBody(); err != nil {
			t.Fatal(err)
		}
	}
	isDescribed(t, req, code, body)
	var out struct{ Code, Status string }
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%d with %q: %v", code, body, err)
	}
	if out.Code == "" {
		out.Code = out.Status
	}
	return code, out.Code
}

// isDescribed fails the test where an answer is not as the description of the API says.
func isDescribed(t *testing.T, req *http.Request, code int, body []byte) {
	t.Helper()
	d, err := openapitest.Load()
	if err != nil {
		t.Fatal(err)
	}
	path := req.URL.Path
	described, err := d.Check(openapitest.Exchange{Method: req.Method, Path: path, Status: code, ContentType: "application/json", Body: string(body)})
	webhook := slices.ContainsFunc(intake.Paths, func(p string) bool { return strings.HasPrefix(path+"/", p) })
	if err != nil || !described && webhook && req.Method == http.MethodPost {
		t.Errorf("%s %s: described: %v, %v", req.Method, path, described, err)
	}
}

// TestIntakeOrder: platform-pains A2 (unsigned webhooks), A4 (replays): what is
// checked, in which order, with which answer.
func TestIntakeOrder(t *testing.T) {
	s := syncertest.New(t).Start()
	tenant, err := s.Syncer.PutTenant(t.Context(), 2, "acc-2", "the-tenants-own-secret")
	if err != nil {
		t.Fatal(err)
	}
	event := []byte(`{"event": "recording.started", "event_ts": 1, "payload": {"account_id": "acc-1", "object": {}}}`)
	signed := func(path, secret string, body []byte, at time.Time) *http.Request {
		req, err := zoomemu.Request(context.Background(), s.HTTP.URL+path, secret, body, at)
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	now, main := time.Now(), "/schedule/api/zoom/webhook/"
	change := func(req *http.Request, f func(*http.Request)) *http.Request { f(req); return req }
	large := append(bytes.Repeat([]byte(" "), 1<<20), event...)
	for _, c := range []struct {
		name string
		req  *http.Request
		code int
		want string
	}{
		{"a stored event", signed(main, syncertest.WebhookSecret, event, now), 200, "ignored"},
		{"the same again", signed("/api/zoom/webhook/", syncertest.WebhookSecret, event, now), 200, "duplicate"},
		{"the oldest path", signed("/schedule/webhook/zoom/", syncertest.WebhookSecret, event, now), 200, "duplicate"},
		{"without the slash", signed("/schedule/webhook/zoom", syncertest.WebhookSecret, event, now), 200, "duplicate"},
		{"a tenant's", signed(main+tenant+"/", "the-tenants-own-secret", []byte(`{"event": "x", "event_ts": 5, "payload": {"account_id": "acc-2"}}`), now), 200, "ignored"},
		{"a tenant's with the main secret", signed(main+tenant+"/", syncertest.WebhookSecret, event, now), 401, "invalid_signature"},
		{"a tenant's with another account", signed(main+tenant+"/", "the-tenants-own-secret", event, now), 200, "ignored"},
		{"an unknown tenant, whatever else", change(signed(main+"nobody/", "x", large, now), func(r *http.Request) { r.Method = http.MethodGet }), 404, "not_found"},
		{"another path", signed("/webhook/", syncertest.WebhookSecret, event, now), 404, "not_found"},
		{"GET", change(signed(main, syncertest.WebhookSecret, event, now), func(r *http.Request) { r.Method = http.MethodGet }), 405, "method_not_allowed"},
		{"too large, unsigned", change(signed(main, "x", large, now), func(r *http.Request) { r.Header.Del("Content-Type") }), 413, "payload_too_large"},
		{"too large, without a length", change(signed(main, syncertest.WebhookSecret, large, now), func(r *http.Request) { r.ContentLength = -1 }), 413, "payload_too_large"},
		{"a form", change(signed(main, "x", event, now), func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }), 415, "unsupported_media_type"},
		{"another secret", signed(main, "x", event, now), 401, "invalid_signature"},
		{"no signature", change(signed(main, syncertest.WebhookSecret, event, now), func(r *http.Request) { r.Header.Del("X-Zm-Signature") }), 401, "invalid_signature"},
		{"no timestamp", change(signed(main, syncertest.WebhookSecret, event, now), func(r *http.Request) { r.Header.Del("X-Zm-Request-Timestamp") }), 401, "invalid_signature"},
		{"upper-case hex", change(signed(main, syncertest.WebhookSecret, event, now), func(r *http.Request) {
			r.Header.Set("X-Zm-Signature", "v0="+strings.ToUpper(r.Header.Get("X-Zm-Signature")[3:]))
		}), 401, "invalid_signature"},
		{"an old timestamp", signed(main, syncertest.WebhookSecret, event, now.Add(-6*time.Minute)), 401, "stale_timestamp"},
		{"a timestamp to come", signed(main, syncertest.WebhookSecret, event, now.Add(6*time.Minute)), 401, "stale_timestamp"},
		{"an old timestamp of somebody else", signed(main, "x", event, now.Add(-time.Hour)), 401, "invalid_signature"},
		{"no object", signed(main, syncertest.WebhookSecret, []byte(`[1]`), now), 400, "invalid_json"},
		{"nothing", signed(main, syncertest.WebhookSecret, nil, now), 400, "invalid_json"},
		{"a forged challenge", signed(main, "x", zoomemu.Challenge("abc"), now), 401, "invalid_signature"},
		{"a challenge that would sign a forgery", signed(main, syncertest.WebhookSecret, zoomemu.Challenge(`v0:1:{"event":"x"}`), now), 400, "invalid_challenge"},
		{"a challenge too long", signed(main, syncertest.WebhookSecret, zoomemu.Challenge(strings.Repeat("a", 129)), now), 400, "invalid_challenge"},
		{"a challenge with a NUL", signed(main, syncertest.WebhookSecret, challengeOf(`"plainToken":"a\u0000b"`), now), 400, "invalid_challenge"},
		{"a challenge in other letters", signed(main, syncertest.WebhookSecret, zoomemu.Challenge("токен"), now), 400, "invalid_challenge"},
		{"a challenge of a number", signed(main, syncertest.WebhookSecret, challengeOf(`"plainToken":12345`), now), 400, "invalid_challenge"},
		{"a challenge of true", signed(main, syncertest.WebhookSecret, challengeOf(`"plainToken":true`), now), 400, "invalid_challenge"},
		{"a challenge of null", signed(main, syncertest.WebhookSecret, challengeOf(`"plainToken":null`), now), 400, "invalid_challenge"},
		{"a challenge of an object", signed(main, syncertest.WebhookSecret, challengeOf(`"plainToken":{"a":"b"}`), now), 400, "invalid_challenge"},
		{"a challenge of a list", signed(main, syncertest.WebhookSecret, challengeOf(`"plainToken":["abc"]`), now), 400, "invalid_challenge"},
		{"a challenge without a token", signed(main, syncertest.WebhookSecret, challengeOf(``), now), 400, "invalid_challenge"},
		{"a challenge without a payload", signed(main, syncertest.WebhookSecret, []byte(`{"event":"endpoint.url_validation"}`), now), 400, "invalid_challenge"},
		{"an empty challenge", signed(main, syncertest.WebhookSecret, zoomemu.Challenge(""), now), 400, "invalid_challenge"},
	} {
		if code, got := ask(t, c.req); code != c.code || got != c.want {
			t.Errorf("%s: %d %s, want %d %s", c.name, code, got, c.code, c.want)
		}
	}
	code, answer, err := zoomemu.Deliver(t.Context(), http.DefaultClient, s.HTTP.URL+main, syncertest.WebhookSecret, zoomemu.Challenge("qgg8vlvZRS6UYooatFL8Aw"))
	want := fmt.Sprintf(`{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"%s"}`, zoom.AnswerChallenge(syncertest.WebhookSecret, "qgg8vlvZRS6UYooatFL8Aw"))
	if err != nil || code != 200 || strings.TrimSpace(string(answer)) != want {
		t.Errorf("the challenge: %d %s, %v", code, answer, err)
	}
}

// challengeOf is a URL validation with a payload of these fields.
func challengeOf(fields string) []byte {
	return []byte(`{"event":"endpoint.url_validation","event_ts":1,"payload":{` + fields + `}}`)
}

// TestRotatedSecrets: while a secret is rotated both verify, and the challenge is
// answered with the one it was signed with.
func TestRotatedSecrets(t *testing.T) {
	s := syncertest.New(t)
	s.Deps.Zooms.WebhookSecret = "the-new-secret, the-old-secret"
	s.Deps.Metrics = prometheus.NewRegistry()
	rotated, err := syncer.New(s.Config, s.Deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := rotated.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer rotated.Stop()
	s.HTTP.Config.Handler = rotated.Handler()
	for _, secret := range []string{"the-new-secret", "the-old-secret"} {
		code, answer, err := zoomemu.Deliver(t.Context(), http.DefaultClient, s.HTTP.URL+intake.Paths[0], secret, zoomemu.Challenge("abc"))
		if err != nil || code != 200 || !strings.Contains(string(answer), zoom.AnswerChallenge(secret, "abc")) {
			t.Errorf("%s: %d %s, %v", secret, code, answer, err)
		}
	}
}

// TestNothingIsKeptOfSecrets: tokens and passcodes of a webhook reach neither the
// database nor the log.
func TestNothingIsKeptOfSecrets(t *testing.T) {
	s := syncertest.New(t).Start()
	body := []byte(`{"event":"recording.completed","event_ts":1,"download_token":"TOKEN-1","payload":{"account_id":"acc-9","object":{"uuid":"u","id":1,"password":"PASS-1","recording_play_passcode":"PASS-2",
		"recording_files":[{"id":"f","file_type":"MP4","status":"completed","download_url":"https://zoom.us/rec/download/x?access_token=TOKEN-2&pwd=PASS-3","play_url":"https://zoom.us/p?pwd=PASS-4"}]}}}`)
	if got := s.Deliver(body); got != "accepted" {
		t.Fatal(got)
	}
	syncertest.Eventually(t, "the event is handled", func() (bool, string) {
		var events []store.Event
		s.View(func(ctx context.Context, x store.Session) (err error) {
			events, err = store.EventsOf(ctx, x, "u")
			return err
		})
		return len(events) == 1 && events[0].State == "done", fmt.Sprintf("%+v", events)
	})
	var kept strings.Builder
	s.View(func(ctx context.Context, x store.Session) error {
		for _, query := range []string{`SELECT body || sealed_token FROM lectern.lectern_zoom_events`, `SELECT download_url FROM lectern.lectern_zoom_files`, `SELECT sealed_token FROM lectern.lectern_zoom_meetings`} {
			if err := x.Each(ctx, query, nil, func(scan func(...any) error) error {
				var text string
				err := scan(&text)
				kept.WriteString(text)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	logged := s.Log()
	for _, secret := range []string{"TOKEN-1", "TOKEN-2", "PASS-1", "PASS-2", "PASS-3", "PASS-4"} {
		if strings.Contains(kept.String(), secret) || strings.Contains(logged, secret) {
			t.Errorf("%s is kept", secret)
		}
	}
}

// TestMeetingEnded: the lesson ends when the meeting did, not when Zoom says so.
func TestMeetingEnded(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	if got := s.Deliver(s.Zoom.Event("meeting.ended", "uuid-1==")); got != "accepted" {
		t.Fatal(got)
	}
	want := syncertest.LessonStart.Add(time.Hour).UTC().Format(time.RFC3339)
	syncertest.Eventually(t, "the lesson has ended", func() (bool, string) {
		var ended string
		s.View(func(ctx context.Context, x store.Session) error {
			return x.Each(ctx, `SELECT ended_at FROM public.schedule_lesson WHERE ended_at IS NOT NULL`, nil, func(scan func(...any) error) error {
				return scan(&ended)
			})
		})
		if ended != "" && ended != want {
			t.Fatalf("ended at %s, want %s", ended, want)
		}
		return ended == want, ended
	})
}

// TestTheSameEventAgain: domain A.3: identical events from two subscriptions differ
// in links, tokens and times; they are one.
func TestTheSameEventAgain(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	results := make(chan string, 16)
	for range 16 {
		go func() {
			code, answer, err := s.Send(s.Zoom.Event("recording.completed", "uuid-1=="))
			results <- fmt.Sprintf("%d %s %v", code, strings.TrimSpace(string(answer)), err)
		}()
	}
	count := map[string]int{}
	for range 16 {
		count[<-results]++
	}
	if count[`200 {"status":"accepted"} <nil>`] != 1 || count[`200 {"status":"duplicate"} <nil>`] != 15 {
		t.Errorf("%v", count)
	}
	s.Archived(1)
}

// TestNotStoredIsNotTaken: while the database is away Zoom is told to come again, and nothing
// is acknowledged that is not durable.
func TestNotStoredIsNotTaken(t *testing.T) {
	s := syncertest.New(t).Start()
	s.Record("1", 86412345678, "uuid-1==", syncertest.LessonStart)
	s.Store.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := zoomemu.Request(ctx, s.HTTP.URL+intake.Paths[0], syncertest.WebhookSecret, s.Zoom.Event("recording.completed", "uuid-1=="), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}
