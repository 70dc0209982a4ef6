package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lectiospace/lectern/internal/proxy/openapi/openapitest"
)

// describedTransport holds what the started programs answer against the description of the
// API. The tests' requests go through it, and those of the browsers that an interceptedGateway
// passes on. Safe for concurrent use.
type describedTransport struct {
	next http.RoundTripper

	mu      sync.Mutex
	hosts   map[string]bool // public listeners; guarded by mu, as what follows
	checked int             // answers of described operations
	wrong   []string        // what is not as described
}

// described is that of all tests. TestMain fails where it has found something.
var described = &describedTransport{next: http.DefaultTransport, hosts: map[string]bool{}}

// add names the listeners of a program. The admin one may have the port that was another
// program's public one before.
func (d *describedTransport) add(public, admin string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hosts[public] = true
	delete(d.hosts, admin)
}

// RoundTrip reads the answers of public listeners that are JSON, and passes everything on as it is.
func (d *describedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := d.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	public := d.hosts[req.URL.Host]
	d.mu.Unlock()
	if !public {
		return res, nil
	}
	e := openapitest.Exchange{Method: req.Method, Path: req.URL.Path, Status: res.StatusCode, ContentType: res.Header.Get("Content-Type")}
	if strings.HasPrefix(e.ContentType, "application/json") && res.Header.Get("Content-Encoding") == "" {
		body, err := io.ReadAll(res.Body)
		rest := res.Body
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), failing{err}), rest}
		if err != nil {
			return res, nil
		}
		e.Body = string(body)
	}
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			sent, _ := io.ReadAll(body)
			e.Request = string(sent)
		}
	}
	d.check(e)
	return res, nil
}

// failing is the end of a body that could not be read to its end.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

func (d *describedTransport) check(e openapitest.Exchange) {
	document, err := openapitest.Load()
	known := false
	if err == nil {
		known, err = document.Check(e)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known {
		d.checked++
	}
	if err == nil {
		return
	}
	if text := fmt.Sprintf("%s %s: %v\n%.500s", e.Method, e.Path, err, e.Body); !slices.Contains(d.wrong, text) {
		d.wrong = append(d.wrong, text)
	}
}

// exitCode is that of the tests, and 1 where an answer was not as described, which it writes to out.
func (d *describedTransport) exitCode(out io.Writer, tests int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, text := range d.wrong {
		fmt.Fprintf(out, "not as the description of the API says: %s\n", text)
	}
	if len(d.wrong) > 0 {
		return max(1, tests)
	}
	return tests
}

// TestAnswersAreHeldToTheDescription shows that an answer of another shape fails the tests.
func TestAnswersAreHeldToTheDescription(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, r.URL.Query().Get("answer"))
		if r.URL.Query().Has("cut") {
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	d := &describedTransport{next: server.Client().Transport, hosts: map[string]bool{}}
	client := &http.Client{Transport: d}
	ask := func(query string) (string, error) {
		t.Helper()
		res, err := client.Get(server.URL + "/readyz" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return string(body), err
	}
	for i, c := range []struct {
		query, body string
		public      bool
		wrong       int
	}{
		{`?answer={"ready":1}`, `{"ready":1}`, false, 0},
		{`?answer={"ready":true}`, `{"ready":true}`, true, 0},
		{`?answer={"ready":1}`, `{"ready":1}`, true, 1},
		{`?answer={"ready":true,"why":2}`, `{"ready":true,"why":2}`, true, 2},
	} {
		if c.public {
			d.add(strings.TrimPrefix(server.URL, "http://"), "")
		}
		if body, err := ask(c.query); body != c.body || err != nil {
			t.Errorf("%d: the body is %s, %v", i, body, err)
		}
		var out strings.Builder
		if len(d.wrong) != c.wrong || min(1, c.wrong) != d.exitCode(&out, 0) || d.checked != i || (out.Len() > 0) != (c.wrong > 0) {
			t.Errorf("%d: %q", i, d.wrong)
		}
	}
	if _, err := ask(`?answer={"ready":true}` + strings.Repeat("%20", 5000) + `&cut`); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that is cut off ends with %v", err)
	}
}
