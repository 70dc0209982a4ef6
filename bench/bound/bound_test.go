package bound

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/bench/content"
	"github.com/lectiospace/lectern/bench/load"
)

// TestBoundsServeWhatIsAsked: a limit that is reached by wrong bytes would be none.
func TestBoundsServeWhatIsAsked(t *testing.T) {
	c := content.New(9<<20, 1)
	path := filepath.Join(t.TempDir(), "lesson")
	data, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }))
	defer origin.Close()
	for name, serve := range map[string]func(addr string) error{
		"sendfile": func(addr string) error { return Sendfile(addr, path) },
		"relay":    func(addr string) error { return Relay(addr, strings.TrimPrefix(origin.URL, "http://")) },
	} {
		t.Run(name, func(t *testing.T) {
			addr := listening(t, serve)
			target := load.Target{Addr: addr, Path: "/lesson", Content: c}
			if err := load.Verify(context.Background(), target); err != nil {
				t.Error(err)
			}
			if r, err := load.Random(context.Background(), target, 8, 1<<20, 50*time.Millisecond); err != nil || r.Requests == 0 {
				t.Errorf("%d requests: %v", r.Requests, err)
			}
			if _, err := load.Seek(context.Background(), target, 0, 3<<20+1, 64<<10); err != nil {
				t.Error(err)
			}
		})
	}
}

// listening starts a server that never ends on a free address.
func listening(t *testing.T, serve func(addr string) error) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	failed := make(chan error, 1)
	go func() { failed <- serve(addr) }()
	for {
		select {
		case err := <-failed:
			t.Fatal(fmt.Errorf("it does not serve: %w", err))
		default:
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
	}
}
