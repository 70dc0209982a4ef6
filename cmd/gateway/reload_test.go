package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/config"
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

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await polls until a line contains all parts, and returns it.
func (l *logLines) await(t *testing.T, parts ...string) string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for line := range strings.Lines(l.String()) {
			found := true
			for _, part := range parts {
				found = found && strings.Contains(line, part)
			}
			if found {
				return line
			}
		}
	}
	t.Fatalf("no line with %q in:\n%s", parts, l)
	return ""
}

// TestReload: SIGHUP re-reads secret files and the log level while a stream goes on; what
// cannot be read or takes a restart keeps its value and is a warning with the setting.
func TestReload(t *testing.T) {
	const (
		oldSecret, newSecret = "the first secret of the platform, 32 bytes", "the second secret of the platform, 32 bytes"
		playbackSecret       = "the secret of playback tokens has 32 bytes"
	)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	video := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // more than a connection buffers
	write("one.mp4", string(video))
	write("jwt", oldSecret)
	write("playback", playbackSecret+"\n")
	write("lectern.yaml", "log: {level: info}\nlimit: {streams_per_user: 8}\n")
	env := []string{"LECTERN_DATA_DIR=" + dir, "LECTERN_CONFIG=" + path("lectern.yaml"), "LECTERN_CACHE_MIN_FREE=0", "LECTERN_ORIGIN_LOCAL_ROOT=" + dir, "LECTERN_LOG_FORMAT=json",
		"LECTERN_AUTH_JWT_SECRET_FILE=" + path("jwt"), "LECTERN_AUTH_PLAYBACK_SECRET_FILE=" + path("playback")}
	document := "people: [{email: a@b.example, role: teacher}]\nrecordings: [{title: One, status: ready, provider: local, key: one.mp4, teacher: a@b.example}]"
	if code := config.Run(t.Context(), "gateway", description, &CLI{}, []string{"catalog", "apply", "-"}, env, terminal{In: strings.NewReader(document), Out: io.Discard, Err: os.Stderr}); code != 0 {
		t.Fatalf("catalog apply: exit code %d", code)
	}
	log, ended := new(logLines), make(chan int, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		ended <- config.Run(ctx, "gateway", description, &CLI{}, []string{"serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}, env, terminal{In: strings.NewReader(""), Out: io.Discard, Err: log})
	}()
	var listening struct{ Public string }
	if err := json.Unmarshal([]byte(log.await(t, `"msg":"listening"`)), &listening); err != nil {
		t.Fatal(err)
	}
	get := func(recording int, token string) *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s/api/recordings/%d/stream/", listening.Public, recording), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	status := func(recording int, token string) int {
		t.Helper()
		response := get(recording, token)
		response.Body.Close()
		return response.StatusCode
	}
	token := func(secret string, playback bool) string {
		t.Helper()
		minter, err := auth.NewMinter(auth.Config{JWTSecret: secret, PlaybackSecret: playbackSecret}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		text, err := minter.Access(1, time.Hour)
		if playback {
			text, err = minter.Playback(1, 1, time.Hour)
		}
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	hangUp := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}

	running := get(1, token(oldSecret, false))
	begun := make([]byte, 1<<20)
	if _, err := io.ReadFull(running.Body, begun); err != nil || running.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", running.Status, err)
	}
	if code := status(4711, token(oldSecret, false)); code != http.StatusNotFound {
		t.Fatalf("status %d", code)
	}
	log.await(t, `"recording":4711`)
	write("jwt", newSecret)
	write("lectern.yaml", "log: {level: warn}\nlimit: {streams_per_user: 9}\n")
	if err := os.Remove(path("playback")); err != nil {
		t.Fatal(err)
	}
	hangUp()
	log.await(t, `"level":"WARN"`, `"setting":"auth-playback-secret`, "its value stays")
	log.await(t, `"level":"WARN"`, `"setting":"limit-streams-per-user"`, "restart")
	for end := time.Now().Add(30 * time.Second); status(1, token(newSecret, false)) != http.StatusOK; {
		if time.Now().After(end) {
			t.Fatalf("the new secret is not used:\n%s", log)
		}
	}
	if code := status(1, token(oldSecret, false)); code != http.StatusUnauthorized {
		t.Errorf("a token of the old secret: status %d", code)
	}
	if code := status(1, token(newSecret, true)); code != http.StatusOK {
		t.Errorf("a playback token of the kept secret: status %d", code)
	}
	if code := status(4712, token(newSecret, false)); code != http.StatusNotFound {
		t.Errorf("status %d", code)
	}

	// A file that is no YAML changes nothing; the level comes back with the next.
	write("lectern.yaml", "log: [")
	hangUp()
	log.await(t, `"level":"WARN"`, `"setting":"config"`, "all stay as they are")
	write("lectern.yaml", "log: {level: info}\nlimit: {streams_per_user: 8}\n")
	write("playback", playbackSecret)
	hangUp()
	log.await(t, `"msg":"reload: done"`, `["log-level"]`)
	if strings.Contains(log.String(), `"recording":4712`) {
		t.Error("a request is logged at level info while the level is warn")
	}
	rest, err := io.ReadAll(running.Body)
	if err != nil || !bytes.Equal(append(begun, rest...), video) {
		t.Errorf("the stream was cut: %d bytes, %v", len(begun)+len(rest), err)
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
	applied = append(applied, "auth-jwks-url") // reload fetches its keys anew
	slices.Sort(applied)
	marked := config.ReloadedSettings("gateway")
	slices.Sort(marked)
	if !slices.Equal(applied, marked) {
		t.Errorf("applied %q, marked with the tag reload %q", applied, marked)
	}
}
