package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/pgtest"
)

// TestOriginFaults makes Drive fail in every way and looks at what a viewer gets:
// exact bytes, or a clear status before the headers.
func TestOriginFaults(t *testing.T) {
	t.Parallel()
	// More than one request of the cache, so that an answer with the whole is never what was asked.
	const size = 12 << 20
	for _, c := range []struct {
		name   string
		fault  driveemu.Faults
		status int
		code   string
	}{
		{"gone", driveemu.Faults{Status: 404, Reason: "notFound"}, 404, "no_media"},
		{"quota", driveemu.Faults{Status: 403, Reason: "downloadQuotaExceeded"}, 503, "origin_quota"},
		{"no permission", driveemu.Faults{Status: 403, Reason: "cannotDownloadFile"}, 502, "origin_invalid"},
		{"down", driveemu.Faults{Status: 503, Reason: "backendError"}, 503, "origin_unavailable"},
		{"busy", driveemu.Faults{Status: 403, Reason: "userRateLimitExceeded"}, 503, "origin_unavailable"},
		{"a page", driveemu.Faults{HTML: true}, 502, "origin_invalid"},
		{"the whole for a range", driveemu.Faults{Whole: true}, 502, "origin_invalid"},
		{"wrong range", driveemu.Faults{WrongRange: true}, 502, "origin_invalid"},
		{"down for two requests", driveemu.Faults{Status: 500, Reason: "backendError", OnlyRequests: 2}, 206, ""},
		{"reset twice", driveemu.Faults{ResetAfter: 500_000, OnlyRequests: 2}, 206, ""},
		{"short twice", driveemu.Faults{ShortBy: 1000, OnlyRequests: 2}, 206, ""},
		{"no revisions", driveemu.Faults{NoRevisions: true}, 206, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newDriveFixture(t, size)
			g := serve(t, s.env...)
			s.drive.SetDefaults(c.fault)
			res, body := get(t, g.url+lessonPath, token(t, "--user", "2"), "bytes=100-2999999")
			if res.StatusCode != c.status || c.code != "" && !bytes.Contains(body, []byte(`"code":"`+c.code+`"`)) {
				t.Fatalf("%s %s, want %d %s", res.Status, body[:min(len(body), 200)], c.status, c.code)
			}
			if c.status == 206 && !bytes.Equal(body, s.bytes[100:3000000]) {
				t.Error("wrong bytes")
			}
			if res.StatusCode == 503 && res.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			// What is over is over: a cached or a fresh answer comes again, but for a
			// used-up quota, which rests.
			s.drive.SetDefaults(driveemu.Faults{})
			if c.code != "origin_quota" {
				if _, body := get(t, g.url+lessonPath, token(t, "--user", "2"), "bytes=0-9"); !bytes.Equal(body, s.bytes[:10]) {
					t.Errorf("after the fault: %s", body)
				}
			}
		})
	}
}

// TestNewVersion replaces the file: the next answer is wholly of the new one, with
// another ETag, and a range of the old one is not continued with the new.
func TestNewVersion(t *testing.T) {
	t.Parallel()
	s := newDriveFixture(t, 3<<20)
	g := serve(t, append(s.env, "LECTERN_ORIGIN_RECHECK=0s")...)
	student := token(t, "--user", "2")
	first, _ := get(t, g.url+lessonPath, student, "bytes=0-9")
	next := bytes.Repeat([]byte("next"), 1<<20)
	s.drive.Put(driveemu.File{ID: "lesson-file", Name: "lesson.mp4", MimeType: "video/mp4", Content: emulator.Bytes(next)})
	res, body := get(t, g.url+lessonPath, student, "")
	if res.StatusCode != 200 || !bytes.Equal(body, next) || res.Header.Get("ETag") == first.Header.Get("ETag") {
		t.Errorf("%s, %d bytes, ETag %s after %s", res.Status, len(body), res.Header.Get("ETag"), first.Header.Get("ETag"))
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+lessonPath, nil)
	req.Header = http.Header{"Authorization": {"Bearer " + student}, "Range": {"bytes=10-19"}, "If-Range": {first.Header.Get("ETag")}}
	again, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Body.Close()
	if whole, _ := io.ReadAll(again.Body); again.StatusCode != 200 || !bytes.Equal(whole, next) {
		t.Errorf("If-Range with the old tag: %s, %d bytes", again.Status, len(whole))
	}
}

