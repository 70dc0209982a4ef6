package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// last is the report's last finding.
func last(t *testing.T, r *Report) Finding {
	t.Helper()
	all := r.Findings()
	if len(all) == 0 {
		t.Fatal("nothing was found")
	}
	return all[len(all)-1]
}

func TestReport(t *testing.T) {
	var r Report
	var out bytes.Buffer
	if err := r.Finish(&out, true, nil); err != nil || out.String() != "[]\n" {
		t.Errorf("empty: %v, %q", err, &out)
	}
	r.pass("ffmpeg", "50% free")
	r.warn("jwks", "set <x>", "any & all")
	out.Reset()
	if err := r.Finish(&out, false, nil); err != nil {
		t.Errorf("without a failure: %v", err)
	}
	if want := "PASS  ffmpeg  50% free\nWARN  jwks    any & all → set <x>\n"; out.String() != want {
		t.Errorf("text %q, want %q", &out, want)
	}
	r.fail("database", "start it", "no answer:\n  %s", "refused")
	out.Reset()
	if err := r.Finish(&out, true, nil); err == nil || !strings.Contains(err.Error(), "1 check failed") {
		t.Errorf("with a failure: %v", err)
	}
	refused := errors.New("a setting")
	if err := r.Finish(io.Discard, true, refused); !errors.Is(err, refused) {
		t.Errorf("with settings that are refused: %v", err)
	}
	var got []map[string]string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[2]["check"] != "database" || got[2]["status"] != "FAIL" || got[2]["detail"] != "no answer: refused" || got[2]["fix"] != "start it" || got[0]["fix"] != "" {
		t.Errorf("%v", got)
	}
}

func TestWritableDirLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir  string
		want Status
	}{
		{dir, Pass}, {filepath.Join(dir, "a", "b"), Pass}, {file, Fail}, {filepath.Join(file, "below"), Fail},
		{"/proc", Fail}, // nobody, root neither, makes files there
	} {
		var r Report
		if ok := r.WritableDir("data dir", "data-dir", c.dir); ok != (c.want == Pass) || last(t, &r).Status != c.want {
			t.Errorf("%s: %+v", c.dir, last(t, &r))
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestSpace(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		want, used, keep media.Size
		status           Status
	}{
		{1, 0, 1, Pass}, {1 << 60, 1<<60 - 1, 1, Pass}, {1 << 60, 0, 1, Warn}, {1, 0, 1 << 60, Fail},
	} {
		var r Report
		r.Space(t.Context(), "cache space", "fix", filepath.Join(dir, "later"), c.want, func() media.Size { return c.used }, c.keep)
		if f := last(t, &r); f.Status != c.status {
			t.Errorf("%+v: %+v", c, f)
		}
	}
}

func TestListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, c := range []struct {
		address string
		running bool
		want    Status
	}{
		{"127.0.0.1:0", false, Pass}, {ln.Addr().String(), false, Fail}, {ln.Addr().String(), true, Pass}, {"192.0.2.1:1", false, Fail},
	} {
		var r Report
		r.listener("listen", "listen", c.address, func() bool { return c.running })
		if f := last(t, &r); f.Status != c.want {
			t.Errorf("%+v: %+v", c, f)
		}
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 25, 20, 0, 0, 700e6, time.UTC)
	for _, c := range []struct {
		ahead time.Duration
		want  Status
	}{
		{0, Pass}, {-500 * time.Millisecond, Pass}, {20 * time.Second, Pass}, {-20 * time.Second, Pass},
		{time.Minute, Warn}, {-time.Minute, Warn}, {4 * time.Minute, Warn}, {6 * time.Minute, Fail}, {-6 * time.Minute, Fail},
	} {
		var r Report
		r.Clock("Drive", now.Add(c.ahead).Truncate(time.Second), now, now.Add(100*time.Millisecond), 5*time.Minute)
		if f := last(t, &r); f.Status != c.want {
			t.Errorf("%v ahead: %+v", c.ahead, f)
		}
	}
	var r Report
	if r.Clock("Drive", time.Time{}, now, now, 0); len(r.Findings()) != 0 {
		t.Error("a server without a Date was compared with")
	}
}

func TestOpenFiles(t *testing.T) {
	var r Report
	r.OpenFiles(1, "one stream")
	if f := last(t, &r); f.Status != Pass {
		t.Errorf("%+v", f)
	}
	r.OpenFiles(1<<40, "too many streams")
	if f := last(t, &r); f.Status != Warn && !strings.Contains(f.Detail, "limit of 9223372036854775807") && !strings.Contains(f.Detail, "limit of 18446744073709551615") {
		t.Errorf("%+v", f)
	}
}
