package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
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

var (
	iterations = flag.Int("iterations", 0, "lives of the programs to end, of the gateway and of the syncer together")
	seed       = flag.Uint64("seed", 1, "decides what is done in each life, and where it ends")
	within     = flag.Duration("within", 0, "begin no life after so long; 0 = whenever")
	aimed      = flag.String("aimed", "", "end most lives at points whose names begin so; all by default")
	report     = flag.String("report", "", "file that gets a line for each life")
	binaries   = flag.String("binaries", "", "directory of gateway and syncer, built with the tag failpoint; built into a temporary one by default")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(schools)); err != nil {
		panic(err)
	}
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// built is the directory of the programs that were built here.
var built string

// build builds the programs with their failpoints, once, and returns their directory.
var build = sync.OnceValues(func() (string, error) {
	if *binaries != "" {
		return *binaries, nil
	}
	var err error
	if built, err = os.MkdirTemp("", "lectern-crash-"); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-tags", "failpoint", "-o", built, "./cmd/gateway", "./cmd/syncer")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the programs: %w\n%s", err, out)
	}
	return built, nil
})

// process is one life of a program.
type process struct {
	cmd  *exec.Cmd
	log  string        // file of the points that it has passed
	done chan struct{} // closed when it has ended
	// listening is closed when it serves, or has ended; url and admin are read after that.
	listening  chan struct{}
	url, admin string

	mu     sync.Mutex
	stderr []string // guarded by mu
}

// start begins a life that ends by the rules, at the latest with the test.
func start(t *testing.T, env []string, rules, program string, args ...string) *process {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(filepath.Join(dir, program), args...), done: make(chan struct{}), listening: make(chan struct{})}
	p.log = filepath.Join(t.TempDir(), "passed")
	p.cmd.Dir = filepath.Dir(p.log)
	p.cmd.Env = append(cleanEnv(), env...)
	p.cmd.Env = append(p.cmd.Env, plantedEnv+"="+os.Getenv(plantedEnv), "LECTERN_FAILPOINTS="+rules, "LECTERN_FAILPOINTS_LOG="+p.log, "LECTERN_LOG_FORMAT=json", "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	errs, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.follow(errs)
	t.Cleanup(p.kill)
	return p
}

// follow reads what the process writes until it has ended.
func (p *process) follow(errs io.Reader) {
	announced := false
	scan := bufio.NewScanner(errs)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		line := scan.Text()
		p.mu.Lock()
		p.stderr = append(p.stderr, line)
		p.mu.Unlock()
		if !announced && strings.Contains(line, `"msg":"listening"`) {
			var at struct{ Public, Admin string }
			if json.Unmarshal([]byte(line), &at) == nil {
				p.url, p.admin = "http://"+at.Public, "http://"+at.Admin
				announced = true
				close(p.listening)
			}
		}
	}
	_ = p.cmd.Wait() // how it ended is in ProcessState
	if !announced {
		close(p.listening)
	}
	close(p.done)
}

// cleanEnv is the environment without settings of the person who runs the tests.
func cleanEnv() (env []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "LECTERN_") && !strings.HasPrefix(e, "OTEL_") && !strings.HasPrefix(e, "ZOOM_") {
			env = append(env, e)
		}
	}
	return env
}

// kill ends the life at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// ended reports whether the life is over.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail is the end of what the process wrote.
func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.stderr[max(0, len(p.stderr)-30):], "\n")
}

// errors are the lines of its log that report one.
func (p *process) errors() (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.stderr {
		if strings.Contains(line, `"level":"ERROR"`) || strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			lines = append(lines, line)
		}
	}
	return lines
}

// exitCode is that of a life that ended by itself, -1 of one that was killed.
func (p *process) exitCode() int { return p.cmd.ProcessState.ExitCode() }

// passed are the points that the life has passed, in order, and the one at which it killed
// itself, "" for none.
func (p *process) passed(t *testing.T) (points []string, died string) {
	t.Helper()
	data, err := os.ReadFile(p.log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		point, killed := strings.CutSuffix(strings.TrimSuffix(line, "\n"), " killed")
		points = append(points, point)
		if killed {
			died = point
		}
	}
	_ = os.Remove(p.log)
	return points, died
}

// run runs a command to its end, undisturbed, and returns its standard output.
func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	out, err := try(t, env, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is run with an error for a command that fails.
func try(t *testing.T, env []string, program string, args ...string) (string, error) {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, program), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(cleanEnv(), slices.Concat(env, []string{"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0"})...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %q: %w\n%s\n%s", program, args, err, out, errs.String())
	}
	return string(out), nil
}

// eventually polls until ok, for two minutes at most.
func eventually(ok func() bool) bool {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(25 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// memoryDir is a directory in memory where there is such a place: what is killed are
// processes, not disks.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "lectern-crash-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// client never keeps a connection to a process that is dead.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
