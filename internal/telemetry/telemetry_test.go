package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(LogConfig{Format: "auto", Level: "warn"}, &out)
	log.Info("too little")
	log.Warn("enough", "access_token", "hidden", "Authorization", "hidden", "lesson", 7, "err", errors.New("x"))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	if line["msg"] != "enough" || line["lesson"] != 7.0 || strings.Contains(out.String(), "hidden") {
		t.Errorf("%s", &out)
	}
	out.Reset()
	NewLogger(LogConfig{Format: "text", Level: "info"}, &out).Info("plain")
	if !strings.Contains(out.String(), "msg=plain") {
		t.Errorf("%s", &out)
	}
}

// TestLogOfHostileText: neither the line nor what a reader of JSON finds in it can move a
// cursor, turn a line around or forge another line, whatever kind of value holds the text.
func TestLogOfHostileText(t *testing.T) {
	const hostile = "lesson\x1b[2J\u202egpj.exe\nlevel=ERROR\u009b\u200b"
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		log := NewLogger(LogConfig{Format: format, Level: "info"}, &out)
		log.With("with", hostile).WithGroup("group").Info("msg "+hostile, "string", hostile, "error", errors.New(hostile), "wrapped", fmt.Errorf("op: %w", errors.New(hostile)), "nil", (*net.OpError)(nil))
		text := out.String()
		texts := []string{strings.TrimSuffix(text, "\n")}
		if format == "json" {
			var line map[string]any
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			group, _ := line["group"].(map[string]any)
			for _, v := range []any{line["msg"], line["with"], group["string"], group["error"], group["wrapped"]} {
				texts = append(texts, v.(string))
			}
		}
		for _, text := range texts {
			if !strings.Contains(text, "gpj.exe") || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
				t.Errorf("%s: %q", format, text)
			}
		}
	}
}

func TestAdmin(t *testing.T) {
	var failure error
	admin := NewAdmin("127.0.0.1:0", NewRegistry("v1", "abc"), slog.New(slog.DiscardHandler), map[string]Check{
		"fine":    func(context.Context) error { return nil },
		"failure": func(context.Context) error { return failure },
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin.Start(ln)
	defer admin.Stop()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) (int, string) {
		res, err := client.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/metrics", 200, `lectern_build_info{commit="abc",version="v1"} 1`}, {"/metrics", 200, "go_goroutines"},
		{"/healthz", 200, "ok"}, {"/readyz", 200, `"ready":true`}, {"/debug/pprof/", 200, "goroutine"}, {"/other", 404, ""},
	} {
		if status, body := get(c.path); status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", c.path, status, body)
		}
	}
	failure = errors.New("the schema is missing")
	if status, body := get("/readyz"); status != 503 || !strings.Contains(body, "the schema is missing") {
		t.Errorf("with a failure: %d %s", status, body)
	}
	if status, _ := get("/healthz"); status != 200 {
		t.Error("a failed check makes the process unhealthy")
	}
	admin.Stop()
	admin.Stop()
}

// TestSystemd listens where a service manager would.
func TestSystemd(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	_ = manager.SetReadDeadline(time.Now().Add(10 * time.Second))
	t.Setenv("NOTIFY_SOCKET", address)
	t.Setenv("WATCHDOG_USEC", "60000")
	notified := func() string {
		buf := make([]byte, 200)
		n, err := manager.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	s := NewSystemd(slog.New(slog.DiscardHandler), Probe{"good", func(context.Context) error { return nil }})
	s.Ready()
	defer s.Stop()
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := notified(); got != want {
			t.Errorf("notified %q, want %q", got, want)
		}
	}
	s.Stop()
	s.Stop()
	s.Stopping()
	for got := notified(); got != "STOPPING=1"; got = notified() {
		if got != "WATCHDOG=1" {
			t.Errorf("notified %q", got)
		}
	}
}
