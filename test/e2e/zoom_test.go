package e2e

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/zoom"
)

// TestPlaysFromZoom: a recording that is not archived yet plays through Zoom's
// download, with the credentials of the lesson's teacher, and from the cache after.
func TestPlaysFromZoom(t *testing.T) {
	t.Parallel()
	server := zoomemu.New()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	content := bytes.Repeat([]byte("still at Zoom, "), 300_000)
	at := time.Now().Add(-time.Hour)
	server.AddAccount(zoomemu.Account{ID: "acc", ClientID: "client", ClientSecret: "hush", Owner: "owner"})
	server.AddMeeting(zoomemu.Meeting{Account: "acc", ID: 123, UUID: "uuid==", Host: "owner", Start: at, Minutes: 50, Files: []zoomemu.File{
		{ID: "one", Type: "MP4", View: "shared_screen", Start: at, End: at.Add(time.Minute), Content: emulator.Bytes(content)},
	}})
	fetch := zoom.FetchConfig{OAuthURL: server.OAuthURL(), DownloadHosts: []string{"127.0.0.1"}}
	client := zoom.NewClient(zoom.Config{APIURL: server.APIURL(), FetchConfig: fetch}, slog.New(slog.DiscardHandler))
	defer client.Close()
	m, err := client.Recordings(t.Context(), zoom.Account{ID: "acc", ClientID: "client", ClientSecret: "hush"}, "uuid==")
	if err != nil {
		t.Fatal(err)
	}
	document := filepath.Join(t.TempDir(), "catalog.yaml")
	err = os.WriteFile(document, fmt.Appendf(nil, `
people:
  - {email: t@school.test, role: teacher, zoom_account_id: acc, zoom_client_id: client, zoom_client_secret: hush}
  - {email: poor@school.test, role: teacher}
  - {email: s@school.test, role: student}
groups:
  - {name: G, teacher: t@school.test, students: [s@school.test]}
lessons:
  - {title: L, group: G, teacher: t@school.test, start: 2026-11-16T10:00:00Z, end: 2026-11-16T11:00:00Z}
  - {title: P, group: G, teacher: poor@school.test, start: 2026-11-16T10:00:00Z, end: 2026-11-16T11:00:00Z}
recordings:
  - {lesson: L, title: at Zoom, status: ready, visibility: lesson_group, provider: zoom, download_url: %[1]q}
  - {lesson: L, title: elsewhere, status: ready, visibility: lesson_group, provider: zoom, download_url: "https://files.example/one"}
  - {lesson: P, title: no credentials, status: ready, visibility: lesson_group, provider: zoom, download_url: %[1]q}
  - {lesson: L, title: no link, status: ready, visibility: lesson_group, provider: zoom}
`, m.Files[0].DownloadURL), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"LECTERN_DATA_DIR=" + t.TempDir(), "LECTERN_ZOOM_OAUTH_URL=" + server.OAuthURL(), "LECTERN_ZOOM_DOWNLOAD_HOSTS=127.0.0.1", "LECTERN_CACHE_MIN_FREE=0"}
	command(t, env, 0, "gateway", "catalog", "apply", document)
	g := serve(t, env...)
	student := token(t, "--user", "3")
	url := func(id int) string { return fmt.Sprintf("%s/api/recordings/%d/stream/", g.url, id) }

	res, body := get(t, url(1), student, "bytes=4000000-4000099")
	if res.StatusCode != 206 || !bytes.Equal(body, content[4000000:4000100]) || res.Header.Get("Cache-Status") != "lectern; fwd=miss; stored" {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	if res, body = get(t, url(1), student, ""); res.StatusCode != 200 || !bytes.Equal(body, content) || res.Header.Get("Content-Type") != "video/mp4" {
		t.Fatalf("%s, %d bytes, %v", res.Status, len(body), res.Header)
	}
	before := server.Stats()
	if res, body = get(t, url(1), student, ""); !bytes.Equal(body, content) || res.Header.Get("Cache-Status") != "lectern; hit" {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	if after := server.Stats(); after.Bytes != before.Bytes || after.Leaked != 0 {
		t.Errorf("%d bytes more, %d tokens leaked", after.Bytes-before.Bytes, after.Leaked)
	}
	for id, want := range map[int]string{2: "502 origin_invalid", 3: "502 origin_invalid", 4: "404 no_media"} {
		res, body := get(t, url(id), student, "")
		if got := fmt.Sprintf("%d", res.StatusCode); !bytes.Contains(body, []byte(`"code":"`+want[4:]+`"`)) || got != want[:3] {
			t.Errorf("recording %d: %s %s, want %s", id, res.Status, body, want)
		}
	}
}