// TestHangUp: when the viewer leaves, Drive is not read any further.
func TestHangUp(t *testing.T) {
	t.Parallel()
	s := newDriveFixture(t, 64<<20)
	s.drive.SetDefaults(driveemu.Faults{Rate: 4 << 20})
	g := serve(t, s.env...)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+lessonPath, nil)
	req.Header.Set("Authorization", "Bearer "+token(t, "--user", "2"))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, res.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	left := time.Now()
	var sent int64
	waitFor(t, "the end of Drive's answers", func() bool {
		before := s.drive.Stats().BytesSent
		time.Sleep(200 * time.Millisecond)
		sent = s.drive.Stats().BytesSent
		return before == sent
	})
	t.Logf("the origin was idle %v after the hang-up, %d bytes sent for 1 MiB", time.Since(left).Round(time.Millisecond), sent)
	if sent > 16<<20 {
		t.Errorf("Drive sent %d bytes to a viewer who took 1 MiB and left", sent)
	}
	waitFor(t, "the stream's end", func() bool {
		_, metrics := get(t, g.admin+"/metrics", "", "")
		return bytes.Contains(metrics, []byte("\nlectern_streams_active 0"))
	})
}

// onPostgres creates a standalone catalog, with one local recording, in an empty database.
func onPostgres(t *testing.T, database string) (env []string) {
	t.Helper()
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "recordings"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "recordings", "l.mp4"), make([]byte, 8<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	doc := filepath.Join(data, "catalog.yaml")
	if err := os.WriteFile(doc, []byte(`
people: [{email: t@x, role: teacher}, {email: s@x, role: student}]
groups: [{name: G, teacher: t@x, students: [s@x]}]
lessons: [{title: L, group: G, teacher: t@x, start: 2026-11-20T10:00:00Z, end: 2026-11-20T11:00:00Z}]
recordings: [{lesson: L, title: L, status: ready, provider: local, key: l.mp4}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	env = []string{"LECTERN_DATA_DIR=" + data, "LECTERN_DATABASE_URL=" + database}
	command(t, env, 0, "gateway", "migrate", "up")
	command(t, env, 0, "gateway", "catalog", "apply", doc)
	return env
}

// TestRevokedWhilePlaying: a student who is taken out of the group is cut off
// within a second, by the standalone schema's own triggers.
func TestRevokedWhilePlaying(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t)
	env := onPostgres(t, database)
	g := serve(t, append(env, "LECTERN_LIMIT_STREAM_RATE=1MiB", "LECTERN_AUTH_MAX_STALENESS=10m")...)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+lessonPath, nil)
	req.Header.Set("Authorization", "Bearer "+token(t, "--user", "2"))
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v, %v", res, err)
	}
	defer res.Body.Close()
	if _, err := io.CopyN(io.Discard, res.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	pgtest.Exec(t, database, "delete from schedule_group_students")
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil {
		t.Fatalf("the stream went on for %d bytes to its end", n)
	}
	cut := time.Since(revoked)
	t.Logf("cut %v after the revocation", cut.Round(time.Millisecond))
	if n > 4<<20 { // at 1 MiB/s: a generous bound on bytes, not on time
		t.Errorf("%d bytes were sent after the revocation", n)
	}
}

// TestDatabaseOutage: who was watching goes on for the grace, then nobody does,
// and all is well when the database is back.
func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	server := pgtest.StartServer(t)
	env := onPostgres(t, server.Database(t))
	g := serve(t, append(env, "LECTERN_AUTH_MAX_STALENESS=1s", "LECTERN_AUTH_OUTAGE_GRACE=6s")...)
	student, teacher := token(t, "--user", "2"), token(t, "--user", "1")
	ask := func(tok string) string {
		res, body := get(t, g.url+lessonPath, tok, "bytes=0-9")
		return fmt.Sprint(res.StatusCode, " ", string(bytes.Trim(body, "\x00")))
	}
	if got := ask(student); got != "206 " {
		t.Fatal(got)
	}
	server.Stop(t)
	time.Sleep(2 * time.Second) // what was known is too old to be used without the grace
	if got := ask(student); got != "206 " {
		t.Errorf("a known viewer within the grace: %s", got)
	}
	if res, body := post(t, g.url+strings.Replace(lessonPath, "/stream/", "/playback/", 1), student); res.StatusCode != 201 {
		t.Errorf("their grant within the grace: %s %s", res.Status, body)
	}
	if got := ask(teacher); !strings.HasPrefix(got, "503") || !strings.Contains(got, "catalog_unavailable") {
		t.Errorf("somebody new: %s", got)
	}
	ready := func(base string) string {
		res, body := get(t, base+"/readyz", "", "")
		return fmt.Sprint(res.StatusCode, " ", string(body))
	}
	if got := ready(g.admin); !strings.HasPrefix(got, `200 {"ready":true,"degraded":["database"],`) {
		t.Errorf("readyz within the grace: %s", got)
	}
	if got := ready(g.url); got != `200 {"ready":true}` {
		t.Errorf("the public readyz within the grace: %s", got)
	}
	wantMetrics(t, g, "lectern_ready 1", "lectern_database_up 0")
	waitFor(t, "the grace's end", func() bool { return strings.Contains(ask(student), "catalog_unavailable") })
	waitFor(t, "unreadiness", func() bool {
		return strings.HasPrefix(ready(g.admin), `503 {"ready":false`) && ready(g.url) == `503 {"ready":false}`
	})
	wantMetrics(t, g, "lectern_ready 0", "lectern_database_up 0")
	server.Restart(t)
	waitFor(t, "recovery", func() bool { return ask(student) == "206 " && ask(teacher) == "206 " })
	waitFor(t, "readiness", func() bool { return strings.HasPrefix(ready(g.admin), `200 {"ready":true,"checks"`) })
	wantMetrics(t, g, "lectern_ready 1", "lectern_database_up 1")
}

// wantMetrics fails the test unless each line is among the metrics.
func wantMetrics(t *testing.T, g *gateway, lines ...string) {
	t.Helper()
	_, body := get(t, g.admin+"/metrics", "", "")
	for _, line := range lines {
		if !strings.Contains(string(body), "\n"+line+"\n") {
			t.Errorf("no metric %s", line)
		}
	}
}

// TestShutdownDelay: after SIGTERM the gateway is not ready at once, and serves new
// connections and kept ones for the delay. Then the listener closes, and the admin
// listener says 503 to the end of the grace.
func TestShutdownDelay(t *testing.T) {
	t.Parallel()
	env := onPostgres(t, pgtest.Start(t))
	g := serve(t, append(env, "LECTERN_SHUTDOWN_DELAY=4s")...)
	student := token(t, "--user", "2")
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(client *http.Client, url string) int {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		req.Header.Set("Authorization", "Bearer "+student)
		req.Header.Set("Range", "bytes=0-9")
		res, err := client.Do(req)
		if err != nil {
			return 0
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	kept := &http.Client{Transport: &http.Transport{}}
	defer kept.CloseIdleConnections()
	if a, b := ask(kept, g.url+lessonPath), ask(fresh, g.url+"/readyz"); a != 206 || b != 200 {
		t.Fatal(a, b)
	}
	began := time.Now()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "unreadiness", func() bool { return ask(fresh, g.admin+"/readyz") == 503 })
	for name, got := range map[string]int{"a new connection": ask(fresh, g.url+lessonPath), "a kept connection": ask(kept, g.url+lessonPath)} {
		if got != 206 {
			t.Errorf("%s in the delay: %d", name, got)
		}
	}
	if got := ask(fresh, g.url+"/readyz"); got != 503 {
		t.Errorf("the public readyz in the delay: %d", got)
	}
	waitFor(t, "the listener's end", func() bool { return ask(fresh, g.url+lessonPath) == 0 })
	if took := time.Since(began); took < 4*time.Second {
		t.Errorf("new connections were refused after %v", took)
	}
	<-g.done
}

// TestSocketActivation hands a listening socket over as systemd does.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http exec "$0" serve`, filepath.Join(bin, "gateway"))
	cmd.Env = append(cleanEnv(), "LECTERN_AUTH_JWT_SECRET="+secret, "LECTERN_DATA_DIR="+t.TempDir(), "LECTERN_ADMIN_LISTEN=127.0.0.1:0")
	cmd.ExtraFiles = []*os.File{file}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	res, _ := get(t, "http://"+ln.Addr().String()+lessonPath, "", "")
	if res.StatusCode != 401 {
		t.Errorf("%s", res.Status)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil || !strings.Contains(log.String(), strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)) {
		t.Errorf("%v\n%s", err, &log)
	}
}
