package e2e

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/demo/lessons"
	"github.com/lectiospace/lectern/internal/emulator"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// TestStandalone runs the commands of docs/standalone.md: from nothing to a playing lesson
// on both databases, and on SQLite to a lesson from Zoom.
func TestStandalone(t *testing.T) {
	t.Parallel()
	media := t.TempDir()
	if err := lessons.WriteTo(media); err != nil {
		t.Fatal(err)
	}
	video := filepath.Join(media, lessons.All()[0].File)

	t.Run("SQLite", func(t *testing.T) {
		clip, err := os.ReadFile(video)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now().UTC().Add(-5 * time.Hour).Truncate(time.Second)
		zoom := zoomemu.New()
		if err := zoom.Start(); err != nil {
			t.Fatal(err)
		}
		defer zoom.Stop()
		zoom.AddAccount(zoomemu.Account{ID: "ACC", ClientID: "CID", ClientSecret: "refonly", Owner: "owner"})
		zoom.AddMeeting(zoomemu.Meeting{Account: "ACC", ID: 89999999999, UUID: "standalone==", Host: "owner", Start: began, Minutes: 60, Files: []zoomemu.File{
			{ID: "file", Type: "MP4", View: "shared_screen_with_speaker_view", Start: began, End: began.Add(time.Hour), Content: emulator.Bytes(clip)},
		}})
		p := standalonePage(t, video, map[string]string{
			"WEBHOOK_SECRET": "a-webhook-secret-of-the-tests", "ZOOM_ACCOUNT": "ACC", "ZOOM_CLIENT": "CID", "ZOOM_CLIENT_SECRET": "refonly",
			"MEETING": "89999999999", "START": began.Format(time.RFC3339), "END": began.Add(time.Hour).Format(time.RFC3339),
		}, "LECTERN_ZOOM_API_URL="+zoom.APIURL(), "LECTERN_ZOOM_OAUTH_URL="+zoom.OAuthURL(), "LECTERN_ZOOM_DOWNLOAD_HOSTS=127.0.0.1", "LECTERN_SYNC_SETTLE=0s")
		p.run("Values")
		p.run("Settings")
		p.walkToFirstByte()
		if out := p.run("Links"); !strings.Contains(out, p.values["PUBLIC_URL"]+"/watch/1#token=ey") {
			t.Errorf("links: %s", out)
		}
		out := p.run("Zoom")
		if !strings.Contains(out, `"title":"Quadratic equations"`) || strings.Contains(out, "FAIL") {
			t.Errorf("from Zoom: %s", out)
		}
		out, _ = command(t, append(p.env, p.credentials()...), 0, "gateway", "token", "--user", "3")
		if res, body := get(t, p.values["GATEWAY"]+"/api/recordings/2/stream/", strings.TrimSpace(out), ""); res.StatusCode != 200 || !bytes.Equal(body, clip) {
			t.Errorf("the archived recording: %s, %d bytes", res.Status, len(body))
		}
		if out := p.run("Every day"); !strings.Contains(out, "backups") {
			t.Errorf("backup: %s", out)
		}
		export, err := os.ReadFile(filepath.Join(p.values["ETC"], "school.yaml"))
		if err != nil || !strings.Contains(string(export), "title: Quadratic equations") {
			t.Errorf("export: %v\n%s", err, export)
		}
	})

	t.Run("PostgreSQL", func(t *testing.T) {
		admin := pgtest.Start(t)
		const name = "lectern_standalone"
		own, err := url.Parse(admin)
		if err != nil {
			t.Fatal(err)
		}
		own.Path, own.User = "/"+name, url.UserPassword(name, "a password of the tests")
		t.Cleanup(func() {
			pgtest.Exec(t, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			pgtest.Exec(t, admin, "DROP ROLE IF EXISTS "+name)
		})
		p := standalonePage(t, video, map[string]string{"ADMIN_URL": admin, "DATABASE_NAME": name, "DATABASE_PASSWORD": "a password of the tests", "DATABASE_URL": own.String()})
		p.run("Values")
		p.run("Settings")
		p.run("PostgreSQL")
		p.walkToFirstByte()
		if _, err := os.Stat(filepath.Join(p.values["ETC"], "..", "lectern.db")); err == nil {
			t.Error("there is a SQLite file beside PostgreSQL")
		}
		p.units["gateway"].kill() // its connections keep the database from being dropped
	})
}

// standalonePage is the page with the values of a test, and the example of the settings.
func standalonePage(t *testing.T, video string, values map[string]string, env ...string) *commandsPage {
	t.Helper()
	data, address := t.TempDir(), freeAddress(t)
	example, err := os.ReadFile("../../configs/lectern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	etc := filepath.Join(data, "etc")
	if err := os.Mkdir(etc, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(etc, "lectern.yaml"), example, 0o600); err != nil {
		t.Fatal(err)
	}
	values["ETC"], values["RECORDINGS"], values["VIDEO"] = etc, filepath.Join(data, "recordings"), video
	values["ACCOUNT"], values["GATEWAY"], values["PUBLIC_URL"] = "root", "http://"+address, "http://"+address
	return readPage(t, "../../docs/standalone.md", values, append(env, "LECTERN_DATA_DIR="+data, "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN="+freeAddress(t),
		"LECTERN_CACHE_MIN_FREE=0", "LECTERN_CACHE_SIZE=64MiB", "LECTERN_SYNC_WORK_MIN_FREE=0", "LECTERN_SYNC_WORK_SIZE=64MiB")...)
}

// walkToFirstByte runs the steps from the database to the first byte, and checks what
// they print.
func (p *commandsPage) walkToFirstByte() {
	p.t.Helper()
	p.run("Database")
	if out := p.run("People"); !strings.Contains(out, `add person 2 "boris@school.example"`) {
		p.t.Errorf("people: %s", out)
	}
	if out := p.run("A lesson"); !strings.Contains(out, "add recording 1 ") {
		p.t.Errorf("lesson: %s", out)
	}
	if out := p.run("Gateway"); strings.Contains(out, "FAIL") {
		p.t.Errorf("doctor: %s", out)
	}
	if out := p.run("First byte"); out != "206 1\n" {
		p.t.Errorf("the first byte: %q", out)
	}
}
