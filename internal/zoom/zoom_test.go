package zoom_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/zoom"
)

var account = zoom.Account{ID: "acc", ClientID: "client", ClientSecret: "secret"}

func emulated(t *testing.T) (*zoomemu.Server, *zoom.Client) {
	t.Helper()
	server := zoomemu.New()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	server.AddAccount(zoomemu.Account{ID: "acc", ClientID: "client", ClientSecret: "secret", Owner: "owner"})
	client := zoom.NewClient(zoom.Config{APIURL: server.APIURL(), FetchConfig: zoom.FetchConfig{OAuthURL: server.OAuthURL(), DownloadHosts: []string{"127.0.0.1"}}}, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { client.Close() })
	return server, client
}

func meeting(uuid string, content emulator.Content) zoomemu.Meeting {
	at := time.Now().Add(-time.Hour)
	return zoomemu.Meeting{Account: "acc", ID: 123, UUID: uuid, Host: "owner", Start: at, Minutes: 50, Files: []zoomemu.File{
		{ID: "one", Type: "MP4", View: "shared_screen_with_speaker_view(CC)", Start: at, End: at.Add(time.Minute), Content: content},
		{Type: "TIMELINE", Start: at, Content: emulator.Bytes(nil)},
	}}
}

// TestUUIDs: domain A.6: a uuid that begins with "/" or holds "//" is encoded twice.
func TestUUIDs(t *testing.T) {
	server, client := emulated(t)
	for _, uuid := range []string{"plain==", "/begins==", "in//side+x==", "one/slash=="} {
		server.AddMeeting(meeting(uuid, emulator.Bytes([]byte("x"))))
		m, err := client.Recordings(t.Context(), account, uuid)
		if err != nil || m.UUID != uuid || m.ID != "123" || m.DownloadToken == "" || len(m.Files) != 2 || m.Files[0].View != "shared_screen_with_speaker_view" {
			t.Errorf("%s: %+v, %v", uuid, m, err)
		}
		if err := client.TrashFile(t.Context(), account, uuid, "one"); err != nil {
			t.Errorf("%s: %v", uuid, err)
		}
		if err := client.TrashFile(t.Context(), account, uuid, "one"); err != nil {
			t.Errorf("%s, again: %v", uuid, err)
		}
	}
	if st := server.Stats(); len(st.Trashed) != 4 || len(st.WholeMeetings) != 0 {
		t.Errorf("%+v", st)
	}
	if err := client.TrashFile(t.Context(), account, "plain==", ""); media.KindOf(err) != media.Invalid {
		t.Errorf("a deletion without a file: %v", err)
	}
}

// TestOneTokenForAll: many callers of one app share one exchange; a token that was
// refused is replaced; wrong credentials are not tried again at once.
func TestOneTokenForAll(t *testing.T) {
	server, client := emulated(t)
	server.AddMeeting(meeting("u==", emulator.Bytes([]byte("x"))))
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			if _, err := client.Recordings(t.Context(), account, "u=="); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := server.Stats().Tokens; got != 1 {
		t.Errorf("%d exchanges", got)
	}
	server.ExpireTokens()
	if _, err := client.Recordings(t.Context(), account, "u=="); err != nil {
		t.Error(err)
	}
	wrong := account
	wrong.ClientSecret = "wrong"
	for range 3 {
		_, err := client.Recordings(t.Context(), wrong, "u==")
		if media.KindOf(err) != media.Denied || zoom.ReasonOf(err) != zoom.ReasonCredentials || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%v", err)
		}
	}
	if got := server.Stats().Tokens; got != 3 {
		t.Errorf("%d exchanges", got)
	}
}

