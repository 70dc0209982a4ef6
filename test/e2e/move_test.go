package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/archive"
	"github.com/lectiospace/lectern/internal/emulator"
	"github.com/lectiospace/lectern/internal/emulator/azurite"
	s3emu "github.com/lectiospace/lectern/internal/emulator/s3"
	"github.com/lectiospace/lectern/internal/origin/azure"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/s3"
)

// campaign is how much of TestMove is run: in the suite a short one, `make move` a long one.
type campaign struct {
	recordings, viewers, kills int
	size                       int64 // of a recording
	rate                       int64 // of the mover, bytes per second
	whole                      bool
}

func newCampaign() campaign {
	if os.Getenv("MOVE_RECORDINGS") == "" {
		return campaign{recordings: 5, viewers: 5, kills: 2, size: 1 << 20, rate: 4 << 20}
	}
	number := func(name string, usual int) int {
		n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(usual)))
		if err != nil {
			panic(err)
		}
		return n
	}
	return campaign{recordings: number("MOVE_RECORDINGS", 20), viewers: number("MOVE_VIEWERS", 20), kills: number("MOVE_KILLS", 5), size: 12 << 20, rate: 24 << 20, whole: true}
}

// archiveOf is an archive of the campaign, seen from behind.
type archiveOf struct {
	name string
	env  []string
	put  func(i int, content emulator.Content) (key string)
	keys func() []string
}

// moving is a campaign under way.
type moving struct {
	*zoomFixture
	campaign
	t       *testing.T
	content []emulator.Content // by recording, whose ids begin with 1
	gateway *gateway
	token   string

	ranges, failed, wrong, changed atomic.Int64
	faults                         sync.Map // what went wrong, to its first example
}

// drive is the emulated Drive of the fixture.
func (m *moving) drive() archiveOf {
	o, err := drive.New(m.t.Context(), drive.Config{Credentials: "none", Endpoint: m.driveURL}, slog.New(slog.DiscardHandler))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(o.Stop)
	return m.inArchive(drive.NewArchive(o, drive.ArchiveConfig{}))
}

// local is the folder of the fixture.
func (m *moving) local() archiveOf {
	root := filepath.Join(m.dir, "recordings")
	return archiveOf{
		name: "local",
		put: func(i int, content emulator.Content) string {
			key := fmt.Sprintf("lessons/2026/old-%d.mp4", i)
			data, err := io.ReadAll(io.NewSectionReader(content, 0, content.Size()))
			if err == nil {
				err = errors.Join(os.MkdirAll(filepath.Join(root, "lessons/2026"), 0o750), os.WriteFile(filepath.Join(root, key), data, 0o640))
			}
			if err != nil {
				m.t.Fatal(err)
			}
			return key
		},
		keys: func() []string {
			keys, _ := filepath.Glob(filepath.Join(root, "lessons/*/*"))
			return keys
		},
	}
}

