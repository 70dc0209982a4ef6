package database

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
	"github.com/lectiospace/lectern/internal/pgtest/faultproxy"
)

const (
	syncers = 2
	viewers = 10
	// lessonsPerRound are recorded in each round.
	lessonsPerRound = 12
	// playbacks is the playback limit of an hour: some viewers reach it in the middle of a round.
	playbacks = 15
	// roundLasts is how long the faults of a round go on.
	roundLasts = 40 * time.Second
	// meetingID is Zoom's id of the first lesson's meeting; each lesson has the next.
	meetingID = 80000000000
)

// torture is three gateways and two syncers, each with a proxy of its own in front of one
// PostgreSQL, and the viewers and the Zoom that use them.
type torture struct {
	*fixture
	t                   *testing.T
	gateways            []*program
	syncers             []*program
	proxies             []*faultproxy.Proxy // of the gateways, then of the syncers
	zoom                *zoomemu.Server
	drive               *driveemu.Server
	lesson              []byte // an MP4
	round               int
	began               time.Time
	startsSum, codesSum tally

	mu       sync.Mutex
	statuses map[string]int           // of answers, by request and status; guarded by mu
	slowest  map[string]time.Duration // by request; guarded by mu
	strange  []string                 // answers that must not be; guarded by mu
	tokens   map[int64]string         // of playbacks, by viewer: ranges with them are no starts
	acked    map[string]bool          // identities of acknowledged webhooks: event and meeting; guarded by mu
	states   map[int64]float64        // the last acknowledged position, by viewer; guarded by mu
	viewed   map[int64]bool           // viewers whose view was acknowledged; guarded by mu
}

func newTorture(t *testing.T) *torture {
	t.Helper()
	f := newFixture(t, viewers)
	x := &torture{fixture: f, t: t, zoom: zoomemu.New(), drive: driveemu.New(), lesson: smallMP4(t), began: time.Now(),
		startsSum: tally{what: "starts", model: startsModel()}, codesSum: tally{what: "codes", model: codesModel()},
		tokens: map[int64]string{}, statuses: map[string]int{}, slowest: map[string]time.Duration{}, acked: map[string]bool{}, states: map[int64]float64{}, viewed: map[int64]bool{}}
	x.drive.SpoolIn(t.TempDir())
	if err := x.zoom.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.zoom.Stop)
	x.zoom.AddAccount(zoomemu.Account{ID: "acc", ClientID: "client", ClientSecret: "client-secret", Owner: "host"})
	drive := httptest.NewServer(x.drive)
	t.Cleanup(drive.Close)
	x.addLessons()
	shared := []string{"LECTERN_ORIGIN_LOCAL_ROOT=" + f.dir, "LECTERN_ORIGIN_DRIVE_ENDPOINT=" + drive.URL, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none"}
	for i := range nodes {
		x.proxies = append(x.proxies, f.proxies[i])
		x.gateways = append(x.gateways, serve(t, "gateway", append(shared, "LECTERN_DATABASE_URL="+f.proxies[i].URL(),
			fmt.Sprint("LECTERN_LIMIT_PLAYBACKS_PER_HOUR=", playbacks), "LECTERN_LIMIT_API_RATE=0", "LECTERN_LIMIT_STREAMS_PER_USER=0", "LECTERN_AUTH_MAX_STALENESS=2s")...))
	}
	for range syncers {
		p := faultproxy.Start(t, f.behindProxy())
		p.KeepAbandoned(5 * time.Second)
		x.proxies = append(x.proxies, p)
		x.syncers = append(x.syncers, serve(t, "syncer", append(shared, "LECTERN_DATABASE_URL="+p.URL(), "ZOOM_WEBHOOK_SECRET_TOKEN="+webhookSecret,
			"LECTERN_SYNC_PROVIDER=gdrive", "LECTERN_ZOOM_API_URL="+x.zoom.APIURL(), "LECTERN_ZOOM_OAUTH_URL="+x.zoom.OAuthURL(), "LECTERN_ZOOM_DOWNLOAD_HOSTS=127.0.0.1",
			"LECTERN_SYNC_SETTLE=0s", "LECTERN_SYNC_DELETE_FROM_ZOOM=false", "LECTERN_SYNC_DERIVED=none", "LECTERN_SYNC_WORK_MIN_FREE=0")...))
	}
	return x
}

// smallMP4 is a real one of two seconds.
func smallMP4(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "lesson.mp4")
	cmd := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10:duration=2", "-f", "lavfi", "-i", "sine=frequency=440:duration=2",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:a", "aac", "-movflags", "+faststart", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, text)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// lessonAt is when a lesson began: this week, ten minutes apart.
