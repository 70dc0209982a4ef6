package cacheadmin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/cacheadmin"
)

// scripted are operations that report events and end with an error.
type scripted struct {
	stats  cache.Stats
	events []cacheadmin.Event
	err    error
	// called are the operations with their recordings.
	called     string
	recordings []int64
	// wait, if any, is called between the events and the end.
	wait func(context.Context)
}

func (s *scripted) Stats(context.Context) (cache.Stats, error) { return s.stats, s.err }

func (s *scripted) Warm(ctx context.Context, ids []int64, report func(cacheadmin.Event)) error {
	return s.run(ctx, "warm", ids, report)
}

func (s *scripted) Purge(ctx context.Context, ids []int64, report func(cacheadmin.Event)) error {
	return s.run(ctx, "purge", ids, report)
}

func (s *scripted) Verify(ctx context.Context, report func(cacheadmin.Event)) error {
	return s.run(ctx, "verify", nil, report)
}

func (s *scripted) run(ctx context.Context, operation string, ids []int64, report func(cacheadmin.Event)) error {
	s.called, s.recordings = operation, ids
	for _, e := range s.events {
		report(e)
	}
	if s.wait != nil {
		s.wait(ctx)
	}
	return s.err
}

// serve starts a server of ops and returns it with a client.
func serve(t *testing.T, ops cacheadmin.Operations) (*httptest.Server, *cacheadmin.Client) {
	t.Helper()
	mux := http.NewServeMux()
	cacheadmin.Handle(ops, mux.Handle)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server, cacheadmin.NewClient(cache.Owner{PID: 4711, Admin: server.Listener.Addr().String()})
}

// operations are the streaming operations of the interface, by name.
var operations = map[string]func(context.Context, cacheadmin.Operations, func(cacheadmin.Event)) error{
	"warm": func(ctx context.Context, ops cacheadmin.Operations, report func(cacheadmin.Event)) error {
		return ops.Warm(ctx, []int64{7, 8}, report)
	},
	"purge": func(ctx context.Context, ops cacheadmin.Operations, report func(cacheadmin.Event)) error {
		return ops.Purge(ctx, []int64{7, 8}, report)
	},
	"verify": func(ctx context.Context, ops cacheadmin.Operations, report func(cacheadmin.Event)) error {
		return ops.Verify(ctx, report)
	},
}

func TestStatsAcrossTheProtocol(t *testing.T) {
	want := cache.Stats{Dir: "/c", Bytes: 3, Capacity: 9, Chunks: 2, State: "ok", Scanning: true, Events: map[string]int64{"hit": 5}}
	ops := &scripted{stats: want}
	_, client := serve(t, ops)
	if got, err := client.Stats(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	ops.err = errors.New("no numbers today")
	if _, err := client.Stats(t.Context()); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "no numbers today") {
		t.Errorf("%v", err)
	}
}

// TestOperationsAcrossTheProtocol: every event arrives as it was reported, in order, and
// an error arrives with its text.
func TestOperationsAcrossTheProtocol(t *testing.T) {
	events := []cacheadmin.Event{
		{Event: cacheadmin.EventProgress, Recording: 7, Done: 1, Total: 4},
		{Event: cacheadmin.EventProgress, Recording: 7, Done: 4, Total: 4},
		{Event: cacheadmin.EventDone, Recording: 7, Done: 4, Total: 4, Text: "4 B on disk"},
		{Event: cacheadmin.EventOutcome, Text: "a second line\nof the same event", Failed: true},
	}
	for name, call := range operations {
		for _, failure := range []error{nil, errors.New("recording 8 is not in the catalog")} {
			ops := &scripted{events: events, err: failure}
			_, client := serve(t, ops)
			var got []cacheadmin.Event
			err := call(t.Context(), client, func(e cacheadmin.Event) { got = append(got, e) })
			if failure == nil && err != nil || failure != nil && (err == nil || err.Error() != failure.Error()) {
				t.Errorf("%s: error %v, want %v", name, err, failure)
			}
			if !reflect.DeepEqual(got, events) {
				t.Errorf("%s: events %+v", name, got)
			}
			if ops.called != name || name != "verify" && !reflect.DeepEqual(ops.recordings, []int64{7, 8}) {
				t.Errorf("%s: called %s of %v", name, ops.called, ops.recordings)
			}
		}
	}
}