// azure is a container of Azurite.
func (m *moving) azure() archiveOf {
	cfg := azure.Config{
		URL:         "azblob://" + azurite.Container(m.t) + "?storage_account=" + azurite.Account + "&endpoint=" + url.QueryEscape(azurite.Endpoint(m.t)),
		Credentials: azurite.Key,
	}
	o, err := azure.New(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(o.Stop)
	return m.inArchive(azure.NewArchive(o), "LECTERN_ORIGIN_AZURE_URL="+cfg.URL, "LECTERN_ORIGIN_AZURE_CREDENTIALS="+cfg.Credentials)
}

// s3 is an emulated bucket.
func (m *moving) s3() archiveOf {
	bucket := httptest.NewServer(s3emu.New(s3emu.Config{Bucket: "lessons"}))
	m.t.Cleanup(bucket.Close)
	cfg := s3.Config{URL: "s3://lessons?region=us-east-1&use_path_style=true&prefix=zoom/&endpoint=" + url.QueryEscape(bucket.URL), Credentials: "KEY:secret"}
	o, err := s3.New(m.t.Context(), cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(o.Stop)
	return m.inArchive(s3.NewArchive(o), "LECTERN_ORIGIN_S3_URL="+cfg.URL, "LECTERN_ORIGIN_S3_CREDENTIALS="+cfg.Credentials)
}

// inArchive is an archive that is filled and listed by its own package.
func (m *moving) inArchive(a archive.Archive, env ...string) archiveOf {
	return archiveOf{
		name: a.Provider(), env: env,
		put: func(i int, content emulator.Content) string {
			key, err := a.NewKey(m.t.Context(), strconv.Itoa(i))
			if err != nil {
				m.t.Fatal(err)
			}
			data, err := io.ReadAll(io.NewSectionReader(content, 0, content.Size()))
			if err != nil {
				m.t.Fatal(err)
			}
			path := filepath.Join(m.t.TempDir(), "content")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				m.t.Fatal(err)
			}
			_, err = a.Put(m.t.Context(), archive.Item{Key: key, Path: path, Size: content.Size(), MD5: fmt.Sprintf("%x", md5.Sum(data)), Name: "lesson.mp4", SaveSession: func(string) error { return nil }})
			if err != nil {
				m.t.Fatal(err)
			}
			return key
		},
		keys: func() (keys []string) {
			if err := a.List(m.t.Context(), func(s archive.Stored) error { keys = append(keys, s.Key); return nil }); err != nil {
				m.t.Error(err)
			}
			return keys
		},
	}
}

// TestMove: recordings are moved while viewers read ranges of all of them through a gateway,
// and the mover is killed again and again. No range fails, no byte is wrong, no entity tag
// changes, no file is there twice, and the quota stays as it is.
func TestMove(t *testing.T) {
	t.Parallel()
	routes := []struct {
		name     string
		from, to func(*moving) archiveOf
		always   bool // in the suite too
	}{
		{"gdrive-s3", (*moving).drive, (*moving).s3, true},
		{"local-s3", (*moving).local, (*moving).s3, false},
		{"s3-azure", (*moving).s3, (*moving).azure, false},
		{"gdrive-local", (*moving).drive, (*moving).local, false},
		{"gdrive-azure", (*moving).drive, (*moving).azure, false},
		{"local-azure", (*moving).local, (*moving).azure, false},
		{"azure-gdrive", (*moving).azure, (*moving).drive, false},
	}
	c := newCampaign()
	for _, route := range routes {
		if route.always || c.whole {
			t.Run(route.name, func(t *testing.T) { moveUnderLoad(t, c, route.from, route.to) })
		}
	}
}

func moveUnderLoad(t *testing.T, c campaign, fromArchive, toArchive func(*moving) archiveOf) {
	began := time.Now()
	m := &moving{zoomFixture: newZoomFixture(t, "", c.recordings), campaign: c, t: t}
	from, to := fromArchive(m), toArchive(m)
	m.env = append(append(append(m.env, from.env...), to.env...), "LECTERN_LIMIT_STREAMS_PER_USER=1000", "LECTERN_LIMIT_PLAYBACKS_PER_HOUR=100000", "LECTERN_SYNC_TRASH_GRACE=0s", "LECTERN_ORIGIN_RECHECK=1s")
	m.fill(from)
	command(t, m.env, 0, "syncer", "run", "usage")
	quota := m.quota()
	m.gateway = serve(t, m.env...)
	m.token = token(t, "--user", "2")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	m.cacheStatuses() // caches the beginnings
	var watching sync.WaitGroup
	for v := range c.viewers {
		watching.Go(func() { m.watch(ctx, v) })
	}
	waitFor(t, "ranges of every viewer", func() bool { return m.ranges.Load() > int64(5*c.viewers) })
	moved := m.moveKilled(from, to)
	after := m.ranges.Load()
	waitFor(t, "ranges after the move", func() bool { return m.ranges.Load() > after+int64(5*c.viewers) || m.failed.Load() > 0 })
	// Viewers go on while the former files are removed.
	command(t, m.env, 0, "syncer", "run", "purge")
	after = m.ranges.Load()
	waitFor(t, "ranges after the purge", func() bool { return m.ranges.Load() > after+int64(5*c.viewers) || m.failed.Load() > 0 })
	stop()
	watching.Wait()
	if left := from.keys(); len(left) > 0 {
		t.Errorf("%s still holds %v", from.name, left)
	}
	if n := len(to.keys()); n != c.recordings {
		t.Errorf("%s holds %d files of %d recordings: %v", to.name, n, c.recordings, to.keys())
	}
	if n := m.number(t, `SELECT count(*) FROM schedule_lessonrecording WHERE storage_provider = '`+to.name+`' AND archive_key <> '' AND gdrive_file_id = '' AND status = 'ready'`); to.name != "gdrive" && n != int64(c.recordings) {
		t.Errorf("%d rows name the new archive", n)
	}
	now := m.quota()
	command(t, m.env, 0, "syncer", "run", "usage")
	if now != quota || m.quota() != quota {
		t.Errorf("the quota was %v, is %v, recomputed %v", quota, now, m.quota())
	}
	if m.failed.Load()+m.wrong.Load()+m.changed.Load() > 0 {
		m.faults.Range(func(what, example any) bool { t.Errorf("%v: %v", what, example); return true })
	}
	if from.name != "local" && to.name != "local" { // what is local is never cached
		if statuses := m.cacheStatuses(); !slices.Equal(slices.Compact(statuses), []string{"lectern; hit"}) {
			t.Errorf("what was cached before the move is now %v", statuses)
		}
	}
	t.Logf("%s to %s: %d recordings of %d bytes moved (%d by the last run) under %d viewers, mover killed %d times: %d ranges, %d failed, %d with wrong bytes, %d with another entity tag; %d files for %d recordings, quota unchanged; %s",
		from.name, to.name, c.recordings, c.size, moved, c.viewers, c.kills, m.ranges.Load(), m.failed.Load(), m.wrong.Load(), m.changed.Load(), len(to.keys()), c.recordings, time.Since(began).Round(time.Millisecond))
}

// fill archives a recording of each lesson.
func (m *moving) fill(from archiveOf) {
	var doc strings.Builder
	doc.WriteString("recordings:\n")
	for i := range m.recordings {
		content := emulator.Synthetic(m.size+int64(i), uint64(i+1))
		m.content = append(m.content, content)
		fmt.Fprintf(&doc, "  - {lesson: %d, status: ready, visibility: lesson_group, allowed_groups: [7A], provider: %s, key: %q, size: %d, duration: 60s}\n",
			i+1, from.name, from.put(i+1, content), content.Size())
	}
	path := filepath.Join(m.t.TempDir(), "recordings.yaml")
	if err := os.WriteFile(path, []byte(doc.String()), 0o600); err != nil {
		m.t.Fatal(err)
	}
	command(m.t, m.env, 0, "gateway", "catalog", "apply", path)
}

func (m *moving) quota() [2]int64 {
	return [2]int64{
		m.number(m.t, `SELECT used_bytes FROM schedule_teacherstoragequota WHERE teacher_id = 1`),
		m.number(m.t, `SELECT recordings_count FROM schedule_teacherstoragequota WHERE teacher_id = 1`),
	}
}

// moveKilled moves everything; the mover is killed while it works on a recording, each time.
// It returns how many the last run moved.
func (m *moving) moveKilled(from, to archiveOf) int {
	args := []string{"move", "--from", from.name, "--to", to.name, "--rate", strconv.FormatInt(m.rate, 10)}
	seed := uint64(time.Now().UnixNano())
	m.t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 11))
	for range m.kills {
		p := start(m.t, m.env, "syncer", args...)
		done := m.number(m.t, `SELECT count(*) FROM lectern_copies WHERE switched_at IS NOT NULL`)
		waitFor(m.t, "a mover at work", func() bool {
			return m.number(m.t, `SELECT count(*) FROM lectern_copies WHERE switched_at IS NOT NULL`) > done || m.number(m.t, `SELECT count(*) FROM lectern_copies WHERE switched_at IS NULL`) > 0
		})
		time.Sleep(time.Duration(rng.Int64N(3 * m.size * int64(time.Second) / m.rate)))
		p.kill()
		if m.number(m.t, `SELECT count(*) FROM lectern_moves`) == 0 {
			m.t.Error("the mover had ended before it was killed: a smaller rate is needed")
		}
	}
	out, progress := command(m.t, m.env, 0, "syncer", args...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var sum struct{ Moved, Skipped, Failed, Bytes int }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil || sum.Failed+sum.Skipped > 0 || sum.Moved == 0 || !strings.Contains(progress, "moved: "+from.name+" to "+to.name) {
		m.t.Errorf("the last run: %v, %s, %s", err, out, progress)
	}
	return sum.Moved
}

