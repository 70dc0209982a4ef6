package doctor

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRunning(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	address := server.Listener.Addr().String()
	if !Running(context.Background(), address) {
		t.Error("what runs is not seen")
	}
	status = http.StatusNotFound
	if Running(context.Background(), address) {
		t.Error("another program is taken for ours")
	}
	server.Close()
	if Running(context.Background(), address) || Running(context.Background(), "nonsense") {
		t.Error("what is gone is seen")
	}
}

// TestReady: a container is healthy exactly while /readyz answers 200, and the reason is
// in the health check's log.
func TestReady(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"ready":false,"failed":["database"]}`))
	}))
	address := server.Listener.Addr().String()
	_, port, _ := strings.Cut(address, ":")
	for _, of := range []string{address, "0.0.0.0:" + port, ":" + port} {
		if err := Ready(t.Context(), of); err != nil {
			t.Errorf("%s: %v", of, err)
		}
	}
	status = http.StatusServiceUnavailable
	if err := Ready(t.Context(), address); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "database") {
		t.Errorf("503 is reported as %v", err)
	}
	server.Close()
	if Ready(t.Context(), address) == nil || Ready(t.Context(), "nonsense") == nil {
		t.Error("what does not run is ready")
	}
}
