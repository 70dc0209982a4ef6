package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/telemetry"
)

// startServe assembles a syncer in this process and serves with it until stop is called;
// ended gives its error then.
func startServe(t *testing.T, env ...string) (svc *service, public string, stop func(), ended <-chan error) {
	t.Helper()
	var cli CLI
	env = append(env, "LECTERN_DATA_DIR="+t.TempDir(), "LECTERN_ZOOM_WEBHOOK_SECRET=a-webhook-secret", "LECTERN_SYNC_WORK_MIN_FREE=0")
	if _, err := config.Parse("syncer", description, &cli, []string{"serve"}, env, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	svc, err := assemble(t.Context(), &cli.SyncerSettings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(svc.close)
	listener, admin, err := telemetry.Listen("127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- svc.serve(ctx, listener, admin) }()
	return svc, listener.Addr().String(), stop, result
}

// TestServeRegisters: a syncer that serves is in the database with its version and the
// address of its webhooks, and no longer when it has ended.
func TestServeRegisters(t *testing.T) {
	svc, public, stop, ended := startServe(t)
	res, err := http.Get("http://" + public + "/") // answered once the syncer has started
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	version, _ := config.Version()
	count := func() (all, ours int) {
		t.Helper()
		err := svc.store.DB().QueryRowContext(t.Context(), `SELECT count(*), count(*) FILTER (WHERE version = ? AND address = ?) FROM lectern_syncers`, version, public).Scan(&all, &ours)
		if err != nil {
			t.Fatal(err)
		}
		return all, ours
	}
	if all, ours := count(); all != 1 || ours != 1 {
		t.Errorf("%d are registered, %d of them with version %s and address %s", all, ours, version, public)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
	if all, _ := count(); all != 0 {
		t.Errorf("%d are still registered", all)
	}
}

// TestShutdownGraceBoundsTheWebhooks: a webhook whose body never ends delays the end by
// no more than the grace, and is no error of the program. Without that bound the webhook would
// be answered, once its body has taken too long.
func TestShutdownGraceBoundsTheWebhooks(t *testing.T) {
	_, public, stop, ended := startServe(t, "LECTERN_SHUTDOWN_GRACE=50ms")
	conn, err := net.Dial("tcp", public)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The body is asked for once the headers are those of a webhook.
	fmt.Fprintf(conn, "POST /schedule/api/zoom/webhook/ HTTP/1.1\r\nHost: syncer\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"+
		"X-Zm-Request-Timestamp: %d\r\nX-Zm-Signature: v0=%064x\r\nExpect: 100-continue\r\n\r\n", time.Now().Unix(), 1)
	answer := bufio.NewReader(conn)
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err) // the handler has begun to read the body
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
	if rest, _ := io.ReadAll(answer); strings.TrimSpace(string(rest)) != "" {
		t.Errorf("the webhook outlived the grace: %s", rest)
	}
}