// TestRefusedRequests: only a POST of JSON starts an operation, so that a web page that an
// operator has open cannot.
func TestRefusedRequests(t *testing.T) {
	ops := &scripted{}
	server, _ := serve(t, ops)
	for _, c := range []struct {
		method, path, kind, body string
		status                   int
	}{
		{http.MethodPost, "/cache/verify", "application/json; charset=utf-8", "{}", 200},
		{http.MethodPost, "/cache/purge", "text/plain", `{"recordings":[1]}`, 415},
		{http.MethodPost, "/cache/purge", "application/x-www-form-urlencoded", "recordings=1", 415},
		{http.MethodPost, "/cache/purge", "", "{}", 415},
		{http.MethodPost, "/cache/purge", "application/json", `{"recordings":["1"]}`, 400},
		{http.MethodPost, "/cache/purge", "application/json", ``, 400},
		{http.MethodPost, "/cache/purge", "application/json", `{"recordings":[` + strings.Repeat("1,", 1<<20) + `1]}`, 400},
		{http.MethodGet, "/cache/purge", "application/json", "", 405},
		{http.MethodPost, "/cache/stats", "application/json", "{}", 405},
		{http.MethodPost, "/cache/empty", "application/json", "{}", 404},
	} {
		ops.called = ""
		req, err := http.NewRequest(c.method, server.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.kind != "" {
			req.Header.Set("Content-Type", c.kind)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != c.status || (ops.called != "") != (c.status == 200) {
			t.Errorf("%s %s %q %.30s: %d, started %q", c.method, c.path, c.kind, c.body, res.StatusCode, ops.called)
		}
	}
}

// TestOwnerThatEnds: a gateway that is gone, or ends during the operation, is an error that
// says so and not an end.
func TestOwnerThatEnds(t *testing.T) {
	for name, call := range operations {
		ignore := func(cacheadmin.Event) {}
		gone, client := serve(t, &scripted{})
		gone.Close()
		if err := call(t.Context(), client, ignore); err == nil || !strings.Contains(err.Error(), "process 4711") {
			t.Errorf("%s: a gateway that is gone: %v", name, err)
		}

		ops := &scripted{events: []cacheadmin.Event{{Event: cacheadmin.EventProgress, Done: 1, Total: 2}}}
		server, client := serve(t, ops)
		ops.wait = func(ctx context.Context) { <-ctx.Done() }
		err := call(t.Context(), client, func(cacheadmin.Event) { server.CloseClientConnections() })
		if err == nil || !strings.Contains(err.Error(), "ended during the operation") {
			t.Errorf("%s: a gateway that ends: %v", name, err)
		}
	}
}

// TestCancelledClient: a command that is interrupted ends the operation in the gateway.
func TestCancelledClient(t *testing.T) {
	for name, call := range operations {
		ops := &scripted{events: []cacheadmin.Event{{Event: cacheadmin.EventProgress, Done: 1, Total: 2}}}
		_, client := serve(t, ops)
		ended := make(chan struct{})
		ops.wait = func(ctx context.Context) { <-ctx.Done(); close(ended) }
		ctx, cancel := context.WithCancel(t.Context())
		if err := call(ctx, client, func(cacheadmin.Event) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		<-ended
	}
}

// TestAnswersOfOtherServers: what is not the protocol's is an error.
func TestAnswersOfOtherServers(t *testing.T) {
	for _, c := range []struct {
		name, says string
		handler    http.HandlerFunc
	}{
		{"not found", "404", http.NotFound},
		{"a page", "the running gateway's answer", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }},
		{"nothing", "ended during the operation", func(http.ResponseWriter, *http.Request) {}},
	} {
		server := httptest.NewServer(c.handler)
		client := cacheadmin.NewClient(cache.Owner{Admin: server.Listener.Addr().String()})
		if err := client.Verify(t.Context(), func(e cacheadmin.Event) { t.Errorf("%s: event %+v", c.name, e) }); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		server.Close()
	}
}
