package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/demo/lessons"
	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// simpleJWT is an access token as djangorestframework-simplejwt makes one.
func simpleJWT(user int) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	now := time.Now().Unix()
	unsigned := part(`{"alg":"HS256","typ":"JWT"}`) + "." +
		part(fmt.Sprintf(`{"token_type":"access","exp":%d,"iat":%d,"jti":"0123456789abcdef0123456789abcdef","user_id":"%d"}`, now+43200, now, user))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(unsigned))
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// TestAdopting runs the commands of docs/adopting.md: on the platform's own schema, whose
// owner is no superuser, to a playing byte, through observing and acting, and back.
func TestAdopting(t *testing.T) {
	database := pgtest.Start(t)
	owner := pgtest.As(t, database, "platform_owner")
	psql := func(query string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", query, database).CombinedOutput()
		if err != nil {
			t.Fatalf("psql: %v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	psql(`DO $$ BEGIN CREATE ROLE platform_owner LOGIN CREATEROLE; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO platform_owner', current_database()); END $$`)
	if out, err := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "../../internal/catalog/catalogtest/lectiospace.sql", owner).CombinedOutput(); err != nil {
		t.Fatalf("the platform's schema: %v\n%s", err, out)
	}
	began := time.Now().UTC().Add(-5 * time.Hour).Truncate(time.Second)
	psql(fmt.Sprintf(`UPDATE schedule_lesson SET zoom_meeting_id = '89999999999', start_time = '%[1]s', end_time = timestamptz '%[1]s' + interval '1 hour' WHERE id = 9`, began.Format(time.RFC3339)))

	zoom := zoomemu.New()
	if err := zoom.Start(); err != nil {
		t.Fatal(err)
	}
	defer zoom.Stop()
	media := t.TempDir()
	if err := lessons.WriteTo(media); err != nil {
		t.Fatal(err)
	}
	clip, err := os.ReadFile(filepath.Join(media, lessons.All()[0].File))
	if err != nil {
		t.Fatal(err)
	}
	for n, name := range []string{"1", "2"} {
		zoom.AddAccount(zoomemu.Account{ID: "ACC" + name, ClientID: "CID" + name, ClientSecret: "refonly" + name, Owner: []string{"owner", "teacher2@ref.test"}[n]})
	}
	zoom.AddMeeting(zoomemu.Meeting{Account: "ACC1", ID: 89999999999, UUID: "adopted==", Host: "owner", Start: began, Minutes: 60, Files: []zoomemu.File{
		{ID: "file", Type: "MP4", View: "shared_screen_with_speaker_view", Start: began, End: began.Add(time.Hour), Content: emulator.Bytes(clip)},
	}})
	drive := driveemu.New()
	drive.Put(driveemu.File{ID: "drv006", Name: "drv006.mp4", MimeType: "video/mp4", Content: emulator.Bytes(clip)})
	driveServer := httptest.NewServer(drive)
	defer driveServer.Close()

	data, address := t.TempDir(), freeAddress(t)
	example, err := os.ReadFile("../../configs/lectern.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(data, "etc"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "etc", "lectern.yaml"), example, 0o600); err != nil {
		t.Fatal(err)
	}
	p := readPage(t, "../../docs/adopting.md", map[string]string{
		"OWNER_URL": owner, "DATABASE_PASSWORD": "a password of the tests", "DATABASE_URL": pgtest.As(t, database, "lectern"),
		"SECRET_KEY": secret, "WEBHOOK_SECRET": "a-webhook-secret-of-the-tests", "ETC": filepath.Join(data, "etc"), "GATEWAY": "http://" + address,
		"TOKEN": simpleJWT(5), "RECORDING": "6",
	}, "LECTERN_DATA_DIR="+data, "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0", "LECTERN_CACHE_MIN_FREE=0", "LECTERN_CACHE_SIZE=64MiB", "LECTERN_SYNC_WORK_MIN_FREE=0", "LECTERN_SYNC_WORK_SIZE=64MiB",
		"LECTERN_ORIGIN_DRIVE_ENDPOINT="+driveServer.URL, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_SYNC_PROVIDER=local",
		"LECTERN_ZOOM_API_URL="+zoom.APIURL(), "LECTERN_ZOOM_OAUTH_URL="+zoom.OAuthURL(), "LECTERN_ZOOM_DOWNLOAD_HOSTS=127.0.0.1", "LECTERN_SYNC_SETTLE=0s")
	rows := func() string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "pg_dump", "--data-only", "--schema=public", "--restrict-key=tests", database).CombinedOutput()
		if err != nil {
			t.Fatalf("pg_dump: %v\n%s", err, out)
		}
		return string(out)
	}
	before := rows()
	const shape = `SELECT string_agg(concat_ws(' ', table_name, column_name, data_type), '; ' ORDER BY table_name, column_name) FROM information_schema.columns WHERE table_schema = 'public'`
	columns := psql(shape)

	for _, heading := range []string{"Values", "Role", "Settings", "Schema", "Gateway"} {
		p.run(heading)
	}
	if out := p.run("First byte"); out != "206 1\n" {
		t.Errorf("the first byte: %q", out)
	}
	if out := p.run("Observe"); !strings.Contains(out, "observe: would archive 1 part(s)") || !strings.Contains(out, `"teachers_processed":2`) {
		t.Errorf("observed: %s", out)
	}
	if after := rows(); after != before {
		t.Errorf("a row of the platform has changed before Lectern acts")
	}
	if stats := zoom.Stats(); stats.Downloads+stats.Deletes != 0 {
		t.Errorf("at Zoom: %+v", stats)
	}

	p.run("Act")
	waitFor(t, "the observed recording", func() bool { return psql(`SELECT status FROM schedule_lessonrecording WHERE lesson_id = 9`) == "ready" })
	made := psql(`SELECT id FROM schedule_lessonrecording WHERE lesson_id = 9`)
	if res, body := get(t, "http://"+address+"/schedule/api/recordings/"+made+"/stream/", simpleJWT(5), ""); res.StatusCode != 200 || !bytes.Equal(body, clip) {
		t.Errorf("the archived recording: %s, %d bytes", res.Status, len(body))
	}
	if expired := psql(`SELECT status FROM schedule_lessonrecording WHERE id = 22`); expired != "ready" {
		t.Errorf("an expired recording is %s before the first clean-up", expired)
	}

	p.run("The way back")
	if left := psql(`SELECT count(*) FROM pg_roles WHERE rolname = 'lectern'`) + psql(`SELECT count(*) FROM pg_namespace WHERE nspname = 'lectern'`) + psql(`SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'lectern%'`); left != "000" {
		t.Errorf("role, schema, triggers left: %s", left)
	}
	if psql(shape) != columns {
		t.Error("the platform's columns have changed")
	}
	psql(`DELETE FROM schedule_lessonrecording_allowed_groups WHERE lessonrecording_id = ` + made + `; DELETE FROM schedule_lessonrecording WHERE id = ` + made)
	if psql(`SELECT count(*) FROM schedule_lessonrecording WHERE is_deleted AND deleted_at > now() - interval '1 hour'`) != "0" {
		t.Error("a recording was removed")
	}
}
