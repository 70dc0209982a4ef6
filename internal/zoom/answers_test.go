package zoom_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/zoom"
)

// everywhere serves on all loopback addresses; its URL names 127.0.0.1.
func everywhere(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: h}}
	server.Start()
	server.URL = strings.Replace(server.URL, "0.0.0.0", "127.0.0.1", 1)
	return server
}

// TestNoList: an answer that is no list is an error, whatever its status, and the pages
// before it were given.
func TestNoList(t *testing.T) {
	for _, c := range []struct {
		name, body string
		ok         bool
	}{
		{"an empty list", `{"from": "2026-11-16", "meetings": []}`, true},
		{"a list of other days", `{"from": "2026-11-20", "meetings": []}`, false},
		{"code 300 with status 200", `{"code":300,"message":"Invalid field: x"}`, false},
		{"a code that is not known", `{"code": 4999}`, false},
		{"a code beside a list", `{"code": 124, "meetings": []}`, false},
		{"an empty object", `{}`, false},
		{"no meetings", `{"from": "2026-11-20", "to": "2026-11-21", "page_size": 300, "next_page_token": ""}`, false},
		{"meetings null", `{"meetings": null}`, false},
		{"meetings an object", `{"meetings": {}}`, false},
		{"an array", `[]`, false},
		{"a page", `<!DOCTYPE html><html></html>`, false},
		{"nothing", ``, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" {
					_, _ = io.WriteString(w, `{"access_token": "t"}`)
					return
				}
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			client := zoom.NewClient(zoom.Config{APIURL: server.URL, FetchConfig: zoom.FetchConfig{OAuthURL: server.URL + "/token"}}, slog.New(slog.DiscardHandler)).WithoutPauses()
			defer client.Close()
			now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
			err := client.List(t.Context(), account, now.AddDate(0, 0, -5), now, func(zoom.Meeting) error { return nil })
			if (err == nil) != c.ok {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestScriptedList: the emulator's list that is an error is one.
func TestScriptedList(t *testing.T) {
	server, client := emulated(t)
	server.AddMeeting(meeting("u==", emulator.Bytes([]byte("x"))))
	list := func() (n int, err error) {
		err = client.List(t.Context(), account, time.Now().Add(-48*time.Hour), time.Now(), func(zoom.Meeting) error { n++; return nil })
		return n, err
	}
	server.SetFaults(zoomemu.Faults{ListBody: `{"code":300,"message":"Invalid field: x"}`, ListTimes: 1})
	if n, err := list(); err == nil {
		t.Errorf("%d meetings of an answer that is no list", n)
	}
	if n, err := list(); err != nil || n != 1 {
		t.Errorf("the list after it: %d, %v", n, err)
	}
}

// TestDownloadAnswers: what a file host answers, and what can be done about it.
func TestDownloadAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer zoomemu.Answer
		kind   media.Kind
		reason string
		class  zoom.Class
	}{
		{"a page", zoomemu.Answer{Status: 200, Type: "text/html; charset=utf-8", Body: "<!DOCTYPE html>Still being processed"}, media.Corrupt, zoom.ReasonPage, zoom.ClassNewLink},
		{"JSON", zoomemu.Answer{Status: 200, Type: "application/json", Body: `{"status": false}`}, media.Corrupt, zoom.ReasonPage, zoom.ClassNewLink},
		{"an error in JSON", zoomemu.Answer{Status: 200, Type: "application/json", Body: `{"code": 3301, "message": "not yet"}`}, media.Unavailable, zoom.ReasonNotReady, zoom.ClassNewLink},
		{"an unknown error in JSON", zoomemu.Answer{Status: 200, Type: "application/json", Body: `{"code": 9999}`}, media.Corrupt, zoom.ReasonPage, zoom.ClassNewLink},
		{"a refused token in JSON", zoomemu.Answer{Status: 200, Type: "application/json", Body: `{"code": 124}`}, media.Denied, zoom.ReasonExpiredToken, zoom.ClassNewToken},
		{"XML", zoomemu.Answer{Status: 200, Type: "application/xml", Body: "<Error/>"}, media.Corrupt, zoom.ReasonPage, zoom.ClassNewLink},
		{"404", zoomemu.Answer{Status: 404, Type: "text/html", Body: "<html>"}, media.Unavailable, zoom.ReasonNotReady, zoom.ClassNewLink},
		{"404 with 3301", zoomemu.Answer{Status: 404, Type: "application/json", Body: `{"code": 3301}`}, media.Unavailable, zoom.ReasonNotReady, zoom.ClassNewLink},
		{"401", zoomemu.Answer{Status: 401}, media.Denied, zoom.ReasonExpiredToken, zoom.ClassNewToken},
		{"403", zoomemu.Answer{Status: 403}, media.Denied, zoom.ReasonForbidden, zoom.ClassNewLink},
		{"403 without the permission", zoomemu.Answer{Status: 403, Type: "application/json", Body: `{"code": 200}`}, media.Denied, zoom.ReasonPermission, zoom.ClassRefused},
		{"403 of the CDN", zoomemu.Answer{Status: 403, Type: "application/xml", Body: "<Error><Code>AccessDenied</Code></Error>", CDN: true}, media.Unavailable, zoom.ReasonLinkExpired, zoom.ClassNewLink},
		{"400 of the CDN", zoomemu.Answer{Status: 400, Type: "application/xml", Body: "<Error/>", CDN: true}, media.Unavailable, zoom.ReasonLinkExpired, zoom.ClassNewLink},
		{"404 of the CDN", zoomemu.Answer{Status: 404, CDN: true}, media.Unavailable, zoom.ReasonNotReady, zoom.ClassNewLink},
		{"410", zoomemu.Answer{Status: 410}, media.Unavailable, zoom.ReasonLinkExpired, zoom.ClassNewLink},
		{"416", zoomemu.Answer{Status: 416}, media.Corrupt, zoom.ReasonRange, zoom.ClassPassing},
		{"429", zoomemu.Answer{Status: 429}, media.Unavailable, zoom.ReasonRateLimited, zoom.ClassPassing},
		{"503", zoomemu.Answer{Status: 503}, media.Unavailable, "", zoom.ClassPassing},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := emulated(t)
			server.AddMeeting(meeting("u==", emulator.Bytes([]byte("a recording"))))
			server.ScriptDownloads(c.answer)
			m, err := client.Recordings(t.Context(), account, "u==")
			if err != nil {
				t.Fatal(err)
			}
			link := m.Files[0].DownloadURL
			_, err = client.Download(t.Context(), link, m.DownloadToken, 0, "")
			if media.KindOf(err) != c.kind || zoom.ReasonOf(err) != c.reason || zoom.ClassOf(err) != c.class {
				t.Errorf("%v: class %s, want %v (%s), %s", err, zoom.ClassOf(err), c.kind, c.reason, c.class)
			}
			d, err := client.Download(t.Context(), link, m.DownloadToken, 0, "")
			if err != nil {
				t.Fatalf("after the fault: %v", err)
			}
			defer d.Body.Close()
			if data, err := io.ReadAll(d.Body); err != nil || string(data) != "a recording" {
				t.Errorf("after the fault: %q, %v", data, err)
			}
		})
	}
}

