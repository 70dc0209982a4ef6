package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/config"
	zoomemu "github.com/lectiospace/lectern/internal/emulator/zoom"
)

// logLines collects what a program writes on stderr.
type logLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// await polls until a line contains both parts, and returns it.
func (l *logLines) await(t *testing.T, first, second string) string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		text := l.text.String()
		l.mu.Unlock()
		for line := range strings.Lines(text) {
			if strings.Contains(line, first) && strings.Contains(line, second) {
				return line
			}
		}
	}
	t.Fatalf("no line with %q and %q in:\n%s", first, second, &l.text)
	return ""
}

// TestReload: SIGHUP re-reads the webhook secret; the key of sealed secrets takes a
// restart, and a secret file that is gone changes nothing: both are warnings.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, key, alerts := write("webhook", "the-first-secret"), write("key", strings.Repeat("A", 43)+"="), write("alerts", "http://127.0.0.1:1/")
	env := []string{"LECTERN_DATA_DIR=" + dir, "LECTERN_SYNC_WORK_MIN_FREE=0", "LECTERN_LOG_FORMAT=json", "LECTERN_SHUTDOWN_GRACE=1s",
		"LECTERN_ZOOM_WEBHOOK_SECRET_FILE=" + secret, "LECTERN_SECRETS_KEY_FILE=" + key, "LECTERN_ALERT_URLS_FILE=" + alerts}
	log, ended := new(logLines), make(chan int, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		ended <- config.Run(ctx, "syncer", description, &CLI{}, []string{"serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}, env, terminal{In: strings.NewReader(""), Out: io.Discard, Err: log})
	}()
	var listening struct{ Public string }
	if err := json.Unmarshal([]byte(log.await(t, `"msg":"listening"`, "")), &listening); err != nil {
		t.Fatal(err)
	}
	deliver := func(secret string) int {
		t.Helper()
		status, _, err := zoomemu.Deliver(t.Context(), http.DefaultClient, "http://"+listening.Public+"/api/zoom/webhook/", secret, zoomemu.Challenge("plain"))
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	if before, next := deliver("the-first-secret"), deliver("the-second-secret"); before != http.StatusOK || next != http.StatusUnauthorized {
		t.Fatalf("at first: %d, %d", before, next)
	}
	write("webhook", "the-second-secret")
	write("key", strings.Repeat("B", 43)+"=")
	if err := os.Remove(alerts); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	log.await(t, `"msg":"reload: done"`, `["zoom-webhook-secret"]`)
	log.await(t, `"level":"WARN","msg":"reload: setting has changed`, `"setting":"secrets-key"`)
	log.await(t, `"level":"WARN","msg":"reload: setting cannot be used`, `"setting":"alert-urls-file"`)
	if before, next := deliver("the-first-secret"), deliver("the-second-secret"); before != http.StatusUnauthorized || next != http.StatusOK {
		t.Errorf("after the reload: %d, %d", before, next)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestReloadedSettings: the settings that the reference marks are those that SIGHUP applies.
func TestReloadedSettings(t *testing.T) {
	live, _ := (&service{remotes: []*remote{{credentials: "origin-drive-credentials"}, {credentials: "origin-s3-credentials"}, {credentials: "origin-azure-credentials"}}}).live(&slog.LevelVar{})
	applied := slices.Collect(maps.Keys(live))
	slices.Sort(applied)
	marked := config.ReloadedSettings("syncer")
	slices.Sort(marked)
	if !slices.Equal(applied, marked) {
		t.Errorf("applied %q, marked with the tag reload %q", applied, marked)
	}
}
