package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/catalog/document"
	"github.com/lectiospace/lectern/internal/catalog/schema"
	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	"github.com/lectiospace/lectern/internal/failpoint/points"
)

// secret signs the tokens of the viewers.
const secret = "a-secret-of-the-tests-that-is-long-enough-0123456789"

// viewers is a gateway in front of an emulated Drive, and those who watch.
type viewers struct {
	t      *testing.T
	random *rand.Rand
	dir    string
	env    []string
	token  string
	bytes  [][]byte // of each recording
	aims   *aims

	ranges, wrong atomic.Int64
	refused       atomic.Int64
	example       sync.Map // what went wrong, to its first example
}

// recordings are of odd sizes, and more than the cache holds.
var recordingSizes = []int{3<<20 + 17, 2 << 20, 1<<20 + 1, 2<<20 - 4095, 300_000}

const cacheSize = 5 << 20

func newViewers(t *testing.T, random *rand.Rand) *viewers {
	t.Helper()
	v := &viewers{t: t, random: random, dir: memoryDir(t), aims: newAims(t, *iterations/2)}
	drive := driveemu.New()
	drive.SetDefaults(driveemu.Faults{Rate: 40 << 20})
	server := httptest.NewServer(drive)
	t.Cleanup(server.Close)
	var doc strings.Builder
	doc.WriteString(`
people:
  - {email: teacher@school.test, role: teacher}
  - {email: student@school.test, role: student}
groups:
  - {name: A, teacher: teacher@school.test, students: [student@school.test]}
lessons:
  - {title: Algebra, group: A, teacher: teacher@school.test, start: "2026-11-20T10:00:00Z", end: "2026-11-20T11:00:00Z", record: true}
recordings:
`)
	for i, size := range recordingSizes {
		data := make([]byte, size)
		source := rand.NewChaCha8([32]byte{byte(i + 1)})
		_, _ = source.Read(data)
		v.bytes = append(v.bytes, data)
		id := fmt.Sprintf("file-%d", i+1)
		drive.Put(driveemu.File{ID: id, Name: id + ".mp4", MimeType: "video/mp4", Content: emulator.Bytes(data)})
		fmt.Fprintf(&doc, "  - {lesson: Algebra, title: %q, status: ready, visibility: lesson_group, provider: gdrive, key: %s}\n", id, id)
	}
	fill(t, filepath.Join(v.dir, "lectern.db"), doc.String())
	v.env = []string{
		"LECTERN_DATA_DIR=" + v.dir, "LECTERN_CACHE_MIN_FREE=0", fmt.Sprintf("LECTERN_CACHE_SIZE=%d", cacheSize), "LECTERN_CACHE_CHUNK_SIZE=128KiB", "LECTERN_CACHE_MEMORY=8MiB",
		"LECTERN_LIMIT_STREAMS_PER_USER=100", "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=1000000", "LECTERN_AUTH_JWT_SECRET=" + secret,
		"LECTERN_ORIGIN_DRIVE_ENDPOINT=" + server.URL, "LECTERN_ORIGIN_DRIVE_CREDENTIALS=none",
	}
	v.token = strings.TrimSpace(run(t, []string{"LECTERN_AUTH_JWT_SECRET=" + secret}, "gateway", "token", "--user", "2", "--ttl", "24h"))
	return v
}

