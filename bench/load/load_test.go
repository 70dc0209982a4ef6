package load

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lectiospace/lectern/bench/content"
)

// serve is a server of c by net/http, with what is asked of it changed by spoil.
func serve(t *testing.T, c *content.Content, spoil func(w http.ResponseWriter, r *http.Request) bool) Target {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if spoil != nil && spoil(w, r) {
			return
		}
		w.Header().Set("Content-Type", "video/mp4")
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(c, 0, c.Size()))
	}))
	t.Cleanup(s.Close)
	return Target{Addr: strings.TrimPrefix(s.URL, "http://"), Path: "/lesson", Content: c}
}

func TestReadsWhatIsServed(t *testing.T) {
	for name, drop := range map[string]bool{"compared": false, "dropped": true} {
		t.Run(name, func(t *testing.T) {
			target := serve(t, content.New(12<<20, 1), nil)
			target.Drop = drop
			readEverything(t, target)
		})
	}
}

// readEverything runs each kind of client once.
func readEverything(t *testing.T, target Target) {
	ctx := context.Background()
	if err := Verify(ctx, target); err != nil {
		t.Error(err)
	}
	r, err := Random(ctx, target, 4, 64<<10, 100*time.Millisecond)
	if err != nil || r.Requests == 0 || r.Bytes != r.Requests*(64<<10) || int64(len(r.First)) != r.Requests {
		t.Errorf("%d requests, %d bytes, %v", r.Requests, r.Bytes, err)
	}
	target.Threads = true
	if r, err = Random(ctx, target, 4, 64<<10, 50*time.Millisecond); err != nil || r.Requests == 0 || r.Bytes != r.Requests*(64<<10) || int64(len(r.First)) != r.Requests {
		t.Errorf("threads: %d requests, %d bytes, %v", r.Requests, r.Bytes, err)
	}
	if r, err = Crowd(ctx, target, 5, 10*time.Millisecond); err != nil || r.Bytes != 5*12<<20 || len(r.First) != 5 {
		t.Errorf("a crowd read %d bytes: %v", r.Bytes, err)
	}
	if r, err = Seek(ctx, target, 0, 5<<20+1, 1<<20); err != nil || r.Bytes != 1<<20 {
		t.Errorf("a seek read %d bytes: %v", r.Bytes, err)
	}
	size := target.Content.Size()
	steps := []Step{
		{Off: 0, Last: OpenEnd, Want: 1 << 20, For: 30 * time.Millisecond},                                    // and hangs up
		{At: 5 * time.Millisecond, Connection: 1, Off: size - 100, Last: OpenEnd, Want: 100},                  // the index
		{At: 40 * time.Millisecond, Off: 5 << 20, Last: 6<<20 - 1, Want: 1 << 20, For: 10 * time.Millisecond}, // all of it
		{At: 50 * time.Millisecond, Off: 7 << 20, Last: OpenEnd, Want: 0},
	}
	if r, err = Session(ctx, target, 3, steps); err != nil || r.Requests != 4 || len(r.First) != 4 || r.Bytes < 2<<20+100 || r.Elapsed < 50*time.Millisecond {
		t.Errorf("a session of %d requests and %d bytes in %s: %v", r.Requests, r.Bytes, r.Elapsed, err)
	}
	var read atomic.Int64
	viewers, err := StartViewers(ctx, 10, Watching{
		Target: func(int) Target { return target }, BytesPerSecond: 500_000, Gap: time.Millisecond, Again: true,
		Read: func(_ int, off, n int64, _, _ time.Duration) {
			if off+n > target.Content.Size() {
				t.Errorf("%d bytes at %d of %d", n, off, target.Content.Size())
			}
			read.Add(n)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); read.Load() == 0 && time.Since(began) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if seen, err := viewers.Stop(); err != nil || len(seen.First) != 10 || read.Load() == 0 {
		t.Errorf("%d of 10 viewers saw something, %d bytes: %v", len(seen.First), read.Load(), err)
	}
}

// TestSeesWhatIsWrong makes sure that no wrong byte, length or status passes.
func TestSeesWhatIsWrong(t *testing.T) {
	c := content.New(12<<20, 1)
	for name, spoil := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"other bytes": func(w http.ResponseWriter, r *http.Request) bool {
			http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(content.New(c.Size(), 2), 0, c.Size()))
			return true
		},
		"bytes from elsewhere": func(w http.ResponseWriter, r *http.Request) bool {
			shifted := io.MultiReader(bytes.NewReader([]byte{0}), io.NewSectionReader(c, 0, c.Size()-1))
			data, _ := io.ReadAll(shifted)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
			return true
		},
		"the whole": func(w http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("Range")
			return false
		},
		"another size": func(w http.ResponseWriter, r *http.Request) bool {
			http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(c, 0, c.Size()-1))
			return true
		},
		"a short body": func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Length", "65536")
			w.Header().Set("Content-Range", "bytes 0-65535/12582912")
			w.WriteHeader(http.StatusPartialContent)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Verify(context.Background(), serve(t, c, spoil)); err == nil {
				t.Error("nothing was noticed")
			}
		})
	}
}