func (x *torture) lessonAt(i int) time.Time {
	return x.began.UTC().Truncate(time.Minute).Add(-3*time.Hour - time.Duration(i%400)*10*time.Minute)
}

// addLessons adds a round's lessons to the catalog.
func (x *torture) addLessons() {
	x.t.Helper()
	var doc strings.Builder
	doc.WriteString("people:\n  - {email: t@school.test, role: teacher, zoom_account_id: acc, zoom_client_id: client, zoom_client_secret: client-secret, gdrive_folder_id: shared-folder}\nlessons:\n")
	for i := range lessonsPerRound {
		n := x.round*lessonsPerRound + i
		at := x.lessonAt(n)
		fmt.Fprintf(&doc, "  - {title: Lesson %d, group: Class, teacher: t@school.test, start: %s, end: %s, zoom_meeting_id: %d, record: true}\n", n, at.Format(time.RFC3339), at.Add(9*time.Minute).Format(time.RFC3339), meetingID+n)
	}
	if _, err := document.Apply(x.t.Context(), x.store, strings.NewReader(doc.String()), false); err != nil {
		x.t.Fatal(err)
	}
}

// answered notes an answer. Whatever it is, it came in time, and says so where it is not what
// was asked for.
func (x *torture) answered(what string, began time.Time, res *http.Response, err error, allowed ...int) (ok bool) {
	took := time.Since(began)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.slowest[what] = max(x.slowest[what], took)
	if err != nil {
		x.statuses[what+" broken"]++
		x.strange = append(x.strange, fmt.Sprintf("%s: no answer after %s: %v", what, took.Round(time.Millisecond), err))
		return false
	}
	x.statuses[fmt.Sprintf("%s %d", what, res.StatusCode)]++
	switch {
	case slices.Contains(allowed, res.StatusCode):
		return true
	case res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") != "":
	default:
		x.strange = append(x.strange, fmt.Sprintf("%s: %s, Retry-After %q", what, res.Status, res.Header.Get("Retry-After")))
	}
	return false
}