// TestRefusals: domain A.7, A.8: what each answer means.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		header http.Header
		body   string
		kind   media.Kind
		reason string
		text   string
	}{
		{400, nil, `{"code": 4711, "message": "Invalid access token, does not contain scopes:[cloud_recording:read:list_recording_files:admin]."}`, media.Denied, zoom.ReasonScope, "cloud_recording:read:list_recording_files:admin"},
		{404, nil, `{"code": 3301, "message": "There is no recording for this meeting"}`, media.NotFound, zoom.ReasonNoRecording, ""},
		{404, nil, `{"code": "1001", "message": "User does not exist"}`, media.Denied, zoom.ReasonNoUser, ""},
		{400, nil, `{"code": 1010}`, media.Denied, zoom.ReasonNoUser, ""},
		{200, nil, `{"code": 200, "message": "You do not have the right permissions."}`, media.Denied, zoom.ReasonPermission, ""},
		{400, nil, `{"code": 200, "message": "No permission."}`, media.Denied, zoom.ReasonPermission, ""},
		{401, nil, `{"code": 124, "message": "Invalid access token."}`, media.Denied, zoom.ReasonExpiredToken, ""},
		{404, nil, `not found`, media.Unavailable, zoom.ReasonNotAPI, ""},
		{403, nil, `<html>Attention Required!</html>`, media.Unavailable, zoom.ReasonNotAPI, ""},
		{404, nil, `{"code": 2300, "message": "This API endpoint is not recognized."}`, media.NotFound, "", ""},
		{429, http.Header{"X-Ratelimit-Type": {"Daily-limit"}, "Retry-After": {time.Now().Add(3 * time.Hour).UTC().Format("2006-01-02T15:04:05Z")}}, ``, media.Quota, zoom.ReasonDailyLimit, ""},
		{200, nil, `<html>`, media.Corrupt, zoom.ReasonNoList, ""},
		{200, nil, ``, media.Corrupt, zoom.ReasonNoList, ""},
		{200, nil, `{}`, media.Corrupt, zoom.ReasonNoList, ""},
		{200, nil, `null`, media.Corrupt, zoom.ReasonNoList, ""},
		{200, nil, `{"code": 300, "message": "Invalid field: x"}`, media.Invalid, zoom.ReasonBadPage, ""},
		{200, nil, `{"code": 3301, "message": "There is no recording"}`, media.NotFound, zoom.ReasonNoRecording, ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				_, _ = io.WriteString(w, `{"access_token": "t", "expires_in": "3599"}`)
				return
			}
			for k, v := range c.header {
				w.Header()[k] = v
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		client := zoom.NewClient(zoom.Config{APIURL: server.URL, FetchConfig: zoom.FetchConfig{OAuthURL: server.URL + "/token"}}, slog.New(slog.DiscardHandler)).WithoutPauses()
		_, err := client.Recordings(t.Context(), account, "u==")
		if media.KindOf(err) != c.kind || zoom.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
		client.Close()
		server.Close()
	}
}

