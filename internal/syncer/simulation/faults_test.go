package simulation

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// faults decides what goes wrong, while it is on.
type faults struct {
	w      *world
	on     bool
	random *rand.Rand // of the world's own goroutine

	mu    sync.Mutex
	seen  map[string]int // how often each call was made; guarded by mu
	steps int            // until the process dies, 0 = it does not; guarded by mu
}

func newFaults(w *world) *faults {
	return &faults{w: w, random: w.random("world"), seen: map[string]int{}}
}

// begin decides when a new process dies.
func (f *faults) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = 0
	if f.on && f.random.IntN(5) < 3 {
		f.steps = 1 + f.random.IntN(400)
	}
}

// aim makes the process die at its next step, now and then: where few deaths of chance would
// fall, as between the archive's having a file and its answer.
func (f *faults) aim(at string) {
	if !f.on || f.draw("aim "+at).IntN(15) > 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = 1
}

// crash reports whether the process dies at this step.
func (f *faults) crash() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.steps == 0 || !f.on {
		return false
	}
	f.steps--
	return f.steps == 0
}

// draw is a source for one call, by its name and how often it was made before.
func (f *faults) draw(name string) *rand.Rand {
	f.mu.Lock()
	f.seen[name]++
	n := f.seen[name]
	f.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprint(h, name, " ", n)
	return rand.New(rand.NewPCG(f.w.seed, h.Sum64()))
}

// call is the fault of a call of the archive, nil for none.
func (f *faults) call(kind, name string) error {
	if !f.on || !strings.HasPrefix(kind, "archive") {
		return nil
	}
	switch r := f.draw(kind + " " + name); r.IntN(60) {
	case 0:
		f.w.note("fault: %s %s is unavailable", kind, name)
		return media.Faultf(media.Unavailable, "simulated: "+kind, "unavailable")
	case 1:
		if kind == "archive put" {
			f.w.note("fault: %s %s finds no room", kind, name)
			return &media.Error{Kind: media.Quota, Op: "simulated: " + kind, Reason: "disk_full"}
		}
	}
	return nil
}

// stored is what the archive makes of the bytes that it is given.
func (f *faults) stored(key string, data []byte) []byte {
	if !f.on || f.draw("stored "+key).IntN(30) > 0 {
		return data
	}
	f.w.note("fault: the archive loses the end of %s", key)
	return bytes.Clone(data[:len(data)-7])
}

// roundTrip sends a request to Zoom, unless a fault comes before it.
func (f *faults) roundTrip(to http.RoundTripper, r *http.Request) (*http.Response, error) {
	f.w.checkTrash(r)
	if !f.on {
		return to.RoundTrip(r)
	}
	name := r.Method + " " + r.URL.Path
	d := f.draw(name)
	download, list := r.URL.Host != apiHost || strings.HasPrefix(r.URL.Path, "/rec/"), strings.HasPrefix(r.URL.Path, "/v2/users/")
	fault := func(what string) { f.w.note("fault: %s: %s", name, what) }
	switch d.IntN(40) {
	case 0:
		fault("connection refused")
		return nil, fmt.Errorf("connection refused")
	case 1:
		code := []int{500, 502, 503}[d.IntN(3)]
		fault(fmt.Sprint(code))
		return answer(r, code, "text/html", "<html>Something went wrong</html>"), nil
	case 2:
		if !download {
			fault("too many requests")
			resp := answer(r, http.StatusTooManyRequests, "application/json", `{"code":429,"message":"You have reached the maximum per-second rate limit for this API."}`)
			resp.Header.Set("X-RateLimit-Type", "QPS")
			return resp, nil
		}
		fault("a page for people")
		return answer(r, http.StatusOK, "text/html", "<html>Only the host can download this recording.</html>"), nil
	case 3:
		if list {
			fault("no list")
			return answer(r, http.StatusOK, "application/json", []string{`{"code":300,"message":"Invalid"}`, `{"meetings":`, `{}`}[d.IntN(3)]), nil
		}
		if r.Method == http.MethodGet && !download {
			fault("denied for now")
			return answer(r, http.StatusNotFound, "application/json", `{"code":3301,"message":"There is no recording for this meeting yet"}`), nil
		}
	case 4:
		wait := time.Duration(1+d.IntN(50)) * time.Second
		fault("takes " + wait.String())
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	case 5:
		resp, err := to.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		if download {
			return cut(resp, d, fault)
		}
		fault("the answer is lost")
		resp.Body.Close()
		return nil, io.ErrUnexpectedEOF
	case 6:
		if download && d.IntN(2) == 0 {
			fault("another token is wanted")
			return answer(r, http.StatusUnauthorized, "application/json", `{"code":124,"message":"Invalid access token"}`), nil
		}
	}
	return to.RoundTrip(r)
}

// cut ends a body early: the connection breaks, or the length is that of less.
func cut(resp *http.Response, d *rand.Rand, fault func(string)) (*http.Response, error) {
	data, err := io.ReadAll(resp.Body)
	if err != nil || len(data) == 0 {
		return resp, err
	}
	n := d.IntN(len(data))
	if d.IntN(3) == 0 {
		fault(fmt.Sprintf("%d bytes and an end", n))
		resp.ContentLength = int64(n)
		resp.Header.Set("Content-Length", fmt.Sprint(n))
		resp.Body = io.NopCloser(bytes.NewReader(data[:n]))
		return resp, nil
	}
	fault(fmt.Sprintf("breaks off after %d bytes", n))
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(data[:n]), brokenBody{}))
	return resp, nil
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// answer is one that Zoom has not given.
func answer(r *http.Request, status int, contentType, body string) *http.Response {
	return &http.Response{
		Status: fmt.Sprint(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// checkTrash: what is trashed at Zoom is in the archive, whole, at that moment, or was removed by
// its teacher or has expired: the bytes of that may be purged while Zoom's copy is being trashed.
func (w *world) checkTrash(r *http.Request) {
	if r.Method != http.MethodDelete {
		return
	}
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/v2/"), "/")
	if len(path) != 4 {
		w.fail("a whole meeting is trashed: %s", r.URL)
		return
	}
	uuid := unescape(path[1])
	for _, m := range w.meetings {
		for _, f := range m.files {
			if m.uuid == uuid && f.f.ID == unescape(path[3]) && m.removed == 0 && w.time().Before(m.expiresFrom()) && !w.archived(f) {
				w.fail("%s is trashed at Zoom and not in the archive in version %d", f.name(), f.version)
			}
		}
	}
}

func unescape(element string) string {
	for range 2 {
		if once, err := url.PathUnescape(element); err == nil {
			element = once
		}
	}
	return element
}

// archived reports whether the archive holds a file as Zoom has it now.
func (w *world) archived(f *file) bool {
	w.mu.Lock()
	tag := fmt.Sprintf("%s@%d", f.name(), f.version)
	w.mu.Unlock()
	for _, key := range w.objects.keys() {
		for _, of := range contentOf(w.objects.get(key)) {
			if of == tag {
				return true
			}
		}
	}
	return false
}