// request sends a request to a gateway; ok is true for an allowed status other than 503.
func (x *torture) request(ctx context.Context, what string, g *program, method, path string, user int64, body string, allowed ...int) (status int, text []byte, ok bool) {
	req, err := http.NewRequestWithContext(ctx, method, g.url+path, strings.NewReader(body))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	if what == "range" {
		req.Header.Set("Authorization", "Bearer "+x.tokens[user])
	} else if user != 0 {
		req.Header.Set("Authorization", "Bearer "+accessToken(user))
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if what == "range" {
		req.Header.Set("Range", body)
		req.Body, req.ContentLength = http.NoBody, 0
		req.Header.Del("Content-Type")
	}
	began := time.Now()
	res, err := g.client.Do(req)
	if err == nil {
		var read bytes.Buffer
		_, err = read.ReadFrom(res.Body)
		res.Body.Close()
		text = read.Bytes()
	}
	ok = x.answered(what, began, res, err, allowed...)
	if res != nil {
		status = res.StatusCode
	}
	return status, text, ok
}

// viewer does what viewers do, until ctx ends. A request that has begun is awaited.
func (x *torture) viewer(ctx context.Context, user int64, random *rand.Rand, starts, codes *history) {
	background := context.WithoutCancel(ctx)
	for n := 0; ctx.Err() == nil; n++ {
		node := random.IntN(len(x.gateways))
		g := x.gateways[node]
		switch random.IntN(8) {
		case 0, 1:
			from := random.IntN(len(x.video) - 1000)
			if _, text, ok := x.request(background, "range", g, "GET", "/api/recordings/1/stream/", user, fmt.Sprintf("bytes=%d-%d", from, from+999), 206); ok && !bytes.Equal(text, x.video[from:from+1000]) {
				x.fail("range: wrong bytes")
			}
		case 2:
			x.putState(background, g, user, float64(random.IntN(5000)))
		case 3:
			if _, _, ok := x.request(background, "view", g, "POST", "/api/recordings/1/view/", user, "", 200); ok {
				x.mu.Lock()
				x.viewed[user] = true
				x.mu.Unlock()
			}
		case 4:
			x.request(background, "search", g, "GET", "/api/search/?q=lesson", user, "", 200)
		case 5:
			x.request(background, "list", g, "GET", "/api/recordings/", user, "", 200)
		case 6:
			starts.do(startOp{node: node, user: user, limit: playbacks}, func() answer { return x.start(background, g, user) })
		case 7:
			if random.IntN(3) == 0 {
				x.code(background, g, user, codes)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(random.IntN(200)) * time.Millisecond):
		}
	}
}

func (x *torture) fail(what string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.strange = append(x.strange, what)
}

func (x *torture) start(ctx context.Context, g *program, user int64) answer {
	status, _, ok := x.request(ctx, "playback", g, "POST", "/api/recordings/1/playback/", user, "", 201, 429)
	switch {
	case !ok:
		return unknown
	case status == http.StatusCreated:
		return yes
	default:
		return no
	}
}

// putState reports a position, and reads it back: from the same gateway it is seen at once.
func (x *torture) putState(ctx context.Context, g *program, user int64, position float64) {
	body := fmt.Sprintf(`{"position": %v, "played": [[%v, %v]]}`, position, position, position+10)
	if _, _, ok := x.request(ctx, "watch state", g, "PUT", "/api/recordings/1/watch-state/", user, body, 204); !ok {
		return
	}
	x.mu.Lock()
	x.states[user] = position
	x.mu.Unlock()
	_, text, ok := x.request(ctx, "read watch state", g, "GET", "/api/recordings/1/watch-state/", user, "", 200)
	var state struct{ Position float64 }
	if ok && (json.Unmarshal(text, &state) != nil || state.Position != position) {
		x.fail(fmt.Sprintf("watch state: wrote %v, read %s", position, text))
	}
}

// code makes a code and redeems it at all gateways at once.
func (x *torture) code(ctx context.Context, g *program, user int64, codes *history) {
	_, text, ok := x.request(ctx, "code", g, "POST", "/session/code", user, "", 201)
	var made struct{ Code string }
	if !ok || json.Unmarshal(text, &made) != nil {
		return
	}
	var group sync.WaitGroup
	for i, n := range x.gateways {
		group.Go(func() {
			codes.do(codeOp{made.Code, i}, func() answer {
				status, _, ok := x.request(ctx, "session", n, "POST", "/session", 0, fmt.Sprintf(`{"code": %q}`, made.Code), 204, 401)
				switch {
				case !ok:
					return unknown
				case status == http.StatusNoContent:
					return yes
				default:
					return no
				}
			})
		})
	}
	group.Wait()
}

// record has each lesson of the round recorded, and delivers what Zoom says of it until that
// is taken, to either syncer, half of it to both.
func (x *torture) record(ctx context.Context, random *rand.Rand) {
	for i := range lessonsPerRound {
		n := x.round*lessonsPerRound + i
		at, uuid := x.lessonAt(n), fmt.Sprintf("/uuid-%d//==", n)
		x.zoom.AddMeeting(zoomemu.Meeting{Account: "acc", ID: int64(meetingID + n), UUID: uuid, Host: "host", Start: at, Minutes: 9, Files: []zoomemu.File{
			{ID: fmt.Sprint("file-", n), Type: "MP4", View: "shared_screen_with_speaker_view", Start: at, End: at.Add(9 * time.Minute), Content: emulator.Bytes(x.lesson)},
		}})
		for _, name := range []string{"meeting.ended", "recording.completed"} {
			body := x.zoom.Event(name, uuid)
			first := random.IntN(syncers)
			x.deliver(ctx, first, body)
			if random.IntN(2) == 0 {
				x.deliver(ctx, 1-first, body)
			}
			x.mu.Lock()
			x.acked[name+" "+uuid] = true
			x.mu.Unlock()
		}
		time.Sleep(time.Duration(random.Int64N(int64(roundLasts) / lessonsPerRound)))
	}
}

// deliver sends an event until it is acknowledged.
func (x *torture) deliver(ctx context.Context, syncer int, body []byte) {
	for {
		req, err := zoomemu.Request(ctx, x.syncers[syncer].url+webhookPath, webhookSecret, body, time.Now())
		if err != nil {
			panic("BUG: " + err.Error())
		}
		began := time.Now()
		res, err := x.syncers[syncer].client.Do(req)
		if err == nil {
			drain(res.Body)
		}
		if x.answered("webhook", began, res, err, http.StatusOK) {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// TestTorture: gateways and syncers whose connections to the database fail in every way, and
// the database itself twice a round. Each request is answered in time, rightly or with 503;
// nothing that was acknowledged is lost or there twice; everything recovers by itself, and
// nothing is left open.
func TestTorture(t *testing.T) {
	if *rounds == 0 {
		t.Skip("-rounds says how long; see make torture-database")
	}
	x := newTorture(t)
	x.grant()
	before := x.resources()
	for round := range *rounds {
		x.round = round
		if round > 0 {
			x.addLessons()
		}
		x.runRound(t, *seed+uint64(round))
		if t.Failed() {
			break
		}
	}
	x.checkOpen(before)
	x.startsSum.report(t)
	x.codesSum.report(t)
	x.report()
}

// grant gives each viewer a playback, which does not count among the starts of the rounds.
func (x *torture) grant() {
	for v := range viewers {
		user := int64(firstStudent + v)
		for _, g := range x.gateways {
			_, text, ok := x.request(x.t.Context(), "first playback", g, "POST", "/api/recordings/1/playback/", user, "", 201)
			var made struct{ Token string }
			if !ok || json.Unmarshal(text, &made) != nil {
				x.t.Fatalf("no playback: %s", text)
			}
			x.tokens[user] = made.Token
		}
	}
	x.exec(`DELETE FROM lectern.lectern_starts`)
}

func (x *torture) resources() (out []resources) {
	for _, p := range append(slices.Clone(x.gateways), x.syncers...) {
		p.running(x.t)
		out = append(out, p.resources(x.t))
	}
	return out
}

// runRound injects the faults of a seed, and checks what is left.
func (x *torture) runRound(t *testing.T, seed uint64) {
	starts, codes := newHistory(), newHistory()
	s := &schedule{proxies: x.proxies, kinds: faultKinds, pause: 1500 * time.Millisecond, longest: 1500 * time.Millisecond, now: starts.now}
	ctx, stop := context.WithTimeout(t.Context(), roundLasts)
	defer stop()
	s.start(ctx, seed)
	var clients sync.WaitGroup
	for v := range viewers {
		clients.Go(func() {
			x.viewer(ctx, int64(firstStudent+v), rand.New(rand.NewPCG(seed, uint64(3000+v))), starts, codes)
		})
	}
	clients.Go(func() { x.record(t.Context(), rand.New(rand.NewPCG(seed, 4000))) })
	time.Sleep(roundLasts / 3)
	s.everywhere("server restarted", func() { x.server.Restart(t) })
	time.Sleep(roundLasts / 3)
	s.everywhere("server crashed", func() {
		x.server.Crash(t)
		x.server.Restart(t)
	})
	clients.Wait()
	s.wait()
	starts.change(func(op *porcupine.Operation) {
		if op.Output == yes && s.during(op.Input.(startOp).node, op.Call, op.Return, recovery) {
			op.Output = uncounted
		}
	})
	x.checkRound(t, starts, codes, s)
	t.Logf("seed %d: %s", seed, s)
}

// checkRound compares the database and the archive with what was acknowledged.
func (x *torture) checkRound(t *testing.T, starts, codes *history, s *schedule) {
	t.Helper()
	all := int64((x.round + 1) * lessonsPerRound)
	eventually(t, "all recordings archived", func() (bool, string) {
		n := x.number(`SELECT count(*) FROM public.schedule_lessonrecording WHERE status = 'ready' AND storage_provider = 'gdrive'`)
		return n == all, fmt.Sprintf("%d of %d; %s", n, all, x.unfinished())
	})
	eventually(t, "an idle queue", func() (bool, string) {
		n := x.number(`SELECT count(*) FROM lectern.river_job WHERE state IN ('available', 'running', 'retryable', 'pending') AND kind <> 'reconcile'`)
		return n == 0, fmt.Sprint(n, " jobs; ", x.unfinished())
	})
	if n := x.number(`SELECT count(*) FROM public.schedule_lessonrecording WHERE storage_provider = 'gdrive'`); n != all {
		t.Errorf("%d rows of recordings, %d lessons were recorded", n, all)
	}
	files, bytes := x.drive.Files(), int64(0)
	for _, f := range files {
		bytes += f.Content.Size()
	}
	if len(files) != int(all) {
		t.Errorf("%d files in the archive of %d recordings", len(files), all)
	}
	used, reserved := x.number(`SELECT COALESCE(SUM(used_bytes), 0) FROM public.schedule_teacherstoragequota`), x.number(`SELECT CAST(COALESCE(SUM(reserved), 0) AS bigint) FROM lectern.lectern_quota_charges`)
	if used != bytes || reserved != 0 {
		t.Errorf("quota: %d bytes charged and %d reserved, %d are stored", used, reserved, bytes)
	}
	stored, err := x.column(`SELECT event || ' ' || meeting_uuid FROM lectern.lectern_zoom_events`)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(stored)
	if n := len(slices.Compact(slices.Clone(stored))); n != len(stored) {
		t.Errorf("%d events are there twice", len(stored)-n)
	}
	for identity := range x.acked {
		if _, found := slices.BinarySearch(stored, identity); !found {
			t.Errorf("%s was acknowledged and is not there", identity)
		}
	}
	x.checkViewers(t)
	for v := range viewers {
		op := startOp{node: direct, user: int64(firstStudent + v), count: true}
		call := starts.now()
		n := x.number(`SELECT count(*) FROM lectern.lectern_starts WHERE user_id = $1`, op.user)
		starts.add(call, starts.now(), op, int(n))
	}
	x.startsSum.mustCheck(t, starts, s)
	x.codesSum.mustCheck(t, codes, s)
	x.exec(`DELETE FROM lectern.lectern_starts`)
	for _, answer := range x.strange[:min(10, len(x.strange))] {
		t.Error(answer)
	}
}

// unfinished lists the jobs and the ingests that are not done.
func (x *torture) unfinished() string {
	jobs, err := x.column(`SELECT j.id || ' ' || j.kind || ' ' || j.args::text || ' ' || j.state || ' attempt ' || j.attempt || ' scheduled ' || j.scheduled_at || ' attempted ' || COALESCE(j.attempted_at::text, '') || ' by ' || COALESCE(array_to_string(j.attempted_by, ','), '')
		|| ' errors ' || COALESCE(array_to_string(j.errors, ','), '') FROM lectern.river_job j WHERE j.finalized_at IS NULL ORDER BY j.id`)
	if err != nil {
		return err.Error()
	}
	ingests, err := x.column(`SELECT to_jsonb(i)::text FROM lectern.lectern_ingests i WHERE state <> 'done' ORDER BY id`)
	if err != nil {
		return err.Error()
	}
	return strings.Join(slices.Concat(jobs, ingests), "\n\t")
}

// checkViewers: watch states and views are written within seconds.
func (x *torture) checkViewers(t *testing.T) {
	t.Helper()
	eventually(t, "the watch states", func() (bool, string) {
		for user, position := range x.states {
			if n := x.number(`SELECT COALESCE(MAX(position_ms), -1) FROM lectern.lectern_watch_states WHERE user_id = $1 AND recording_id = 1`, user); n != int64(position*1000) {
				return false, fmt.Sprintf("user %d at %d ms, reported %v s", user, n, position)
			}
		}
		return true, ""
	})
	eventually(t, "the views", func() (bool, string) {
		n := x.number(`SELECT views_count FROM public.schedule_lessonrecording WHERE id = 1`)
		return n >= int64(len(x.viewed)), fmt.Sprint(n)
	})
	counted := x.number(`SELECT count(*) FROM lectern.lectern_views WHERE recording_id = 1`)
	if n := x.number(`SELECT views_count FROM public.schedule_lessonrecording WHERE id = 1`); n != counted || counted > viewers {
		t.Errorf("%d views of %d viewers are counted, %d acknowledged", n, counted, len(x.viewed))
	}
}

// checkOpen: nothing of what the faults broke is left open.
func (x *torture) checkOpen(before []resources) {
	x.t.Helper()
	for i, p := range x.proxies {
		eventually(x.t, "few connections", func() (bool, string) {
			n := p.Open()
			return n <= 10, fmt.Sprintf("%d of process %d", n, i)
		})
	}
	eventually(x.t, "few goroutines and descriptors", func() (bool, string) {
		for i, now := range x.resources() {
			if now.goroutines > before[i].goroutines+60 || now.descriptors > before[i].descriptors+60 {
				return false, fmt.Sprintf("process %d: %s, before %s", i, now, before[i])
			}
		}
		return true, ""
	})
	for i, now := range x.resources() {
		x.t.Logf("process %d: %s, before %s", i, now, before[i])
	}
}

// report logs what was answered.
func (x *torture) report() {
	var all []string
	for what, n := range x.statuses {
		all = append(all, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(all)
	x.t.Log(strings.Join(all, ", "))
	all = nil
	for what, d := range x.slowest {
		all = append(all, fmt.Sprintf("%s: %s", what, d.Round(time.Millisecond)))
	}
	slices.Sort(all)
	x.t.Log("slowest ", strings.Join(all, ", "))
	for i, p := range x.proxies {
		x.t.Logf("process %d: %+v", i, p.Stats())
	}
}
