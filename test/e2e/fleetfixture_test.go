package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/pgtest"
)

const (
	lessonSize = 12 << 20
	// firstLesson is the recording of the first lesson: HAProxy's hash is the same in every
	// run, and shares twelve lessons from here on evenly among three gateways and among four.
	// firstLongLesson is that of the first of longLessons, which nobody reads to their end.
	firstLesson, firstLongLesson = 114, 1001
	longLessons, longLessonSize  = 9, 256 << 20
	// eager and leaver are students beside pupil; firstViewer is the first of fleetViewers, who
	// read ranges. They are many: the playback starts of one user wait for each other.
	eager, leaver             = "3", "4"
	firstViewer, fleetViewers = 5, 40
)

// fleet is three gateways behind HAProxy, with one PostgreSQL and one Drive.
type fleet struct {
	t        *testing.T
	scale    fleetScale
	example  fleetProxy
	drive    *fleetDrive
	server   *pgtest.Server // of a campaign; else nil
	database *cutter
	catalog  *playbackFixture
	nodes    []*fleetNode
	proxy    *reverseProxy
	viewers  []string // tokens
	eager    string
	leaver   string
	table    []string // of what was measured
}

// fleetNode is a gateway with an address and a cache that outlive its process.
type fleetNode struct {
	address, data string
	*gateway
}

func newFleet(t *testing.T, scale fleetScale) *fleet {
	t.Helper()
	f := &fleet{t: t, scale: scale, example: fleetProxies[0], drive: newFleetDrive(t, scale.lessons)}
	if os.Getenv("FLEET_PROXY") == "nginx" {
		f.example = fleetProxies[1]
	}
	var direct string
	if scale.campaign {
		f.server = pgtest.StartServer(t)
		direct = f.server.Database(t)
	} else {
		direct = pgtest.Start(t)
	}
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	f.database = newCutter(t, u.Host)
	u.Host = f.database.ln.Addr().String()
	f.catalog = newPlaybackFixture(t, direct, u.String())
	f.fill()
	var addresses []string
	for range 3 {
		n := f.addNode()
		f.nodes, addresses = append(f.nodes, n), append(addresses, n.address)
		f.start(n)
	}
	f.proxy = startProxy(t, f.example.proxyExample, f.nowhere(), func(text string) string {
		text = f.example.use(text, addresses)
		if !scale.campaign && f.example.name == haproxyExample.name {
			text = replaceAll(text, map[string]string{"inter 1s fastinter 500ms": "inter 200ms fastinter 100ms"})
		}
		return text
	})
	for i := range fleetViewers {
		f.viewers = append(f.viewers, simpleJWT(firstViewer+i))
	}
	f.eager, f.leaver = token(t, "--user", eager), token(t, "--user", leaver)
	return f
}

// fill adds the lessons and their viewers to the catalog.
func (f *fleet) fill() {
	f.t.Helper()
	var doc strings.Builder
	students := []string{"eager", "leaver"}
	for i := range fleetViewers {
		students = append(students, fmt.Sprint("viewer", i))
	}
	doc.WriteString("people:\n")
	for _, name := range students {
		fmt.Fprintf(&doc, "  - {email: %s@school.test, role: student}\n", name)
	}
	fmt.Fprintf(&doc, "groups:\n  - {name: Class, teacher: tutor@school.test, students: [%s@school.test]}\nrecordings:\n", strings.Join(students, "@school.test, "))
	recording := func(id int, key string) {
		fmt.Fprintf(&doc, "  - {id: %d, lesson: One, title: R%d, status: ready, visibility: lesson_group, provider: gdrive, key: %s, duration: 60}\n", id, id, key)
	}
	for i := range f.scale.lessons {
		recording(f.recording(i), lessonKey(i))
	}
	for i := range longLessons {
		recording(firstLongLesson+i, longFile)
	}
	if _, err := document.Apply(f.t.Context(), f.catalog.store, strings.NewReader(doc.String()), false); err != nil {
		f.t.Fatal(err)
	}
}

// nowhere is where the example's other upstreams lead.
func (f *fleet) nowhere() backends {
	gone := freeAddress(f.t)
	return backends{gone, gone, gone}
}

func (f *fleet) addNode() *fleetNode {
	return &fleetNode{address: freeAddress(f.t), data: f.t.TempDir()}
}

