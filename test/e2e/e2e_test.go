// Package e2e runs the real binaries against real servers and a real browser.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bin is the folder with the binaries under test, built once for all tests.
var bin string

// binEnv names the folder of binaries that are built already: of a test binary that another
// one starts.
const binEnv = "LECTERN_E2E_BIN"

func TestMain(m *testing.M) {
	http.DefaultClient.Transport = described
	if dir := os.Getenv(binEnv); dir != "" {
		bin = dir
		os.Exit(described.exitCode(os.Stderr, m.Run()))
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "lectern-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		args := []string{"build", "-ldflags=-s -w", "-o", dir}
		if raceEnabled {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, "./cmd/...")...)
		build.Dir = filepath.Join("..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the binaries: %v\n%s", err, out)
			return 1
		}
		return described.exitCode(os.Stderr, m.Run())
	}())
}

// secret signs the tokens of all tests.
const secret = "a-secret-of-the-tests-that-is-long-enough-0123456789"

// process is one running binary.
type process struct {
	cmd    *exec.Cmd
	stdout *transcript
	stderr *transcript
	done   chan struct{} // closed when the process has ended
	err    error         // of Wait, readable after done
}

// transcript collects what a process writes and lets a test wait for a line.
type transcript struct {
	mu    sync.Mutex
	lines []string
	grown chan struct{} // closed and replaced at each line
	ended bool
}

func newTranscript(r io.Reader, wg *sync.WaitGroup) *transcript {
	t := &transcript{grown: make(chan struct{})}
	wg.Add(1)
	go func() {
		defer wg.Done()
		scan := bufio.NewScanner(r)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			t.add(scan.Text(), false)
		}
		t.add("", true)
	}()
	return t
}

func (t *transcript) add(line string, end bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if end {
		t.ended = true
	} else {
		t.lines = append(t.lines, line)
	}
	close(t.grown)
	t.grown = make(chan struct{})
}

// String is everything written so far.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

// find waits for the first line that match accepts.
func (t *transcript) find(tb testing.TB, what string, match func(line string) bool) string {
	tb.Helper()
	timeout := time.After(60 * time.Second)
	for seen := 0; ; {
		t.mu.Lock()
		for ; seen < len(t.lines); seen++ {
			if match(t.lines[seen]) {
				line := t.lines[seen]
				t.mu.Unlock()
				return line
			}
		}
		grown, ended := t.grown, t.ended
		t.mu.Unlock()
		if ended {
			tb.Fatalf("the process ended without %s; it wrote:\n%s", what, t)
		}
		select {
		case <-grown:
		case <-timeout:
			tb.Fatalf("no %s within a minute; the process wrote:\n%s", what, t)
		}
	}
}

// start runs a binary; the test kills it at its end if it still runs.
func start(tb testing.TB, env []string, program string, args ...string) *process {
	tb.Helper()
	p := &process{cmd: exec.Command(filepath.Join(bin, program), args...), done: make(chan struct{})}
	p.cmd.Env = append(cleanEnv(), env...)
	p.cmd.Dir = tb.TempDir()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	errs, err := p.cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	var readers sync.WaitGroup
	p.stdout, p.stderr = newTranscript(out, &readers), newTranscript(errs, &readers)
	go func() {
		readers.Wait()
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	tb.Cleanup(func() {
		p.kill()
		if tb.Failed() {
			tb.Logf("%s wrote on stderr:\n%s", program, tail(p.stderr.String(), 12000))
		}
	})
	return p
}

// cleanEnv is the environment without settings of the person who runs the tests.
func cleanEnv() []string {
	// The race detector's runtime would wait a second at each process's end.
	env := []string{"GORACE=atexit_sleep_ms=0 halt_on_error=1"}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "LECTERN_") && !strings.HasPrefix(e, "OTEL_") {
			env = append(env, e)
		}
	}
	return env
}

// kill ends the process at once, as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop sends a signal and waits for the process's own end.
func (p *process) stop(tb testing.TB, sig os.Signal) {
	tb.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		tb.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(60 * time.Second):
		tb.Fatalf("still running a minute after %v:\n%s", sig, p.stderr)
	}
}

// gateway is a running `gateway serve`, or `syncer serve`.
type gateway struct {
	*process
	url   string // of the public listener
	admin string // of the admin listener
	env   []string
}

// serve starts a gateway on free ports and waits until it is ready.
func serve(tb testing.TB, env ...string) *gateway {
	tb.Helper()
	return serveProgram(tb, "gateway", env...)
}

// serveProgram starts one of the programs on free ports and waits until it is ready.
func serveProgram(tb testing.TB, program string, env ...string) *gateway {
	tb.Helper()
	defaults := []string{"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0", "LECTERN_LOG_FORMAT=json"}
	if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "LECTERN_AUTH_JWT_SECRET_FILE=") }) {
		defaults = append(defaults, "LECTERN_AUTH_JWT_SECRET="+secret)
	}
	env = append(defaults, env...)
	g := &gateway{process: start(tb, env, program, "serve"), env: env}
	line := g.stderr.find(tb, "the listening line", func(l string) bool { return strings.Contains(l, `"msg":"listening"`) })
	var addresses struct{ Public, Admin string }
	if err := json.Unmarshal([]byte(line), &addresses); err != nil {
		tb.Fatalf("%v in %s", err, line)
	}
	g.url, g.admin = "http://"+addresses.Public, "http://"+addresses.Admin
	described.add(addresses.Public, addresses.Admin)
	waitFor(tb, "readiness", func() bool {
		res, err := http.Get(g.admin + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return g
}

// command runs a binary to its end and returns stdout; it must exit with code.
func command(tb testing.TB, env []string, code int, program string, args ...string) (stdout, stderr string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	cmd.Env = append(cleanEnv(), env...)
	cmd.Dir = tb.TempDir()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		tb.Fatalf("%s %q exited with %d, want %d\nstdout: %s\nstderr: %s", program, args, got, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// tokens are those that token has made, by its arguments.
var tokens sync.Map

// token makes one with the real command. Most tests want the same one: it is made anew after
// ten minutes, and each time when it is a code, which is good once, or ends within seconds.
func token(tb testing.TB, args ...string) string {
	tb.Helper()
	type made struct {
		token string
		at    time.Time
	}
	key := strings.Join(args, " ")
	if before, ok := tokens.Load(key); ok && time.Since(before.(made).at) < 10*time.Minute {
		return before.(made).token
	}
	out, _ := command(tb, []string{"LECTERN_AUTH_JWT_SECRET=" + secret}, 0, "gateway", append([]string{"token"}, args...)...)
	now := made{strings.TrimSpace(out), time.Now()}
	if !slices.Contains(args, "--code") && !strings.HasSuffix(key, "s") {
		tokens.Store(key, now)
	}
	return now.token
}

// waitFor polls until ok or a minute has passed.
func waitFor(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	tb.Fatalf("no %s within a minute", what)
}

// get asks for a URL with a Range (or none) and returns the answer and its body.
func get(tb testing.TB, url, bearer, byteRange string) (*http.Response, []byte) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatalf("reading %s of %s: %v", byteRange, res.Request.URL.Path, err)
	}
	return res, body
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}
