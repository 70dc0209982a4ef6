package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
)

// killCount returns how often TestKill kills, at most and at least: fifty times, or fewer
// when they take longer than killsFor. LECTERN_TEST_KILLS sets an exact number.
func killCount(t *testing.T) (most, least int) {
	text := os.Getenv("LECTERN_TEST_KILLS")
	if text == "" {
		return 50, 8
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("LECTERN_TEST_KILLS: %v", err)
	}
	return n, n
}

const killsFor = 40 * time.Second

// TestKill kills the gateway while it fills and evicts, again and again, and
// compares random ranges after each restart.
func TestKill(t *testing.T) {
	t.Parallel()
	const size = 24 << 20
	s := newDriveFixture(t, size)
	s.drive.SetDefaults(driveemu.Faults{Rate: 48 << 20})
	env := append(s.env, "LECTERN_CACHE_SIZE=16MiB")
	student := token(t, "--user", "2", "--ttl", "12h")
	r := rand.New(rand.NewPCG(2, 3))
	rounds, ranges, wrong, found := 0, 0, 0, 0
	most, least := killCount(t)
	for end := time.Now().Add(killsFor); rounds < least || rounds < most && time.Now().Before(end); rounds++ {
		g := serve(t, env...)
		found += chunkFiles(s.data)
		for range 8 {
			ranges++
			from := r.IntN(size)
			to := min(size-1, from+r.IntN(200_000))
			res, body := get(t, g.url+lessonPath, student, fmt.Sprintf("bytes=%d-%d", from, to))
			if res.StatusCode != http.StatusPartialContent || !bytes.Equal(body, s.bytes[from:to+1]) {
				wrong++
			}
		}
		ended, from := make(chan struct{}), r.IntN(size)
		go func() {
			defer close(ended)
			req, _ := http.NewRequest(http.MethodGet, g.url+lessonPath, nil)
			req.Header.Set("Authorization", "Bearer "+student)
			req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
			if res, err := http.DefaultClient.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}()
		time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond) // the point of the kill, not a wait for something
		g.kill()
		<-ended
	}
	t.Logf("%d kills, %d ranges compared, %d wrong; %d chunks were on the disk at the starts", rounds, ranges, wrong, found)
	if wrong != 0 {
		t.Errorf("%d of %d ranges were wrong", wrong, ranges)
	}
	if found == 0 {
		t.Error("no start found a chunk: nothing was tried")
	}
}

// chunkFiles counts what is in a cache.
func chunkFiles(data string) int {
	files, _ := filepath.Glob(filepath.Join(data, "cache", "chunks", "*", "*.chunk"))
	return len(files)
}

// TestCacheCommands tries them with a gateway running and without.
func TestCacheCommands(t *testing.T) {
	t.Parallel()
	const size = 5<<20 + 100
	s := newDriveFixture(t, size)
	type numbers struct {
		Chunks, Verified int
		Bytes, Capacity  int64
		State            string
		Events           map[string]int64
	}
	stats := func(env []string) (n numbers) {
		t.Helper()
		out, _ := command(t, env, 0, "gateway", "cache", "stats", "--json")
		if err := json.Unmarshal([]byte(out), &n); err != nil {
			t.Fatalf("%v in %q", err, out)
		}
		return n
	}
	says := func(env []string, code int, want string, args ...string) {
		t.Helper()
		out, errs := command(t, env, code, "gateway", append([]string{"cache"}, args...)...)
		if !strings.Contains(out+errs, want) {
			t.Errorf("cache %q says %q, %q: want %q", args, out, errs, want)
		}
	}
	round := func(t *testing.T, env []string, chunks int) {
		t.Helper()
		if got := stats(env); got.Chunks != 0 || got.State != "ok" || got.Capacity != 10<<30 {
			t.Errorf("an empty cache: %+v", got)
		}
		says(env, 1, "recording 99 is not in the catalog", "warm", "1", "99")
		says(env, 2, "recording", "warm", "lesson")
		if n := chunkFiles(s.data); n != 0 {
			t.Errorf("%d chunks were fetched although one of the recordings is unknown", n)
		}
		says(env, 0, "recording 1: 5.0 MiB on disk, 5.0 MiB of it new", "warm", "1")
		if got := stats(env); got.Chunks != chunks || got.Bytes < size || got.Bytes > size+int64(chunks+2)*8192 {
			t.Errorf("after warming: %+v, want %d chunks", got, chunks)
		}
		sent := s.drive.Stats().BytesSent
		says(env, 0, "0 B of it new", "warm", "1")
		if again := s.drive.Stats().BytesSent - sent; again != 0 {
			t.Errorf("%d bytes were fetched for a recording that was warm", again)
		}
		says(env, 0, fmt.Sprintf("%d of 1.0 MiB each, of 1 files", chunks), "stats")
		says(env, 0, "all sound", "verify")
		corruptChunk(t, s.data)
		says(env, 1, "1 corrupt", "verify")
		if n := chunkFiles(s.data); n != chunks-1 {
			t.Errorf("%d chunks are left, want %d: the corrupt one goes", n, chunks-1)
		}
		says(env, 0, "all sound", "verify")
		says(env, 1, "recording 99 is not in the catalog", "purge", "99")
		says(env, 0, fmt.Sprintf("recording 1: %d chunks dropped", chunks-1), "purge", "1")
		if n := chunkFiles(s.data); n != 0 {
			t.Errorf("%d chunks are left after the purge", n)
		}
	}
	chunks := 6
	t.Run("by itself", func(t *testing.T) { round(t, s.env, chunks) })
	g := serve(t, s.env...)
	t.Run("through the gateway", func(t *testing.T) {
		round(t, s.env, chunks)
		says(s.env, 0, "on disk", "warm", "1")
		res, body := get(t, g.url+lessonPath, token(t, "--user", "2"), "bytes=4000000-4999999")
		if got := res.Header.Get("Cache-Status"); got != "lectern; hit" || !bytes.Equal(body, s.bytes[4000000:5000000]) {
			t.Errorf("a warmed range: %q, right bytes %v", got, bytes.Equal(body, s.bytes[4000000:5000000]))
		}
	})
	t.Run("a web page gives no orders", func(t *testing.T) {
		res, err := http.Post(g.admin+"/cache/purge", "text/plain", strings.NewReader(`{"recordings":[1]}`))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden || chunkFiles(s.data) == 0 {
			t.Errorf("a plain POST: %s, %d chunks are left", res.Status, chunkFiles(s.data))
		}
	})
	t.Run("no room", func(t *testing.T) {
		other := append(s.env, "LECTERN_CACHE_DIR="+t.TempDir(), "LECTERN_CACHE_SIZE=3MiB")
		says(other, 1, "found no room", "warm", "1")
	})
}

// flip turns one bit of one chunk's data over.
func corruptChunk(t *testing.T, data string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "cache", "chunks", "*", "*.chunk"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no chunks: %v", err)
	}
	f, err := os.OpenFile(files[len(files)/2], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := []byte{0}
	const at = 4096 + 77_777
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}
