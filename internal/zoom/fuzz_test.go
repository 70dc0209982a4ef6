package zoom

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lectiospace/lectern/internal/media"
)

// FuzzEvent: nothing of a body brings a NUL along, and what is kept of it is the same event
// and holds no secret.
func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"event":"recording.completed","event_ts":1700000000000,"payload":{"account_id":"a","object":{"uuid":"/u//","id":1,"recording_files":[{"id":"f","file_size":1e3}]}}}`))
	f.Add([]byte(`{"payload":{"object":{"meeting_uuids":["a",1]}},"event":"\u0000"}`))
	f.Add([]byte(`{"download_token":"dt","payload":{"object":{"password":"pw","share_url":"https://z/?PWD=x","recording_files":[{"download_url":"https://u:p@z/%zz?Access_Token=x#token=y","recording_play_passcode":"pp"}]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseEvent(body)
		if err != nil {
			return
		}
		if strings.Contains(e.Name+e.Meeting.UUID+e.AccountID, "\x00") {
			t.Error("a NUL came through")
		}
		kept := Scrub(body)
		if again, err := ParseEvent(kept); err != nil || again.Identity() != e.Identity() {
			t.Errorf("%q is another event when it is kept: %v", body, err)
		}
		var v any
		if err := json.Unmarshal(kept, &v); err != nil {
			t.Fatalf("%q is kept as %q: %v", body, kept, err)
		}
		noSecrets(t, "", v)
		wellFormed(t, e.Meeting)
	})
}

// noSecrets fails the test where a value has a member that holds a secret, or a link with one.
func noSecrets(t *testing.T, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if slices.ContainsFunc(secretKeys, func(secret string) bool { return strings.EqualFold(name, secret) }) {
				t.Fatalf("%q is kept", name)
			}
			noSecrets(t, name, value)
		}
	case []any:
		for _, item := range v {
			noSecrets(t, "", item)
		}
	case string:
		if strings.HasSuffix(strings.ToLower(name), "_url") {
			noSecretIn(t, v)
		}
	}
}

func noSecretIn(t *testing.T, link string) {
	u, err := url.Parse(link)
	if err != nil {
		if strings.ContainsAny(link, "?#@") {
			t.Fatalf("%q is kept", link)
		}
		return
	}
	for name := range u.Query() {
		if strings.EqualFold(name, "access_token") || strings.EqualFold(name, "token") || strings.EqualFold(name, "pwd") {
			t.Fatalf("%q is kept", link)
		}
	}
	if u.User != nil || u.Fragment != "" {
		t.Fatalf("%q is kept", link)
	}
}

// wellFormed fails the test where a meeting cannot be stored or makes no sense.
func wellFormed(t *testing.T, m Meeting) {
	if m.Duration < 0 || m.Duration > maxClock {
		t.Fatalf("a meeting of %s", m.Duration)
	}
	texts := []string{m.ID, m.UUID, m.HostID, m.HostEmail, m.AccountID, m.Topic, m.DownloadToken}
	for _, file := range m.Files {
		if file.Size < 0 {
			t.Fatalf("a file of %d bytes", file.Size)
		}
		if strings.Trim(file.Extension, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(file.Extension) > 8 {
			t.Fatalf("the extension %q", file.Extension)
		}
		noSecretIn(t, file.DownloadURL)
		texts = append(texts, file.ID, file.Type, file.View, file.Status, file.DownloadURL)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			t.Fatalf("%q cannot be stored", text)
		}
	}
}

// FuzzVerify: no signature but Sign's own verifies.
func FuzzVerify(f *testing.F) {
	f.Add("v0=", "1", []byte("{}"))
	f.Add(Sign("a-secret", "1795435200", []byte("{}")), "1795435200", []byte("{}"))
	f.Fuzz(func(t *testing.T, signature, timestamp string, body []byte) {
		now := time.Unix(1795435200, 0)
		if _, err := (Secrets{"a-secret"}).Verify(signature, timestamp, body, now, time.Hour); err == nil && (signature != Sign("a-secret", timestamp, body) || !SignatureShaped(signature, timestamp)) {
			t.Error("a forgery was taken")
		}
	})
}

