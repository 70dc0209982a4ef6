package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/ffmpeg/ffmpegtest"
	"github.com/lectiospace/lectern/internal/pgtest"
)

const zoomSecret = "the-secret-token-of-the-zoom-app"

// zoomFixture is an emulated Zoom and Drive, and the settings both programs share.
type zoomFixture struct {
	zoom  *zoomemu.Server
	drive *driveemu.Server
	// driveURL is where the drive answers.
	driveURL string
	env      []string
	dir      string
	start    time.Time // of the first lesson; the others follow a day apart, back in time
}

// newRecordedSchool fills a catalog with a teacher and lessons, each with a meeting id.
func newZoomFixture(t *testing.T, database string, lessons int) *zoomFixture {
	t.Helper()
	s := &zoomFixture{zoom: zoomemu.New(), drive: driveemu.New(), dir: t.TempDir(), start: time.Now().UTC().Add(-6 * time.Hour).Truncate(time.Minute)}
	s.drive.SpoolIn(t.TempDir())
	if err := s.zoom.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.zoom.Stop)
	s.zoom.AddAccount(zoomemu.Account{ID: "acc", ClientID: "client", ClientSecret: "client-secret", Owner: "host"})
	server := httptest.NewServer(s.drive)
	t.Cleanup(server.Close)
	s.driveURL = server.URL
	if database == "" {
		database = "sqlite://" + filepath.Join(s.dir, "lectern.db")
	}
	s.env = []string{
		"LECTERN_DATA_DIR=" + s.dir, "LECTERN_DATABASE_URL=" + database, "LECTERN_CACHE_MIN_FREE=0", "LECTERN_SYNC_WORK_MIN_FREE=0",
		"LECTERN_ORIGIN_DRIVE_ENDPOINT=" + server.URL, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_SYNC_PROVIDER=gdrive",
		"LECTERN_ZOOM_API_URL=" + s.zoom.APIURL(), "LECTERN_ZOOM_OAUTH_URL=" + s.zoom.OAuthURL(), "LECTERN_ZOOM_DOWNLOAD_HOSTS=127.0.0.1",
		"ZOOM_WEBHOOK_SECRET_TOKEN=" + zoomSecret, "LECTERN_SYNC_SETTLE=0s", "LECTERN_SYNC_DELETE_FROM_ZOOM=false", "LECTERN_SYNC_DERIVED=none",
		"LECTERN_AUTH_JWT_SECRET=" + secret,
	}
	var doc strings.Builder
	doc.WriteString("people:\n  - {email: t@school.test, role: teacher, zoom_account_id: acc, zoom_client_id: client, zoom_client_secret: client-secret, gdrive_folder_id: shared-folder}\n" +
		"  - {email: s@school.test, role: student}\ngroups:\n  - {name: 7A, teacher: t@school.test, students: [s@school.test]}\nlessons:\n")
	for i := range lessons {
		at := s.lessonAt(i)
		fmt.Fprintf(&doc, "  - {title: Lesson %d, group: 7A, teacher: t@school.test, start: %s, end: %s, zoom_meeting_id: %d, record: true}\n",
			i+1, at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339), 80000000000+i)
	}
	path := filepath.Join(t.TempDir(), "catalog.yaml")
	if err := os.WriteFile(path, []byte(doc.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, s.env, 0, "gateway", "migrate", "up", "--yes")
	command(t, s.env, 0, "gateway", "catalog", "apply", path)
	return s
}

// lessonAt spreads lessons over the last two days.
func (s *zoomFixture) lessonAt(i int) time.Time {
	return s.start.Add(-time.Duration(i) * 10 * time.Minute)
}

// record adds the recorded meeting of lesson i (from 0) at Zoom.
func (s *zoomFixture) record(i int, content ...emulator.Content) string {
	uuid := fmt.Sprintf("/uuid-%d//==", i)
	m := zoomemu.Meeting{Account: "acc", ID: 80000000000 + int64(i), UUID: uuid, Host: "host", Start: s.lessonAt(i), Minutes: 50}
	for n, c := range content {
		at := s.lessonAt(i).Add(time.Duration(n) * 10 * time.Minute)
		m.Files = append(m.Files, zoomemu.File{ID: fmt.Sprintf("file-%d-%d", i, n), Type: "MP4", View: "shared_screen_with_speaker_view", Start: at, End: at.Add(9 * time.Minute), Content: c})
	}
	s.zoom.AddMeeting(m)
	return uuid
}

