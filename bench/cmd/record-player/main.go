// Command record-player stands between a player and a gateway and writes down which ranges
// the player asks for, when, on which connections, and how much of each it takes: the input of
// the benchmark's player mix. bench/workloads/testdata/players/README.md says how it was used.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/bench/workloads"
)

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "127.0.0.1:8099", "address to listen on")
	to := flag.String("to", "http://127.0.0.1:8080", "the gateway")
	out := flag.String("out", "player.json", "file for the recording, written after Ctrl-C or when the page's script has ended")
	player := flag.String("player", "", "the player and its version")
	share := flag.Int("share", 1, "how many of twenty viewers of the mix have this player")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	target, err := url.Parse(*to)
	if err != nil {
		log.Fatalf("-to: %v", err)
	}
	r := &recorder{began: time.Now(), connections: map[string]int{}, done: stop}
	r.recording.Player, r.recording.Share = *player, *share
	r.proxy = &httputil.ReverseProxy{
		FlushInterval:  -1, // as the bytes come
		ModifyResponse: r.prepare,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
			p.Out.Header.Del("Accept-Encoding") // the page is looked into
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {}, // players hang up all the time
	}
	server := &http.Server{Addr: *listen, Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); ctx.Err() == nil {
		log.Fatal(err)
	}
	if err := r.write(*out); err != nil {
		log.Fatal(err)
	}
}

// recorder is a reverse proxy that records the requests for streams.
type recorder struct {
	proxy *httputil.ReverseProxy
	began time.Time
	done  func()

	mu          sync.Mutex
	recording   workloads.Recording // guarded by mu
	connections map[string]int      // by the player's address; guarded by mu
	running     sync.WaitGroup
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch {
	case req.URL.Path == "/recorder.js":
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, script)
	case req.URL.Path == "/recorder-done":
		r.done()
	case strings.HasSuffix(strings.TrimSuffix(req.URL.Path, "/"), "/stream") && req.Method == http.MethodGet:
		r.record(w, req)
	default:
		r.proxy.ServeHTTP(w, req)
	}
}

// script plays, seeks to the middle and to four fifths, and leaves.
const script = `
const start = setInterval(async () => {
	const video = document.querySelector('video')
	if (!(video?.duration > 0)) return
	clearInterval(start)
	video.muted = true
	await video.play()
	setTimeout(() => { video.currentTime = video.duration * 0.5 }, 20_000)
	setTimeout(() => { video.currentTime = video.duration * 0.8 }, 35_000)
	setTimeout(() => { fetch('/recorder-done', { method: 'POST' }) }, 50_000)
}, 50)
`

// prepare adds the script to the player's page, which its content security policy forbids.
func (r *recorder) prepare(resp *http.Response) error {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return nil
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	page = bytes.Replace(page, []byte("</head>"), []byte(`<script src="/recorder.js" type="module"></script></head>`), 1)
	resp.Body = io.NopCloser(bytes.NewReader(page))
	resp.Header.Del("Content-Security-Policy")
	resp.Header.Set("Content-Length", strconv.Itoa(len(page)))
	return nil
}

func (r *recorder) record(w http.ResponseWriter, req *http.Request) {
	r.running.Add(1)
	defer r.running.Done()
	began := time.Now()
	counted := &countingWriter{ResponseWriter: w}
	// It panics when the player hangs up, so that net/http closes the connection.
	defer func() {
		one := workloads.PlayerRequest{At: began.Sub(r.began).Milliseconds(), For: time.Since(began).Milliseconds(), Bytes: counted.bytes}
		if counted.status < 300 && one.ParseRange(req.Header.Get("Range")) { // VLC asks behind the end, and is told so
			r.add(one, req.RemoteAddr, w.Header().Get("Content-Range"))
		} else {
			log.Printf("not recorded: status %d, Range: %q", counted.status, req.Header.Get("Range"))
		}
	}()
	r.proxy.ServeHTTP(counted, req)
}

func (r *recorder) add(one workloads.PlayerRequest, from, contentRange string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.connections[from]; !known {
		r.connections[from] = len(r.connections)
	}
	one.Connection = r.connections[from]
	if _, size, ok := strings.Cut(contentRange, "/"); ok {
		r.recording.Size, _ = strconv.ParseInt(size, 10, 64)
	}
	r.recording.Requests = append(r.recording.Requests, one)
}

// write waits for the answers under way to end, which have lost their connections.
func (r *recorder) write(to string) error {
	ended := time.Since(r.began)
	r.running.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recording.Arrange(ended)
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := r.recording.Write(f); err != nil {
		return err
	}
	fmt.Printf("%s: %d requests on %d connections\n", to, len(r.recording.Requests), len(r.connections))
	return nil
}

// countingWriter notes the status and counts the bytes of a body that the player's socket has
// taken.
type countingWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets the proxy flush.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