// FuzzPage: an answer to the list of recordings is a list of meetings that can be stored, or
// an error of a known reason.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		`{"from":"2026-11-01","to":"2026-11-28","next_page_token":"t","meetings":[{"id":"6840331990","uuid":"a==","duration":"90","start_time":"2026-11-20T10:00:00+00:00","recording_files":[{"id":"f","file_type":"mp4","file_size":1e9,"recording_end":""}]}]}`,
		`{"meetings":[{"duration":153722868,"recording_files":[{"file_extension":"../x"},7,{"file_size":-1}]}]}`,
		`{"code":300,"message":"Invalid field: x"}`, `{"code":"4711","message":"does not contain scopes:[a:b:c]"}`, `{"meetings":null}`, `[]`,
	} {
		f.Add(200, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		var page pageJSON
		err := readAnswer("list", &http.Response{StatusCode: status}, body, &page)
		if err != nil {
			if media.KindOf(err) == media.Other || media.ReasonOf(err) == "" && media.KindOf(err) != media.NotFound && media.KindOf(err) != media.Unavailable && media.KindOf(err) != media.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		for _, m := range *page.Meetings {
			wellFormed(t, m)
		}
	})
}

// FuzzRefusal: whatever an error answer holds, the error has a kind, quotes nothing but the
// names of scopes, and asks for no wait without an end.
func FuzzRefusal(f *testing.F) {
	f.Add(429, "2026-11-24T00:00:00Z", []byte(`{"code":429}`))
	f.Add(429, "99999999999999", []byte(``))
	f.Add(400, "", []byte(`{"code":4711,"message":"Invalid access token, does not contain scopes:[cloud_recording:read:list_user_recordings:admin]"}`))
	f.Add(400, "", []byte(`{"reason":"Invalid client_id or client_secret","error":"invalid_client"}`))
	f.Add(404, "-1", []byte(`{"code":3301,"message":"This recording does not exist."}`))
	f.Add(403, "", []byte(`<html>The request was blocked</html>`))
	f.Fuzz(func(t *testing.T, status int, wait string, body []byte) {
		if strings.Trim(wait, "\t ") != wait || strings.ContainsFunc(wait, func(r rune) bool { return r < ' ' }) {
			return // cannot arrive as a header's value
		}
		header := http.Header{"Retry-After": {wait}}
		for _, err := range []error{refusal("op", status, header, body), tokenRefusal("op", status, header, body)} {
			text := err.Error()
			if media.KindOf(err) == media.Other || len(text) > 300+len(body) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%v: %q", media.KindOf(err), text)
			}
			if wait := media.RetryAfterOf(err); wait < 0 || wait > media.MaxRetryAfter {
				t.Errorf("a wait of %s", wait)
			}
		}
	})
}

// FuzzLink: a download is sent to a listed host only, and by http only where the list has
// its address.
func FuzzLink(f *testing.F) {
	for _, link := range []string{
		"https://us02web.zoom.us/rec/download/x", "https://zoom.us.evil.example/", "https://evilzoom.us/", "https://zoom.us@evil.example/", "https://ZOOM.US:8443/",
		"http://127.0.0.1:1/", "http://[::ffff:127.0.0.1]/", "http://zoom.us/", "https://zoom.us./", "https://zoom\u212a.us/", "//zoom.us/", "https:zoom.us", "https://a%2ezoom.us/",
	} {
		f.Add(link)
	}
	d := newDownloader(Config{FetchConfig: FetchConfig{DownloadHosts: []string{"zoom.us", ".zoom.us", "127.0.0.1"}}})
	f.Cleanup(d.close)
	f.Fuzz(func(t *testing.T, link string) {
		u, err := url.Parse(link)
		if err != nil {
			return
		}
		_, err = d.checkLink(u)
		host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
		ours := host == "zoom.us" || strings.HasSuffix(host, ".zoom.us")
		at, _ := netip.ParseAddr(host)
		byAddress := at.Unmap() == netip.MustParseAddr("127.0.0.1")
		if err == nil != (u.Scheme == "https" && (ours || byAddress) || u.Scheme == "http" && byAddress) {
			t.Errorf("%q: %v", link, err)
		}
		if d.mayHaveToken(u) != (err == nil) {
			t.Errorf("%q: has the token, %v", link, err)
		}
	})
}