// deliver sends an event until it is taken, as Zoom does, only sooner.
func (s *zoomFixture) deliver(ctx context.Context, url func() string, body []byte) {
	for ctx.Err() == nil {
		code, _, err := zoomemu.Deliver(ctx, http.DefaultClient, url()+"/schedule/api/zoom/webhook/", zoomSecret, body)
		if err == nil && code == http.StatusOK {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// mp4 is a small real MP4, its index in front unless other flags are given; each number of
// seconds is another.
func mp4(t *testing.T, seconds int, movflags ...string) []byte {
	t.Helper()
	if movflags == nil {
		movflags = []string{"+faststart"}
	}
	data, err := ffmpegtest.Encode(".mp4", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=320x180:rate=10:duration=%d", seconds),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:duration=%d", seconds), "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac",
		"-movflags", strings.Join(movflags, ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSyncerCommands: the commands of the contract, with their exit codes, and a
// lesson that plays through the gateway when they are done.
func TestSyncerCommands(t *testing.T) {
	t.Parallel()
	s := newZoomFixture(t, "", 3)
	lesson := mp4(t, 20)
	uuid := s.record(0, emulator.Bytes(lesson))
	plan, _ := command(t, s.env, 0, "syncer", "reconcile", "--dry-run")
	if !strings.Contains(plan, "would archive lesson 1 from meeting "+uuid) || !strings.HasSuffix(plan, `{"teachers_processed":1,"teachers_failed":0,"total_synced":1}`+"\n") {
		t.Errorf("the plan: %s", plan)
	}
	out, progress := command(t, s.env, 0, "syncer", "reconcile")
	if !strings.HasSuffix(out, `{"teachers_processed":1,"teachers_failed":0,"total_synced":1}`+"\n") || !strings.Contains(progress, "1 of 1 recordings archived") {
		t.Errorf("reconciled: %s, %s", out, progress)
	}
	if files := s.drive.Files(); len(files) != 1 || files[0].Content.Size() != int64(len(lesson)) {
		t.Fatalf("archived: %+v", files)
	}
	for _, subject := range []string{"1", uuid} {
		history, _ := command(t, s.env, 0, "syncer", "explain", subject)
		for _, want := range []string{"archived", "file-0-0", "ingest 1", uuid} {
			if !strings.Contains(history, want) {
				t.Errorf("explain %s does not contain %q:\n%s", subject, want, history)
			}
		}
	}
	command(t, s.env, 1, "syncer", "explain", "99")
	command(t, s.env, 1, "syncer", "explain", "no-such-uuid==")
	command(t, s.env, 1, "syncer", "retry", "99999")
	command(t, s.env, 2, "syncer", "reconcile", "--from", "yesterday")
	if jobs, _ := command(t, s.env, 0, "syncer", "jobs"); !regexp.MustCompile(`(?m)^\d+\tingest\tcompleted`).MatchString(jobs) {
		t.Errorf("jobs:\n%s", jobs)
	}
	for _, job := range []string{"usage", "cleanup", "purge"} {
		if out, _ := command(t, s.env, 0, "syncer", "run", job); !json.Valid([]byte(out)) {
			t.Errorf("run %s: %s", job, out)
		}
	}
	second := s.record(1, emulator.Bytes(mp4(t, 2)))
	event := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(event, s.zoom.Event("recording.completed", second), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"accepted", "duplicate"} {
		if out, _ := command(t, s.env, 0, "syncer", "replay", event); !strings.Contains(out, want) {
			t.Errorf("replayed: %s, want %s", out, want)
		}
	}
	// A missing scope fails the teacher, by name; exit 1, the summary all the same.
	s.zoom.SetFaults(zoomemu.Faults{MissingScope: "cloud_recording:read:list_user_recordings:admin"})
	out, complaint := command(t, s.env, 1, "syncer", "reconcile", "--no-wait")
	if !strings.HasSuffix(out, `{"teachers_processed":0,"teachers_failed":1,"total_synced":0}`+"\n") || !strings.Contains(complaint, "cloud_recording:read:list_user_recordings:admin") {
		t.Errorf("a missing scope: %s, %s", out, complaint)
	}
	// The doctor names what is wrong, and what to do.
	if out, _ := command(t, s.env, 1, "syncer", "doctor"); !regexp.MustCompile(`(?m)^FAIL +zoom .*cloud_recording:read:list_user_recordings:admin.* → `).MatchString(out) {
		t.Errorf("doctor: %s", out)
	}
	s.zoom.SetFaults(zoomemu.Faults{MissingScope: "cloud_recording:delete:recording_file:admin"})
	out, _ = command(t, append(s.env, "LECTERN_SYNC_DELETE_FROM_ZOOM=true", "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0"), 0, "syncer", "doctor")
	if !regexp.MustCompile(`(?m)^WARN +zoom scopes .* → add cloud_recording:delete:recording_file:admin`).MatchString(out) {
		t.Errorf("doctor without the scope to delete: %s", out)
	}
	s.zoom.SetFaults(zoomemu.Faults{})
	out, _ = command(t, append(s.env, "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0"), 0, "syncer", "doctor", "--json")
	var findings []struct{ Check, Status, Detail, Fix string }
	if err := json.Unmarshal([]byte(out), &findings); err != nil || len(findings) < 10 {
		t.Errorf("doctor --json: %v in %s", err, out)
	}
	for _, f := range findings {
		if f.Status == "FAIL" || f.Check == "" || f.Detail == "" || f.Status == "WARN" && f.Fix == "" {
			t.Errorf("doctor: %+v", f)
		}
	}
	// Wrong configuration: exit 2, one line that names the setting.
	for _, c := range []struct{ env, want string }{
		{"ZOOM_WEBHOOK_SECRET_TOKEN=", "zoom-webhook-secret"}, {"LECTERN_SYNC_CLEANUP_AT=25:00", "sync-cleanup-at"}, {"LECTERN_SECRETS_KEY=short", "secrets-key"},
		{"LECTERN_SYNC_PROVIDER=ftp", "sync-provider"}, {"LECTERN_ALERT_URLS=nonsense", "alert-urls"},
	} {
		if _, stderr := command(t, append(s.env, c.env), 2, "syncer", "serve"); !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %q", c.env, stderr)
		}
	}
	key := "LECTERN_SECRETS_KEY=" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	serveProgram(t, "syncer", append(s.env, key, "LECTERN_SYNC_DERIVED=sound", "LECTERN_SYNC_RENDITION=low")...)
	g := serve(t, s.env...)
	waitFor(t, "the replayed recording", func() bool {
		return s.number(t, `SELECT count(*) FROM schedule_lessonrecording WHERE status = 'ready'`) == 2
	})
	// Its ends wait in the gateway's cache before the first viewer comes.
	g.stderr.find(t, "a warm recording", func(l string) bool {
		return strings.Contains(l, `"msg":"prewarm: recording read"`) && strings.Contains(l, `"recording":2`)
	})
	for _, ends := range []string{"bytes=0-1023", "bytes=-1024"} {
		res, _ := get(t, g.url+"/schedule/api/recordings/2/stream/", token(t, "--user", "2"), ends)
		if status := res.Header.Get("Cache-Status"); res.StatusCode != http.StatusPartialContent || status != "lectern; hit" {
			t.Errorf("%s of a new recording: %s, %s", ends, res.Status, status)
		}
	}
	res, body := get(t, g.url+"/schedule/api/recordings/1/stream/", token(t, "--user", "2"), "bytes=100-100099")
	if res.StatusCode != http.StatusPartialContent || !bytes.Equal(body, lesson[100:100100]) {
		t.Errorf("the archived lesson streams as %s, %d bytes", res.Status, len(body))
	}
	s.thinLines(t, g, len(lesson))
}

// thinLines waits until the first recording, which was archived before that was turned on, has
// its sound and its low rendition, and reads them with a playback's cookie.
func (s *zoomFixture) thinLines(t *testing.T, g *gateway, size int) {
	t.Helper()
	type companion struct {
		Kind, Label, URL string
		ContentType      string `json:"content_type"`
		Size             int64
	}
	var found map[string]companion
	waitFor(t, "the sound and the low rendition", func() bool {
		found = map[string]companion{}
		var list []companion
		_, body := get(t, g.url+"/schedule/api/recordings/1/companions/", token(t, "--user", "2"), "")
		if err := json.Unmarshal(body, &list); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		for _, c := range list {
			found[c.Kind+" "+c.Label+" "+c.ContentType] = c
		}
		if len(found) < 2 {
			time.Sleep(500 * time.Millisecond) // one user may not ask much more often
		}
		return len(found) == 2
	})
	grant := requestGrant(t, g.url+"/schedule/api/recordings/1/playback/", token(t, "--user", "2"))
	for _, name := range []string{"audio sound audio/mp4", "view low video/mp4"} {
		c := found[name]
		if c.Size == 0 || c.Size >= int64(size) {
			t.Errorf("%s: %+v, of a recording of %d bytes", name, found, size)
			continue
		}
		req, err := http.NewRequest(http.MethodGet, c.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Range", "bytes=4-7")
		req.AddCookie(grant.cookie)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusPartialContent || string(body) != "ftyp" || res.Header.Get("Content-Range") != fmt.Sprintf("bytes 4-7/%d", c.Size) || res.Header.Get("Content-Type") != c.ContentType {
			t.Errorf("%s: %s, %q, %v", name, res.Status, body, res.Header)
		}
	}
}

// TestIngestKill: kill -9 at random moments of an ingest, dozens of times: every
// recording ends archived once, with the right bytes, its quota counted once.
func TestIngestKill(t *testing.T) {
	t.Parallel()
	const recordings = 8
	s := newZoomFixture(t, "", recordings)
	s.zoom.SetFaults(zoomemu.Faults{Rate: 2 << 20})
	s.drive.SetDefaults(driveemu.Faults{Upload: driveemu.UploadFaults{Rate: 6 << 20}})
	lesson := mp4(t, 40)
	// Padded with a free box, so that a download and an upload take their time.
	pad := int64(3 << 20)
	var free bytes.Buffer
	free.Write([]byte{byte(pad >> 24), byte(pad >> 16), byte(pad >> 8), byte(pad)})
	free.WriteString("free")
	big := emulator.Concat(emulator.Bytes(lesson), emulator.Bytes(free.Bytes()), emulator.Synthetic(pad-8, 1))
	sum := md5Of(t, big)
	for i := range recordings {
		if i%2 == 0 {
			s.record(i, big)
		} else {
			s.record(i, emulator.Bytes(lesson), emulator.Bytes(mp4(t, 3)))
		}
	}
	// LECTERN_TEST_KILLS makes a longer evening of it.
	most, err := strconv.Atoi(cmp.Or(os.Getenv("LECTERN_TEST_KILLS"), "24"))
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	kills, rng := 0, rand.New(rand.NewPCG(seed, 7))
	for {
		p := start(t, append([]string{"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0", "LECTERN_LOG_FORMAT=json"}, s.env...), "syncer", "serve")
		if kills < most {
			// The moment is counted from its first work on: a busy machine's runs get as far.
			before := s.traffic()
			for end := time.Now().Add(20 * time.Second); s.traffic() == before && time.Now().Before(end) && len(s.drive.Files()) < recordings; {
				time.Sleep(20 * time.Millisecond)
			}
			time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
			p.kill()
			kills++
			continue
		}
		waitFor(t, "everything archived", func() bool {
			return s.number(t, `SELECT count(*) FROM schedule_lessonrecording WHERE status = 'ready'`) == recordings
		})
		p.kill()
		break
	}
	files := s.drive.Files()
	if len(files) != recordings || s.drive.Usage().Created < recordings {
		t.Errorf("%d files in Drive, %+v", len(files), s.drive.Usage())
	}
	var stored int64
	for _, f := range files {
		stored += f.Content.Size()
		if n, _ := strconv.Atoi(f.AppProperties["lesson"]); n%2 == 1 && md5Of(t, f.Content) != sum {
			t.Errorf("lesson %d has other bytes", n)
		}
	}
	if rows := s.number(t, `SELECT count(*) FROM schedule_lessonrecording`); rows != recordings {
		t.Errorf("%d rows", rows)
	}
	used, counted := s.number(t, `SELECT used_bytes FROM schedule_teacherstoragequota WHERE teacher_id = 1`), s.number(t, `SELECT recordings_count FROM schedule_teacherstoragequota WHERE teacher_id = 1`)
	if used != stored || counted != recordings {
		t.Errorf("quota: %d bytes in %d, stored %d", used, counted, stored)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "sync", "ingest-*")); len(left) > recordings {
		t.Errorf("temporary files are left: %v", left)
	}
	t.Logf("%d kills, %d recordings archived once, %d bytes charged once; Drive made %d files and %d revisions", kills, len(files), stored, s.drive.Usage().Created, s.drive.Usage().Revised)
}

// traffic grows with every byte from Zoom and every file that Drive stores.
func (s *zoomFixture) traffic() int64 {
	u := s.drive.Usage()
	return s.zoom.Stats().Bytes + u.Created + u.Revised
}

func md5Of(t *testing.T, c emulator.Content) string {
	t.Helper()
	h := md5.New()
	if _, err := io.Copy(h, io.NewSectionReader(c, 0, c.Size())); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// number asks the SQLite catalog for one.
func (s *zoomFixture) number(t *testing.T, query string) (n int64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "lectern.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLoss: 200 recordings, half the webhooks dropped, others doubled, delayed or
// reordered at random, the database restarted in the middle, Zoom denying, cutting and
// replacing what it has, parts of several shapes, empty and damaged ones: what is there is
// archived once, and what is not is explained.
func TestLoss(t *testing.T) {
	t.Parallel()
	const recordings = 200
	server := pgtest.StartServer(t)
	url := server.Database(t)
	s := newZoomFixture(t, url, recordings)
	s.env = append(s.env, "LECTERN_SYNC_RECONCILE_EVERY=20s", "LECTERN_SYNC_WORKERS=6", "LECTERN_SYNC_PROVIDER=local")
	lesson := emulator.Bytes(mp4(t, 1))
	empty, err := os.ReadFile(filepath.Join("..", "..", "internal", "mp4", "testdata", "empty.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	otherBase, err := os.ReadFile(filepath.Join("..", "..", "internal", "mp4", "testdata", "part-b-90000.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	whole := mp4(t, 1)
	kinds := []struct {
		name     string
		contents []emulator.Content
		explains string // what "syncer explain" says of it
		hopeless bool
	}{
		{name: "empty", contents: []emulator.Content{emulator.Bytes(empty)}, explains: "no_playable_track", hopeless: true},
		{name: "an empty part between", contents: []emulator.Content{lesson, emulator.Bytes(empty), lesson}, explains: "part missing"},
		{name: "a part that is cut short", contents: []emulator.Content{lesson, emulator.Bytes(whole[:len(whole)-5000])}, explains: "part missing"},
		{name: "two shapes", contents: []emulator.Content{lesson, emulator.Bytes(otherBase)}, explains: "encoded"},
		{name: "bytes behind", contents: []emulator.Content{emulator.Bytes(append(slices.Clone(whole), 1, 2, 3))}, explains: "trailing_bytes"},
	}
	s.zoom.SetFaults(zoomemu.Faults{AbsentCalls: 60, DownloadPage: 60, DownloadCut: 30, Download401: 20})
	syncer := serveProgram(t, "syncer", append(s.env[:len(s.env):len(s.env)], "PATH="+cachedProbes(t))...)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	rng := rand.New(rand.NewPCG(1, 2))
	var group sync.WaitGroup
	dropped, doubled, hopeless := 0, 0, 0
	explains := map[string]string{} // by uuid
	for _, i := range rng.Perm(recordings) {
		contents := []emulator.Content{lesson}
		k := rng.IntN(40)
		if k < len(kinds) {
			contents = kinds[k].contents
		}
		uuid := s.record(i, contents...)
		if k < len(kinds) {
			explains[uuid] = kinds[k].explains
			if kinds[k].hopeless {
				hopeless++
			}
		}
		deliveries := 1
		switch rng.IntN(4) {
		case 0, 1:
			deliveries = 0
			dropped++
		case 2:
			deliveries = 2 + rng.IntN(3)
			doubled++
		}
		for range deliveries {
			wait := time.Duration(rng.IntN(15000)) * time.Millisecond
			group.Go(func() {
				time.Sleep(wait)
				s.deliver(ctx, func() string { return syncer.url }, s.zoom.Event("recording.completed", uuid))
			})
		}
	}
	time.Sleep(4 * time.Second)
	server.Restart(t)
	group.Wait()
	count := func(query string) (n int) {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return -1
		}
		defer conn.Close(ctx)
		if err := conn.QueryRow(ctx, query).Scan(&n); err != nil {
			return -1
		}
		return n
	}
	const (
		ready  = `SELECT count(*) FROM schedule_lessonrecording WHERE status = 'ready' AND NOT is_deleted`
		failed = `SELECT count(DISTINCT ingest_id) FROM lectern.lectern_history WHERE what = 'failed: download_invalid' AND ingest_id NOT IN (SELECT id FROM lectern.lectern_ingests WHERE verified_at IS NOT NULL)`
	)
	for count(ready) < recordings-hopeless || count(failed) < hopeless {
		if ctx.Err() != nil {
			t.Fatalf("%d of %d are archived, %d failed", count(ready), recordings, count(failed))
		}
		time.Sleep(200 * time.Millisecond)
	}
	if rows, lessons := count(`SELECT count(*) FROM schedule_lessonrecording`), count(`SELECT count(DISTINCT lesson_id) FROM schedule_lessonrecording`); rows != recordings || lessons != recordings {
		t.Errorf("%d rows of %d lessons", rows, lessons)
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "recordings", "lessons", "*", "*.mp4"))
	if err != nil || len(files) != recordings-hopeless {
		t.Errorf("%d files, %v", len(files), err)
	}
	stored := 0
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			stored += int(info.Size())
		}
	}
	if used, counted := count(`SELECT used_bytes FROM schedule_teacherstoragequota WHERE teacher_id = 1`), count(`SELECT recordings_count FROM schedule_teacherstoragequota WHERE teacher_id = 1`); used != stored || counted != recordings-hopeless {
		t.Errorf("quota: %d bytes in %d, stored %d", used, counted, stored)
	}
	for uuid, want := range explains {
		if history, _ := command(t, s.env, 0, "syncer", "explain", uuid); !strings.Contains(history, want) {
			t.Errorf("%s is not explained by %q:\n%s", uuid, want, history)
		}
	}
	t.Logf("%d recordings, %d of them damaged or of several shapes: %d webhooks dropped, %d doubled, all delayed up to 15 s and reordered, PostgreSQL restarted: %d archived once, %d that cannot be are explained",
		recordings, len(explains), dropped, doubled, len(files), hopeless)
}

// TestLargeRecording: memory stays flat on a recording that is larger by far.
func TestLargeRecording(t *testing.T) {
	t.Parallel()
	s := newZoomFixture(t, "", 1)
	lesson := mp4(t, 2)
	size := int64(768<<20) - 8
	long := []byte{0, 0, 0, 1, 'f', 'r', 'e', 'e', 0, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}
	content := emulator.Concat(emulator.Bytes(lesson), emulator.Bytes(long), emulator.Synthetic(size-16, 5))
	s.record(0, content)
	syncer := serveProgram(t, "syncer", s.env...)
	began := time.Now()
	for len(s.drive.Files()) == 0 {
		if time.Since(began) > 3*time.Minute {
			t.Fatal("not archived within three minutes")
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", syncer.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	kb, err := strconv.Atoi(string(peak[1]))
	if err != nil {
		t.Fatal(err)
	}
	// The race detector multiplies memory; the recording is 786,432 kB.
	if kb > 350_000 {
		t.Errorf("the syncer needed %d kB", kb)
	}
	if f := s.drive.Files()[0]; f.Content.Size() != content.Size() {
		t.Errorf("%d of %d bytes", f.Content.Size(), content.Size())
	}
	t.Logf("768 MiB in %s, peak %d MiB (with the race detector)", took.Round(time.Millisecond), kb>>10)
}