// fill makes a SQLite file with the schema and a catalog.
func fill(t *testing.T, path, doc string) {
	t.Helper()
	db, err := catalog.Open(t.Context(), "sqlite://"+path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := schema.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if _, err := document.Apply(t.Context(), db, strings.NewReader(doc), false); err != nil {
		t.Fatal(err)
	}
}

// preludes are what it takes to reach a point that healthy lives do not pass: rules before the
// one that kills, and what lies in the cache's directory.
var preludes = map[string]struct {
	rules string
	lay   func(v *viewers) error
}{
	"cache.remove-temp":        {rules: "cache.write-data=error(EIO)@2"},
	"cache.probe-write":        {rules: "cache.write-data=error(EIO)@1"},
	"cache.probe-sync":         {rules: "cache.write-data=error(EIO)@1"},
	"cache.stat":               {rules: "cache.scan-folder=sleep(700ms)"},
	"cache.scan-remove":        {lay: (*viewers).layJunk},
	"cache.scan-remove-folder": {lay: (*viewers).layEmptyFolder},
	// What a power cut leaves: a file whose end never reached the disk, whole by its size.
	"cache.renamed": {rules: "cache.write-data=torn(70000)@1"},
}

func (v *viewers) chunks() string { return filepath.Join(v.dir, "cache", "chunks") }

// layJunk puts what is no chunk among the chunks.
func (v *viewers) layJunk() error {
	if err := os.MkdirAll(filepath.Join(v.chunks(), "junk"), 0o700); err != nil {
		return err
	}
	folders, err := filepath.Glob(filepath.Join(v.chunks(), strings.Repeat("[0-9a-f]", 64)))
	for _, folder := range folders[:min(1, len(folders))] {
		err = os.WriteFile(filepath.Join(folder, "0000000g.chunk"), []byte("junk"), 0o600)
	}
	return err
}

// layEmptyFolder makes the folder of an object without chunks.
func (v *viewers) layEmptyFolder() error {
	return os.MkdirAll(filepath.Join(v.chunks(), strings.Repeat("ab", 32)), 0o700)
}

// TestGateway kills gateways at every step of the cache's file system, and at random.
func TestGateway(t *testing.T) {
	if *iterations == 0 {
		t.Skip("-iterations says how many lives there are")
	}
	random := rand.New(rand.NewPCG(*seed, 1))
	v := newViewers(t, random)
	for _, p := range points.All {
		if strings.HasPrefix(p.Name, "cache.") {
			v.aims.kindOf(serveCache).most[p.Name] = 1 // to be tried, although no life has passed it yet
		}
	}
	for n := 1; !t.Failed() && v.aims.begin(); n++ {
		v.live(v.aims.next(random, serveCache))
		if n%10 == 0 {
			v.check()
		}
	}
	v.check()
	t.Logf("gateway, seed %d: %d ranges compared, %d wrong, %d refused\n%s", *seed, v.ranges.Load(), v.wrong.Load(), v.refused.Load(), v.aims.summary())
	v.example.Range(func(what, example any) bool { t.Errorf("%v: %v", what, example); return true })
	for _, p := range points.All {
		if strings.HasPrefix(p.Name, "cache.") && !v.aims.reached(p) && v.aims.lives >= 100 && *aimed == "" {
			t.Errorf("no life ended at %s", p.Name)
		}
	}
}

// serveCache is the kind of all lives of the gateway.
const serveCache = "gateway serve"

// live is one life of the gateway.
func (v *viewers) live(to aim) {
	v.t.Helper()
	prelude := preludes[to.point]
	if prelude.lay != nil {
		if err := prelude.lay(v); err != nil {
			v.t.Fatal(err)
		}
	}
	rules := to.rules
	if prelude.rules != "" {
		if to.point != "cache.renamed" || strings.HasSuffix(rules, "@1") {
			rules = prelude.rules + ";" + rules
		}
	}
	p := start(v.t, v.env, rules, "gateway", "serve")
	<-p.listening
	ctx, stop := context.WithCancel(v.t.Context())
	var watching sync.WaitGroup
	for range 4 {
		r := rand.New(rand.NewPCG(v.random.Uint64(), 3))
		watching.Go(func() { v.watch(ctx, p, r) })
	}
	patience := 1500 * time.Millisecond
	if to.point == moment {
		patience = to.after
	} else if strings.HasPrefix(to.point, "cache.probe") {
		patience = 8 * time.Second
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.kill()
	}
	stop()
	watching.Wait()
	v.aims.note(v.t, p, serveCache, to)
	if code := p.exitCode(); code >= 0 {
		v.t.Errorf("the gateway ended by itself with status %d, %s:\n%s", code, rules, p.tail())
	}
}

// watch reads random ranges until the process ends.
func (v *viewers) watch(ctx context.Context, p *process, r *rand.Rand) {
	for ctx.Err() == nil && !p.ended() {
		i := r.IntN(len(v.bytes))
		from := r.IntN(len(v.bytes[i]))
		to := min(len(v.bytes[i]), from+1+r.IntN(600_000))
		status, err := v.read(ctx, p, i, from, to)
		if err == nil && status != http.StatusPartialContent && ctx.Err() == nil {
			v.refused.Add(1)
			v.example.LoadOrStore("a range was refused", fmt.Sprintf("recording %d, %d-%d: status %d\n%s", i+1, from, to-1, status, p.tail()))
		}
	}
}

// read reads a range, and compares every byte that comes. An error says that not all came.
func (v *viewers) read(ctx context.Context, p *process, i, from, to int) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/api/recordings/%d/stream/", p.url, i+1), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+v.token)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusPartialContent {
		return res.StatusCode, err
	}
	v.ranges.Add(1)
	want := v.bytes[i][from:to]
	if len(body) > len(want) || !bytes.Equal(body, want[:len(body)]) || err == nil && len(body) != len(want) {
		v.wrong.Add(1)
		v.example.LoadOrStore("a range was wrong", fmt.Sprintf("recording %d, %d-%d: %d bytes, %v", i+1, from, to-1, len(body), err))
	}
	return res.StatusCode, err
}

