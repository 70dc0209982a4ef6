package peers

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/meter"
)

// Stdlib serves the lessons by net/http out of this process. It needs nothing
// installed, which is why the benchmark's own test uses it; its processor time
// is that of everything in the process.
func Stdlib() Starter {
	return Starter{Name: "net/http", Start: func(_ context.Context, site *Site) (*Peer, error) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, l := range site.Lessons {
				if r.URL.Path == "/"+l.Name {
					w.Header().Set("Content-Type", "video/mp4")
					http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(l.Content, 0, l.Content.Size()))
					return
				}
			}
			http.NotFound(w, r)
		}))
		return &Peer{
			Name: "net/http", Tree: meter.NewTree(os.Getpid()), stop: []func(){s.Close},
			Target: func(l Lesson) load.Target {
				return load.Target{Addr: strings.TrimPrefix(s.URL, "http://"), Path: "/" + l.Name, Content: l.Content}
			},
		}, nil
	}}
}