// TestLimits: domain A.8: above the limit everybody of the account slows down, and
// all calls get through.
func TestLimits(t *testing.T) {
	server, client := emulated(t)
	server.SetFaults(zoomemu.Faults{PerSecond: 5})
	server.AddMeeting(meeting("u==", emulator.Bytes([]byte("x"))))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := client.Recordings(t.Context(), account, "u=="); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// TestWhereATokenGoes: platform-pains A2, contract ZOOM_DOWNLOAD_HOSTS and
// ZOOM_REDIRECT_HOSTS: the token goes to listed hosts only, redirects never to
// neighbours, and never in the clear to a name. A traceparent goes no further.
func TestWhereATokenGoes(t *testing.T) {
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var leaked atomic.Int32
	elsewhere := everywhere(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization")+r.Header.Get("Traceparent") != "" && !strings.HasPrefix(r.Host, "127.0.0.1:") && !strings.HasPrefix(r.Host, "[::ffff:127.0.0.1]") {
			leaked.Add(1)
		}
		_, _ = io.WriteString(w, "bytes")
	}))
	defer elsewhere.Close()
	port := elsewhere.URL[strings.LastIndex(elsewhere.URL, ":"):]
	redirect := ""
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/start" && r.Header.Get("Authorization") != "Bearer the-token" {
			t.Error("the listed host got no token")
		}
		if got := r.Header.Get("Traceparent"); r.URL.Path == "/start" && got != traceparent {
			t.Errorf("the listed host got traceparent %q", got)
		}
		http.Redirect(w, r, redirect, http.StatusFound)
	}))
	defer first.Close()
	for _, c := range []struct {
		name, link, redirect string
		downloads, redirects []string
		ok                   bool
	}{
		{"listed by address, redirected to a listed one", first.URL + "/start", elsewhere.URL, []string{"127.0.0.1"}, nil, true},
		{"the same, in another spelling", first.URL + "/start", "http://[::ffff:127.0.0.1]" + port, []string{"127.0.0.1"}, nil, true},
		{"redirected to a host listed for redirects", first.URL + "/start", "http://127.0.0.2" + port, []string{"127.0.0.1"}, []string{"127.0.0.2"}, true},
		{"redirected to a loopback name", first.URL + "/start", "http://localhost" + port, []string{"127.0.0.1"}, nil, false},
		{"redirected to a loopback name by https", first.URL + "/start", "https://localhost" + port, []string{"127.0.0.1"}, nil, false},
		{"redirected to a private address", first.URL + "/start", "https://10.0.0.1/", []string{"127.0.0.1"}, nil, false},
		{"redirected to link-local metadata", first.URL + "/start", "https://169.254.169.254/latest", []string{"127.0.0.1"}, nil, false},
		{"redirected to nowhere", first.URL + "/start", "", []string{"127.0.0.1"}, nil, false},
		{"not listed", elsewhere.URL, "", []string{"zoom.us", ".zoom.us"}, nil, false},
		{"a listed name without https", "http://localhost" + port, "", []string{"localhost"}, nil, false},
		{"a name that ends like a listed one", "https://evilzoom.us/x", "", []string{"zoom.us", ".zoom.us"}, nil, false},
		{"a name before a listed one", "https://zoom.us.evil.test/x", "", []string{"zoom.us", ".zoom.us"}, nil, false},
		{"a user before another host", "https://zoom.us@evil.test/x", "", []string{"zoom.us"}, nil, false},
		{"another scheme", "file:///etc/passwd", "", []string{"zoom.us"}, nil, false},
		{"nothing", "", "", []string{"zoom.us"}, nil, false},
	} {
		redirect = c.redirect
		client := zoom.NewClient(zoom.Config{FetchConfig: zoom.FetchConfig{DownloadHosts: c.downloads, RedirectHosts: c.redirects}}, slog.New(slog.DiscardHandler))
		d, err := client.Download(media.WithTraceparent(t.Context(), traceparent), c.link, "the-token", 0, "")
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			d.Body.Close()
		}
		client.Close()
	}
	if leaked.Load() != 0 {
		t.Errorf("a token or a traceparent leaked %d times", leaked.Load())
	}
}

