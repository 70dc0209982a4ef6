// Package origin is where the benchmarked servers fetch from: files with a time
// to the first byte and a bandwidth per connection, both in the shape of Drive's
// API, for the gateway, and as plain files with ranges, for everybody else. Both
// shapes go through one implementation and one set of counters.
package origin

import (
	"encoding/json"
	"fmt"
	"html"
	"net"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/bench/content"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
)

// Shape is how an origin behaves.
type Shape struct {
	Latency time.Duration // before each answer
	Rate    int64         // bytes per second and connection; 0 = no limit
}

// File is one file of the origin; its name is also its Drive id.
type File struct {
	Name    string
	Content *content.Content
}

// Stats counts what was asked for and sent since the start.
type Stats = driveemu.Stats

// server is an origin that serves out of this process. Safe for concurrent use.
type server struct {
	drive    *driveemu.Server
	files    map[string]*content.Content
	names    []string
	http     *http.Server
	listener net.Listener
	modified time.Time
}

// listen serves the files on a free port of the loopback interface.
func listen(files []File) (*server, error) {
	o := &server{drive: driveemu.New(), files: map[string]*content.Content{}, modified: time.Now().Add(-time.Hour).Truncate(time.Second)}
	for _, f := range files {
		o.files[f.Name] = f.Content
		o.names = append(o.names, f.Name)
		o.drive.Put(driveemu.File{ID: f.Name, Name: f.Name, MimeType: "video/mp4", Content: f.Content})
	}
	sort.Strings(o.names)
	var err error
	if o.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /plain/{name}", o.servePlain)
	mux.HandleFunc("GET /plain/{$}", o.serveIndex)
	mux.HandleFunc("POST /control/shape", o.serveShape)
	mux.HandleFunc("GET /control/stats", o.serveStats)
	mux.Handle("/", Latent(o.drive))
	o.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = o.http.Serve(o.listener) }() // ends with Close
	return o, nil
}

// Latent serves a Drive whose metadata takes the latency that the emulator keeps for bytes.
func Latent(drive *driveemu.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("alt") != "media" {
			dawdle(drive, r)
		}
		drive.ServeHTTP(w, r)
	})
}

func dawdle(drive *driveemu.Server, r *http.Request) {
	select {
	case <-time.After(drive.Defaults().Latency):
	case <-r.Context().Done():
	}
}

// servePlain answers GET and HEAD for a file with what a plain server would add.
func (o *server) servePlain(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	file := o.files[name]
	if file == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Accept-Ranges", "bytes")
	w.Header().Set("ETag", `"`+name+`"`)
	w.Header().Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	if r.Method == http.MethodHead {
		dawdle(o.drive, r)
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("Content-Length", strconv.FormatInt(file.Size(), 10))
		return
	}
	r.URL.Path, r.URL.RawQuery = "/drive/v3/files/"+name, "alt=media"
	o.drive.ServeHTTP(w, r)
}

// serveIndex lists the files as web servers do, which is how rclone finds them.
func (o *server) serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	var b strings.Builder
	for _, name := range o.names {
		fmt.Fprintf(&b, "<a href=\"%[1]s\">%[1]s</a>\n", html.EscapeString(name))
	}
	_, _ = w.Write([]byte(b.String()))
}

// serveShape changes the behaviour of answers that begin from now on.
func (o *server) serveShape(w http.ResponseWriter, r *http.Request) {
	var s Shape
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o.drive.SetDefaults(driveemu.Faults{Latency: s.Latency, Rate: s.Rate})
}

func (o *server) serveStats(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(o.drive.Stats())
}
