package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// client is a program, or a library in a browser.
type client struct {
	name string // as CLIENTS names it
	// inSuite is set for clients that every run of the tests tries.
	inSuite bool
	// version is the command line that prints it; its first line with a digit counts.
	version []string
	try     func(t *testing.T, u user)
}

// user is somebody with a client at a gateway.
type user struct {
	*gateway
	client, version string
}

// clientsOf are all clients; those in browsers use the pages.
func clientsOf(p *pages) []client {
	chromiumVersion := []string{"chromium", "--version"}
	return []client{
		{"curl", true, []string{"curl", "--version"}, tryCurl},
		{"aria2", true, []string{"aria2c", "--version"}, tryAria2},
		{"ffmpeg", true, []string{"ffmpeg", "-version"}, tryFFmpeg},
		{"wget", false, []string{"wget", "--version"}, tryWget},
		{"rclone", false, []string{"rclone", "version"}, tryRclone},
		{"mpv", false, []string{"mpv", "--version"}, tryMpv},
		{"vlc", false, []string{"dpkg-query", "-W", "-f", "${Version}\n", "vlc-bin"}, tryVLC},
		{"gstreamer", false, []string{"gst-play-1.0", "--version"}, tryGStreamer},
		{"chromium", false, chromiumVersion, tryBrowser(p, chromium, true)},
		{"firefox", false, []string{"firefox-esr", "--version"}, tryBrowser(p, firefox, true)},
		{"webkit", false, []string{"dpkg-query", "-W", "-f", "${Version}\n", "libwebkit2gtk-4.1-0"}, tryBrowser(p, webkit, false)},
		{"shaka", false, chromiumVersion, tryLibrary(p, "shaka-player", "shaka")},
		{"video.js", false, chromiumVersion, tryLibrary(p, "video.js", "videojs")},
		{"plyr", false, chromiumVersion, tryLibrary(p, "plyr", "plyr")},
	}
}

// TestClients tries those that CLIENTS names, comma separated, or all; without CLIENTS those
// of the suite.
func TestClients(t *testing.T) {
	wanted := strings.FieldsFunc(os.Getenv("CLIENTS"), func(r rune) bool { return r == ',' || r == ' ' })
	pages := newPages(t)
	clients := clientsOf(pages)
	for _, name := range wanted {
		if name != "all" && !slices.ContainsFunc(clients, func(c client) bool { return c.name == name }) {
			t.Fatalf("CLIENTS names %q, which is none", name)
		}
	}
	g := serve(t, pages.URL)
	for _, c := range clients {
		if len(wanted) == 0 && !c.inSuite || len(wanted) > 0 && !slices.Contains(wanted, c.name) && !slices.Contains(wanted, "all") {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			c.try(t, user{g, c.name, versionOf(t, c.version)})
		})
	}
}

// versionOf is the version that a program prints.
func versionOf(t *testing.T, args []string) string {
	t.Helper()
	out := runs(t, args...)
	for line := range strings.Lines(out.stdout) {
		for word := range strings.FieldsSeq(line) {
			word = strings.Trim(word, "v,()")
			if word != "" && word[0] >= '0' && word[0] <= '9' {
				return word
			}
		}
	}
	t.Fatalf("%q prints no version: %q", args, out.stdout)
	return ""
}

// result is a row of the table.
type result struct {
	client, version, task string
	requests, ranges      int
	received, size        int64
	outcome               string
}

type table struct {
	mu   sync.Mutex
	rows []result // guarded by mu
}

var results table

// measure does a task and adds a row to the table: what was requested, and how much of size
// bytes came. outcome is what is said of a task that does not fail the test.
func (u user) measure(t *testing.T, task string, size int64, cuts int, cutAfter int64, do func(t *testing.T) (outcome string)) {
	t.Helper()
	t.Run(task, func(t *testing.T) {
		u.begin(cuts, cutAfter)
		row := result{client: u.client, version: u.version, task: task, size: size, outcome: "FAILED"}
		defer func() {
			var requests []request
			requests, row.received = u.passed()
			for _, r := range requests {
				row.requests++
				if r.ranges != "" {
					row.ranges++
				}
			}
			results.mu.Lock()
			defer results.mu.Unlock()
			results.rows = append(results.rows, row)
			if t.Failed() {
				t.Logf("requests: %v", requests)
			}
		}()
		outcome := do(t)
		if left := u.cut(); left > 0 && cuts > 0 {
			t.Errorf("%d of %d connections were not cut", left, cuts)
		}
		if !t.Failed() {
			row.outcome = outcome
		}
	})
}

// print writes the table.
func (r *table) print(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "client\tversion\ttask\trequests\tof them ranges\tbytes received ÷ size\tresult")
	for _, row := range r.rows {
		share := "–"
		if row.size > 0 {
			share = fmt.Sprintf("%.2f", float64(row.received)/float64(row.size))
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", row.client, row.version, row.task, row.requests, row.ranges, share, row.outcome)
	}
	_ = out.Flush()
}

// ran is a program that has ended.
type ran struct {
	args           []string
	code           int
	stdout, stderr string
}

// hang bounds one run of a program.
const hang = 3 * time.Minute

// run runs a program to its end, whatever that is.
func run(t *testing.T, args ...string) ran {
	t.Helper()
	return runIn(t, "", args...)
}

// runIn is run in a directory.
func runIn(t *testing.T, dir string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v (scripts/clients installs what is missing)", args[0], err)
	}
	out := ran{args, cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if ctx.Err() != nil {
		t.Fatalf("%s", out.said("it does not end"))
	}
	return out
}

// runs runs a program that has to succeed.
func runs(t *testing.T, args ...string) ran {
	t.Helper()
	out := run(t, args...)
	if out.code != 0 {
		t.Fatal(out.said("it fails"))
	}
	return out
}

// said is what was wrong with a run, and what the program wrote.
func (r ran) said(what string) string {
	end := func(s string) string { return s[max(0, len(s)-4000):] }
	return fmt.Sprintf("%s: %s; exit code %d\n%s\n%s", strings.Join(r.args, " "), what, r.code, end(r.stdout), end(r.stderr))
}

// refused fails the test unless a run has failed with a clear word of the expired link.
func (r ran) refused(t *testing.T, code int, words string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stdout+r.stderr, words) {
		t.Error(r.said(fmt.Sprintf("want exit code %d and %q", code, words)))
	}
}

// isDownload fails the test unless a file has exactly the bytes of the download.
func (g *gateway) isDownload(t *testing.T, path string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(got) != sha256.Sum256(g.download) {
		at := 0
		for at < len(got) && at < len(g.download) && got[at] == g.download[at] {
			at++
		}
		t.Errorf("%d bytes, want %d; they differ from byte %d on", len(got), len(g.download), at)
	}
}

// unchanged fails the test unless a refused attempt has left the first part of a download as
// it was.
func (g *gateway) unchanged(t *testing.T, path string, size int) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, g.download[:size]) {
		t.Errorf("the part that was there has become %d bytes, %v", len(got), err)
	}
}
