package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/telemetry"
)

// TestShutdownGraceBoundsTheWebhooks: a webhook whose body never ends delays the end by
// no more than the grace, and is no error of the program.
func TestShutdownGraceBoundsTheWebhooks(t *testing.T) {
	var cli CLI
	env := []string{"LECTERN_DATA_DIR=" + t.TempDir(), "LECTERN_ZOOM_WEBHOOK_SECRET=a-webhook-secret", "LECTERN_SYNC_WORK_MIN_FREE=0", "LECTERN_SHUTDOWN_GRACE=1s"}
	if _, err := config.Parse("syncer", description, &cli, []string{"serve"}, env, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	svc, err := assemble(t.Context(), &cli.SyncerSettings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer svc.close()
	public, admin, err := telemetry.Listen("127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- svc.serve(ctx, public, admin) }()

	conn, err := net.Dial("tcp", public.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The body is asked for once the headers are those of a webhook.
	fmt.Fprintf(conn, "POST /schedule/api/zoom/webhook/ HTTP/1.1\r\nHost: syncer\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"+
		"X-Zm-Request-Timestamp: %d\r\nX-Zm-Signature: v0=%064x\r\nExpect: 100-continue\r\n\r\n", time.Now().Unix(), 1)
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err) // the handler has begun to read the body
	}
	began := time.Now()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("stopped after %v, with a grace of 1 s", took)
	}
}