// watch reads ranges of recordings as players do, which hold on to the entity tag that they
// saw first, until ctx ends.
func (m *moving) watch(ctx context.Context, viewer int) {
	rng := rand.New(rand.NewPCG(uint64(viewer), 5))
	tags := map[int]string{}
	for n := 0; ctx.Err() == nil; n++ {
		i := (viewer + n/20) % m.recordings // twenty ranges, then the next one
		headers := map[string]string{}
		if tag := tags[i]; tag != "" {
			switch n % 3 {
			case 1:
				headers["If-Range"] = tag
			case 2:
				headers["If-Match"] = tag
			}
		}
		size := m.content[i].Size()
		off := rng.Int64N(size)
		length := min(1+rng.Int64N(64<<10), size-off)
		tag, err := m.read(ctx, i, off, length, headers)
		if ctx.Err() != nil {
			return
		}
		m.ranges.Add(1)
		if err != nil {
			m.failed.Add(1)
			m.faults.LoadOrStore("a range failed", fmt.Sprintf("recording %d, %d+%d, %v: %v", i+1, off, length, headers, err))
		} else if tags[i] == "" {
			tags[i] = tag
		} else if tags[i] != tag {
			m.changed.Add(1)
			m.faults.LoadOrStore("an entity tag changed", fmt.Sprintf("recording %d: %s to %s", i+1, tags[i], tag))
		}
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond) // a player decodes what it has
	}
}

// errWrong is in the error of an answer that is not what was asked for.
var errWrong = errors.New("wrong bytes")

// read reads one range and compares it.
func (m *moving) read(ctx context.Context, i int, off, length int64, headers map[string]string) (tag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/api/recordings/%d/stream/", m.gateway.url, i+1), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+m.token)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+length-1))
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusPartialContent {
		err = fmt.Errorf("%s: %.200s", res.Status, got)
	}
	if err != nil {
		return "", err
	}
	want := make([]byte, length)
	if _, err := m.content[i].ReadAt(want, off); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if !bytes.Equal(got, want) {
		m.wrong.Add(1)
		return "", errWrong
	}
	return res.Header.Get("ETag"), nil
}

// cacheStatuses reads the beginning of each recording.
func (m *moving) cacheStatuses() (statuses []string) {
	for i := range m.recordings {
		res, _ := get(m.t, fmt.Sprintf("%s/api/recordings/%d/stream/", m.gateway.url, i+1), m.token, "bytes=0-99")
		statuses = append(statuses, res.Header.Get("Cache-Status"))
	}
	return statuses
}