// check lets a gateway live undisturbed: everything is served, the directory holds what the
// index lists and nothing else, within the budget, and every chunk has its checksums.
// Everything is read twice: a full cache stores a chunk at its second use, and only what this
// life evicts shows whether files go. What earlier lives have left is in the index since the
// scan at the start.
func (v *viewers) check() {
	v.t.Helper()
	p := start(v.t, v.env, "", "gateway", "serve")
	<-p.listening
	for range 2 {
		for i, data := range v.bytes {
			if status, err := v.read(v.t.Context(), p, i, 0, len(data)); err != nil || status != http.StatusPartialContent {
				v.t.Errorf("recording %d: %d, %v\n%s", i+1, status, err, p.tail())
			}
		}
	}
	var stats struct {
		Chunks          int
		Bytes, Capacity int64
		Scanning        bool
		State           string
	}
	var files []string
	agree := eventually(func() bool {
		if json.Unmarshal([]byte(run(v.t, v.env, "gateway", "cache", "stats", "--json")), &stats) != nil {
			return false
		}
		files = v.list()
		return !stats.Scanning && len(files) == stats.Chunks
	})
	if !agree {
		v.t.Errorf("the index lists %d chunks, and the directory has %d files:\n%s", stats.Chunks, len(files), strings.Join(files, "\n"))
	}
	occupied := int64(0)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			occupied += info.Size()
		}
		if !strings.HasSuffix(f, ".chunk") {
			v.t.Errorf("%s is no chunk, and stays", f)
		}
	}
	if occupied > stats.Bytes || stats.Bytes > cacheSize || stats.State != "ok" {
		v.t.Errorf("%d bytes are on the disk, %+v", occupied, stats)
	}
	p.kill()
	// A chunk that is not sound makes the command fail: that must not hide a range that was wrong.
	if out, err := try(v.t, v.env, "gateway", "cache", "verify"); err != nil || !strings.Contains(out, "all sound") {
		v.t.Errorf("verify: %s, %v", out, err)
	}
	v.aims.verdict("%d chunks, %d bytes on the disk, all sound; %d ranges so far, %d wrong, %d refused", stats.Chunks, occupied, v.ranges.Load(), v.wrong.Load(), v.refused.Load())
}

// list are the files in the cache's directory, but for its lock, and folders that are empty.
func (v *viewers) list() (files []string) {
	_ = filepath.WalkDir(filepath.Join(v.dir, "cache"), func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil, d.Name() == "lock":
		case !d.IsDir():
			files = append(files, path)
		case filepath.Dir(path) == v.chunks():
			if inside, err := os.ReadDir(path); err == nil && len(inside) == 0 {
				files = append(files, path)
			}
		}
		return nil
	})
	slices.Sort(files)
	return files
}
