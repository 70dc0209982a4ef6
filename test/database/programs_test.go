package database

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programsDir is what TestMain removes: the folder of built; "" when nothing was built.
var programsDir string

// built is the folder with the programs, built once for all campaigns of the process.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "lectern-database-")
	if err != nil {
		return "", err
	}
	programsDir = dir
	build := exec.Command("go", "build", "-o", dir, "./cmd/...")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the programs: %w\n%s", err, out)
	}
	return dir, nil
})

// program is a running gateway or syncer.
type program struct {
	name       string
	cmd        *exec.Cmd
	url, admin string
	client     *http.Client

	ended chan struct{} // closed when it has ended
	mu    sync.Mutex
	log   []string // the last lines; guarded by mu
}

// serve starts a program on free ports, and waits until it listens. The test's end kills it.
func serve(t *testing.T, name string, env ...string) *program {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{name: name, cmd: exec.Command(filepath.Join(dir, name), "serve"), ended: make(chan struct{}), client: &http.Client{Timeout: answerWithin, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	p.cmd.Env = append(p.cmd.Env, "LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0", "LECTERN_LOG_FORMAT=json", "LECTERN_AUTH_JWT_SECRET="+secret, "LECTERN_DATA_DIR="+t.TempDir(), "LECTERN_CACHE_MIN_FREE=0")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Dir = t.TempDir()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	errs, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go p.read(errs, listening)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		_ = p.cmd.Wait()
		p.client.CloseIdleConnections()
		if t.Failed() {
			t.Logf("%s wrote at last:\n%s", name, p.lines(60))
		}
	})
	select {
	case line := <-listening:
		var addresses struct{ Public, Admin string }
		if err := json.Unmarshal([]byte(line), &addresses); err != nil {
			t.Fatal(err)
		}
		p.url, p.admin = "http://"+addresses.Public, "http://"+addresses.Admin
	case <-p.ended:
		t.Fatalf("%s ended:\n%s", name, p.lines(60))
	case <-time.After(time.Minute):
		t.Fatalf("%s does not listen:\n%s", name, p.lines(60))
	}
	return p
}

// read keeps the last lines that are worth it, and passes on the one that names the addresses.
func (p *program) read(from io.Reader, listening chan<- string) {
	defer close(p.ended)
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.Contains(line, `"msg":"listening"`) {
			listening <- line
		}
		if strings.Contains(line, `"level":"INFO"`) || strings.Contains(line, `"msg":"exchange"`) {
			continue
		}
		p.mu.Lock()
		if p.log = append(p.log, line); len(p.log) > 2000 {
			p.log = p.log[1000:]
		}
		p.mu.Unlock()
	}
}

// lines are the last n lines that it wrote, without those of level INFO and of exchanges.
func (p *program) lines(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log[max(0, len(p.log)-n):], "\n")
}

// running fails the test when the program has ended.
func (p *program) running(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		t.Fatalf("%s has ended:\n%s", p.name, p.lines(60))
	default:
	}
}

// resources are what a program has open and in memory.
type resources struct{ goroutines, descriptors, residentMiB int }

func (r resources) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d MiB", r.goroutines, r.descriptors, r.residentMiB)
}

var (
	totalOf    = regexp.MustCompile(`goroutine profile: total (\d+)`)
	residentOf = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
)

func (p *program) resources(t *testing.T) (r resources) {
	t.Helper()
	res, err := p.client.Get(p.admin + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	m := totalOf.FindSubmatch(text)
	if err != nil || m == nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	r.goroutines, _ = strconv.Atoi(string(m[1]))
	proc := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	files, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	r.descriptors = len(files)
	status, err := os.ReadFile(proc + "/status")
	if m = residentOf.FindSubmatch(status); err != nil || m == nil {
		t.Fatalf("%v in %s", err, status)
	}
	kib, _ := strconv.Atoi(string(m[1]))
	r.residentMiB = kib >> 10
	return r
}

// eventually polls until ok, for at most two minutes.
func eventually(t *testing.T, what string, ok func() (bool, string)) {
	t.Helper()
	var saw string
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var holds bool
		if holds, saw = ok(); holds {
			return
		}
	}
	t.Fatalf("%s: not within two minutes; saw %s", what, saw)
}
