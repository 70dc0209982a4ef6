package doctor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// probeTimeout bounds a question to the program that runs on the same machine.
const probeTimeout = 2 * time.Second

// readyTimeout is longer, because an answer about readiness waits for the database.
const readyTimeout = 10 * time.Second

// Running asks the admin listener whether the program is up.
func Running(ctx context.Context, adminListen string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	res, err := probe(ctx, adminListen, "/healthz")
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// Ready returns nil when the program whose admin listener has this address says on
// /readyz that it is ready, else an error that says what it answered. It is for the
// health checks of containers, which hold no other HTTP client.
func Ready(ctx context.Context, adminListen string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	res, err := probe(ctx, adminListen, "/readyz")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	answer, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
	return fmt.Errorf("not ready: %s: %s", res.Status, strings.TrimSpace(string(answer)))
}

// probe asks for a path of an admin listener on this machine. The caller closes the
// answer's body.
func probe(ctx context.Context, adminListen, path string) (*http.Response, error) {
	host, port, err := net.SplitHostPort(adminListen)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return nil, err
	}
	return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
}