// TestHopWithToken: a redirect within the listed hosts keeps the token, and the first one
// to any other host drops it for good.
func TestHopWithToken(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	var server *httptest.Server
	at := func(host, path string) string {
		return strings.Replace(server.URL, "127.0.0.1", host, 1) + path
	}
	server = everywhere(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		has := map[bool]string{true: "+", false: "-"}[r.Header.Get("Authorization") == "Bearer the-token"]
		mu.Lock()
		seen = append(seen, host+has)
		mu.Unlock()
		switch path, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); path {
		case "bytes":
			_, _ = io.WriteString(w, "bytes")
		case "wants":
			if has == "-" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, "bytes")
		default:
			query := ""
			if path == "127.0.0.4" {
				path, query = "127.0.0.2", "?Signature=s"
			}
			http.Redirect(w, r, at(path, "/"+rest)+query, http.StatusFound)
		}
	}))
	defer server.Close()
	client := zoom.NewClient(zoom.Config{FetchConfig: zoom.FetchConfig{DownloadHosts: []string{"127.0.0.1", "127.0.0.2"}, RedirectHosts: []string{"127.0.0.3"}}}, slog.New(slog.DiscardHandler))
	defer client.Close()
	for _, c := range []struct{ name, path, want string }{
		{"the same host", "/127.0.0.1/wants", "127.0.0.1+ 127.0.0.1+"},
		{"another listed host", "/127.0.0.2/wants", "127.0.0.1+ 127.0.0.2+"},
		{"two hops within the list", "/127.0.0.2/127.0.0.1/wants", "127.0.0.1+ 127.0.0.2+ 127.0.0.1+"},
		{"a host for redirects", "/127.0.0.3/bytes", "127.0.0.1+ 127.0.0.3-"},
		{"back from a host for redirects", "/127.0.0.3/127.0.0.2/bytes", "127.0.0.1+ 127.0.0.3- 127.0.0.2-"},
		{"a signed link of a listed host", "/127.0.0.4/bytes", "127.0.0.1+ 127.0.0.2-"},
		{"a signed link that wants the token", "/127.0.0.4/wants", "127.0.0.1+ 127.0.0.2- 127.0.0.2+"},
	} {
		seen = nil
		d, err := client.Download(t.Context(), at("127.0.0.1", c.path), "the-token", 0, "")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		d.Body.Close()
		if got := strings.Join(seen, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestScriptedHop: the emulator's file host that wants the token again gets it.
func TestScriptedHop(t *testing.T) {
	server, client := emulated(t)
	server.AddMeeting(meeting("u==", emulator.Bytes([]byte("a recording"))))
	server.SetFaults(zoomemu.Faults{HopWithToken: true})
	m, err := client.Recordings(t.Context(), account, "u==")
	if err != nil {
		t.Fatal(err)
	}
	d, err := client.Download(t.Context(), m.Files[0].DownloadURL, m.DownloadToken, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Body.Close()
	if data, err := io.ReadAll(d.Body); err != nil || string(data) != "a recording" {
		t.Errorf("%q, %v", data, err)
	}
}

// TestScriptedAbsence: the emulator denies a recording for some calls or some time.
func TestScriptedAbsence(t *testing.T) {
	server, client := emulated(t)
	server.AddMeeting(meeting("u==", emulator.Bytes([]byte("x"))))
	server.SetFaults(zoomemu.Faults{AbsentCalls: 2})
	for range 2 {
		if _, err := client.Recordings(t.Context(), account, "u=="); zoom.ClassOf(err) != zoom.ClassAbsent {
			t.Errorf("while it is absent: %v", err)
		}
	}
	if _, err := client.Recordings(t.Context(), account, "u=="); err != nil {
		t.Error(err)
	}
	server.SetFaults(zoomemu.Faults{AbsentUntil: time.Now().Add(time.Hour)})
	if _, err := client.Recordings(t.Context(), account, "u=="); zoom.ClassOf(err) != zoom.ClassAbsent {
		t.Errorf("while it is absent: %v", err)
	}
}

// TestScriptedSizes: the emulator lists sizes that are not the file's.
func TestScriptedSizes(t *testing.T) {
	server, client := emulated(t)
	server.AddMeeting(meeting("u==", emulator.Bytes([]byte("12345"))))
	for _, off := range []int64{1, -2} {
		server.SetFaults(zoomemu.Faults{SizeOff: off})
		if m, err := client.Recordings(t.Context(), account, "u=="); err != nil || m.Files[0].Size != 5+off {
			t.Errorf("%+v, %v", m.Files, err)
		}
	}
}