// start starts a gateway's process, for the first time or again.
func (f *fleet) start(n *fleetNode) {
	f.t.Helper()
	n.gateway = serve(f.t, append(slices.Clone(f.catalog.env),
		"LECTERN_LISTEN="+n.address, "LECTERN_DATA_DIR="+n.data, "LECTERN_CACHE_MIN_FREE=0",
		"LECTERN_ORIGIN_DRIVE_ENDPOINT="+f.drive.url, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none", "LECTERN_SHUTDOWN_DELAY=1500ms",
		"LECTERN_LIMIT_STREAMS_PER_USER=0", "LECTERN_LIMIT_API_RATE=0", "LECTERN_LIMIT_PLAYBACKS_PER_HOUR="+strconv.Itoa(f.playbacksPerHour()))...)
}

// playbacksPerHour is the limit: above what the readers start.
func (f *fleet) playbacksPerHour() int { return f.scale.lessons + longLessons + 8 }

// recording is the id of a lesson's recording.
func (f *fleet) recording(lesson int) int { return firstLesson + lesson }

// open requests a recording's bytes through a proxy.
func (f *fleet) open(client *http.Client, tok string, recording int, byteRange string) (*http.Response, error) {
	req, err := http.NewRequest("GET", fmt.Sprintf("https://%s/api/recordings/%d/stream/", siteName, recording), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	return client.Do(req)
}

// post sends a request without a body through the proxy.
func (f *fleet) post(path, tok string) (status int, err error) {
	req, err := http.NewRequest("POST", "https://"+siteName+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+tok)
	res, err := f.proxy.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// fetched is how many bytes of the origin's a gateway's process received.
func (n *fleetNode) fetched(t *testing.T) float64 {
	t.Helper()
	return metricOf(t, n.gateway, `lectern_origin_bytes_total\{provider="gdrive"\}`)
}

// awaitServing waits until the proxy uses a gateway that was started again.
func (n *fleetNode) awaitServing(t *testing.T) {
	t.Helper()
	waitFor(t, "ranges at the gateway that was started again", func() bool { return strings.Contains(n.stderr.String(), `"status":206`) })
}

const longFile = "long"

func lessonKey(i int) string { return fmt.Sprint("lesson-", i) }

// fleetDrive is a Drive that counts the bytes of each file.
type fleetDrive struct {
	url     string
	content []byte // lessons are windows of it
	mu      sync.Mutex
	sent    map[string]*atomic.Int64 // by file; guarded by mu
}

func newFleetDrive(t *testing.T, lessons int) *fleetDrive {
	t.Helper()
	d := &fleetDrive{content: make([]byte, lessonSize+lessons*windowStep), sent: map[string]*atomic.Int64{}}
	_, _ = rand.NewChaCha8([32]byte{1}).Read(d.content)
	drive := driveemu.New()
	for i := range lessons {
		drive.Put(driveemu.File{ID: lessonKey(i), Name: "lesson.mp4", MimeType: "video/mp4", Content: emulator.Bytes(d.lesson(i))})
	}
	drive.Put(driveemu.File{ID: longFile, Name: "long.mp4", MimeType: "video/mp4", Content: emulator.Synthetic(longLessonSize, 1)})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		drive.ServeHTTP(&countingWriter{w, d.counter(r)}, r)
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// windowStep is the distance between the windows of two lessons.
const windowStep = 4 << 10

// lesson is the content of a lesson.
func (d *fleetDrive) lesson(i int) []byte { return d.content[i*windowStep : i*windowStep+lessonSize] }

// counter is where a request's bytes are counted: by file where it is one for bytes.
func (d *fleetDrive) counter(r *http.Request) *atomic.Int64 {
	_, rest, _ := strings.Cut(r.URL.Path, "/files/")
	file, _, _ := strings.Cut(rest, "/")
	if r.URL.Query().Get("alt") != "media" {
		file = ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sent[file] == nil {
		d.sent[file] = new(atomic.Int64)
	}
	return d.sent[file]
}

// bytes is what was sent of each lesson.
func (d *fleetDrive) bytes() map[string]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := map[string]int64{}
	for file, n := range d.sent {
		if strings.HasPrefix(file, "lesson-") {
			sent[file] = n.Load()
		}
	}
	return sent
}

// total is what was sent of all lessons.
func (d *fleetDrive) total() (n int64) {
	for _, sent := range d.bytes() {
		n += sent
	}
	return n
}

// grown is of how many lessons more was sent since.
func (d *fleetDrive) grown(since map[string]int64) (n int) {
	for file, sent := range d.bytes() {
		if sent > since[file] {
			n++
		}
	}
	return n
}

// countingWriter counts the bytes of an answer.
type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.n.Add(int64(n))
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// warnings are the last warnings of each gateway.
func (f *fleet) warnings() string {
	var all []string
	for _, n := range f.nodes {
		warned := regexp.MustCompile(`(?m)^.*"level":"(?:WARN|ERROR)".*$`).FindAllString(n.stderr.String(), -1)
		all = append(all, warned[max(0, len(warned)-10):]...)
	}
	return strings.Join(all, "\n")
}

// rangeReaders are clients that read ranges of all lessons in a loop.
type rangeReaders struct {
	f       *fleet
	read    atomic.Int64
	cancel  context.CancelFunc
	readers sync.WaitGroup
	mu      sync.Mutex
	failed  []rangeFailure // guarded by mu
}

// rangeFailure is a range that was not read.
type rangeFailure struct {
	began time.Time
	// underWay is true when the answer broke off, or the connection before it.
	underWay bool
	err      error
}

// clientsPerConnection share one connection to the proxy.
const clientsPerConnection = 10

// startReaders starts the clients. The test's end stops them.
func (f *fleet) startReaders() *rangeReaders {
	ctx, cancel := context.WithCancel(f.t.Context())
	r := &rangeReaders{f: f, cancel: cancel}
	var client *http.Client
	for n := range f.scale.clients {
		if n%clientsPerConnection == 0 {
			transport := f.proxy.client.Transport.(*http.Transport).Clone()
			client = &http.Client{Transport: transport}
			f.t.Cleanup(transport.CloseIdleConnections)
		}
		shared := client
		r.readers.Go(func() { r.run(ctx, shared, n) })
	}
	f.t.Cleanup(r.stop)
	return r
}

// run reads one range after the other until ctx ends; one that has begun is read to its end.
func (r *rangeReaders) run(ctx context.Context, client *http.Client, n int) {
	const length = 32 << 10
	random := rand.New(rand.NewPCG(uint64(n), 1))
	for {
		select {
		case <-time.After(time.Duration((0.5 + random.Float64()) * float64(r.f.scale.pause))):
		case <-ctx.Done():
			return
		}
		began := time.Now()
		answering, err := r.f.readRange(context.WithoutCancel(ctx), client, r.f.viewers[n%fleetViewers], random.IntN(r.f.scale.lessons), random.IntN(lessonSize-length), length)
		r.read.Add(1)
		if err != nil {
			// A refusal has a status; what broke off has none.
			broke := answering || !strings.HasPrefix(err.Error(), "4") && !strings.HasPrefix(err.Error(), "5")
			r.mu.Lock()
			r.failed = append(r.failed, rangeFailure{began, broke, err})
			r.mu.Unlock()
		}
	}
}

func (r *rangeReaders) stop() {
	r.cancel()
	r.readers.Wait()
}

// await waits until n more ranges are read.
func (r *rangeReaders) await(t *testing.T, n int64) {
	t.Helper()
	until := r.read.Load() + n
	waitFor(t, "further ranges", func() bool { return r.read.Load() >= until })
}

// take returns what has been read since the last call, and fails the test for each range
// that was not. Answers that were under way at a moment when a gateway was killed are set
// aside; the zero time sets none aside.
func (r *rangeReaders) take(t *testing.T, killed time.Time) string {
	t.Helper()
	read := r.read.Swap(0)
	r.mu.Lock()
	failed := r.failed
	r.failed = nil
	r.mu.Unlock()
	aside := 0
	failed = slices.DeleteFunc(failed, func(f rangeFailure) bool {
		underWay := f.underWay && f.began.Before(killed)
		if underWay {
			aside++
		}
		return underWay
	})
	for i, f := range failed {
		if i < 5 {
			t.Errorf("a range that began %s: %v", f.began.Format("15:04:05.000"), f.err)
		}
	}
	if len(failed) > 0 {
		t.Errorf("the gateways warned of:\n%s", r.f.warnings())
	}
	text := fmt.Sprintf("%d ranges, %d failed", read, len(failed))
	if !killed.IsZero() {
		text += fmt.Sprintf(", %d under way at the kill", aside)
	}
	return text
}