// TestDownloads: domain A.5: ranges, hosts without them, pages with status 200.
func TestDownloads(t *testing.T) {
	server, client := emulated(t)
	content := emulator.Synthetic(1<<20, 3)
	m := meeting("u==", content)
	server.AddMeeting(m)
	got, err := client.Recordings(t.Context(), account, "u==")
	if err != nil {
		t.Fatal(err)
	}
	token, err := client.Token(t.Context(), account, "")
	if err != nil {
		t.Fatal(err)
	}
	link := got.Files[0].DownloadURL
	read := func(offset int64) (*zoom.Download, []byte) {
		t.Helper()
		d, err := client.Download(t.Context(), link, token, offset, "")
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(d.Body)
		if err := d.Body.Close(); err != nil {
			t.Error(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		return d, data
	}
	want := make([]byte, 1<<20)
	_, _ = content.ReadAt(want, 0)
	if d, data := read(1000); d.Offset != 1000 || d.Size != 1<<20 || string(data) != string(want[1000:]) {
		t.Errorf("a range: %+v, %d bytes", d, len(data))
	}
	server.SetFaults(zoomemu.Faults{NoRange: true})
	if d, data := read(1000); d.Offset != 0 || string(data) != string(want) {
		t.Errorf("without ranges: %+v, %d bytes", d, len(data))
	}
	server.SetFaults(zoomemu.Faults{DownloadPage: 1})
	if _, err := client.Download(t.Context(), link, token, 0, ""); zoom.ReasonOf(err) != zoom.ReasonPage {
		t.Errorf("a page: %v", err)
	}
	if _, err := client.Download(t.Context(), link, "expired", 0, ""); zoom.ReasonOf(err) != zoom.ReasonExpiredToken || strings.Contains(err.Error(), "http") {
		t.Errorf("an expired token: %v", err)
	}
	if server.Stats().Leaked != 0 {
		t.Error("the CDN got a token")
	}
}

// TestLenient: domain A.4: what has been seen of Zoom's JSON.
func TestLenient(t *testing.T) {
	var m zoom.Meeting
	err := json.Unmarshal([]byte(`{"id": "684 0331 990", "uuid": "u", "start_time": "2026-11-20T10:00:00.123+00:00", "duration": "61", "type": "1",
		"recording_files": [{"id": "f", "file_type": "mp4", "recording_type": "shared_screen_with_speaker_view(CC)", "recording_end": "", "file_size": "12", "status": "Completed"},
			{"file_type": "CC", "recording_start": null}, 7, {"id": 9, "file_size": -1}]}`), &m)
	if err != nil || m.ID != "6840331990" || m.Start.Nanosecond() != 123e6 || m.Duration != 61*time.Minute || len(m.Files) != 3 {
		t.Fatalf("%+v, %v", m, err)
	}
	if f := m.Files[0]; f.Type != "MP4" || f.View != "shared_screen_with_speaker_view" || !f.End.IsZero() || f.Size != 12 || !f.Ready() || !f.Video() {
		t.Errorf("%+v", f)
	}
	if m.Files[2].ID != "9" || m.Files[2].Size != 0 {
		t.Errorf("%+v", m.Files[2])
	}
	for _, body := range []string{`{"id": 1, "recording_files": null}`, `{"id": 1}`, `{"id": 8.6e10, "recording_files": {}}`} {
		if err := json.Unmarshal([]byte(body), &m); err != nil || len(m.Files) != 0 {
			t.Errorf("%s: %+v, %v", body, m, err)
		}
	}
	if m.ID != "86000000000" {
		t.Errorf("an id in scientific notation: %s", m.ID)
	}
}

// TestIdentity: the same event whatever its delivery; another one when it names other
// files.
func TestIdentity(t *testing.T) {
	parse := func(s string) zoom.Event {
		e, err := zoom.ParseEvent([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const base = `{"event":"recording.completed","event_ts":%TS%,"download_token":"%T%","payload":{"account_id":"a","object":{"uuid":"u","id":%ID%,"recording_files":[%F%]}}}`
	event := func(ts, token, id, files string) string {
		return parse(strings.NewReplacer("%TS%", ts, "%T%", token, "%ID%", id, "%F%", files).Replace(base)).Identity()
	}
	one := event("1", "x", "5", `{"id":"f","download_url":"https://a"},{"id":"g"}`)
	if one != event("2", "y", `"5"`, `{"id":"g"},{"id":"f","download_url":"https://b"},{"file_type":"CC"}`) {
		t.Error("a redelivery is another event")
	}
	if one == event("1", "x", "5", `{"id":"f"}`) {
		t.Error("other files are the same event")
	}
	if event("1", "x", "5", ``) == event("2", "x", "5", ``) || event("1", "x", "5", ``) != event("1", "y", "5", ``) {
		t.Error("without files the time distinguishes events")
	}
}

// TestReadOnly: a read-only client lists, and neither trashes nor downloads.
func TestReadOnly(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was sent", r.Method, r.URL) }))
	defer server.Close()
	c := zoom.NewClient(zoom.Config{APIURL: server.URL, FetchConfig: zoom.FetchConfig{OAuthURL: server.URL, DownloadHosts: []string{"127.0.0.1"}}}, slog.New(slog.DiscardHandler)).ReadOnly()
	defer c.Close()
	_, downloadErr := c.Download(t.Context(), server.URL, "token", 0, "")
	_, rangeErr := c.Range(t.Context(), server.URL, "token", media.Span{})
	for what, err := range map[string]error{"trash": c.TrashFile(t.Context(), zoom.Account{ID: "a", ClientID: "b", ClientSecret: "c"}, "uuid==", "file"), "download": downloadErr, "range": rangeErr} {
		if media.KindOf(err) != media.Denied {
			t.Errorf("%s: %v", what, err)
		}
	}
}
