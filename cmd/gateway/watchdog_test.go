package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/config"
	"github.com/lectiospace/lectern/internal/telemetry"
)

// watchdogTimeout is WatchdogSec of the tests. Shorter ones are missed on a busy
// machine.
const watchdogTimeout = 3 * time.Second

// serveUntilStuck serves as `gateway serve` does, with one more lock that the watchdog
// watches. SIGUSR1 takes the lock for good.
func serveUntilStuck() {
	var cli CLI
	if _, err := config.Parse("gateway", description, &cli, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		panic(err)
	}
	svc, err := assemble(context.Background(), &cli.Settings, telemetry.NewLogger(cli.Log, os.Stderr))
	if err != nil {
		panic(err)
	}
	var lock sync.Mutex
	svc.probes = append(svc.probes, telemetry.Probe{Name: "test", Responsive: func(context.Context) error {
		lock.Lock()
		defer lock.Unlock()
		return nil
	}})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() { <-signals; lock.Lock() }()
	public, admin, err := telemetry.Listen(cli.Listen, cli.AdminListen)
	if err != nil {
		panic(err)
	}
	if err := svc.serve(context.Background(), public, admin); err != nil {
		panic(err)
	}
}

// manager is a service manager: it starts the gateway, listens to its notifications,
// and kills it when no ping has come for the watchdog's timeout.
type manager struct {
	t      *testing.T
	socket *net.UnixConn
	env    []string
}

func newManager(t *testing.T, kind string) *manager {
	t.Helper()
	address := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return &manager{t, socket, []string{
		"PATH=" + os.Getenv("PATH"), "LECTERN_TEST_PROCESS=" + kind, "NOTIFY_SOCKET=" + address, "WATCHDOG_USEC=3000000",
		"LECTERN_DATA_DIR=" + t.TempDir(), "LECTERN_AUTH_JWT_SECRET=" + testSecret, "LECTERN_CACHE_MIN_FREE=0",
		"LECTERN_LISTEN=127.0.0.1:0", "LECTERN_ADMIN_LISTEN=127.0.0.1:0",
	}}
}

// heard returns the next notification, or "" when none comes within the time.
func (m *manager) heard(within time.Duration) string {
	m.t.Helper()
	buf := make([]byte, 500)
	_ = m.socket.SetReadDeadline(time.Now().Add(within))
	n, err := m.socket.Read(buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// process is a gateway that runs.
type process struct {
	*exec.Cmd
	admin string
}

// start starts the gateway and returns once it is ready.
func (m *manager) start() process {
	m.t.Helper()
	executable, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.CommandContext(m.t.Context(), executable, "serve")
	cmd.Env = m.env
	stderr, err := cmd.StderrPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	admin := make(chan string, 1)
	var log strings.Builder
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := stderr.Read(buf)
			log.Write(buf[:n])
			if found := regexp.MustCompile(`"admin":"([^"]+)"`).FindStringSubmatch(log.String()); found != nil {
				select {
				case admin <- found[1]:
				default:
				}
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		switch state := m.heard(time.Minute); state {
		case "READY=1":
			return process{cmd, <-admin}
		case "":
			_ = cmd.Process.Kill()
			m.t.Fatal("the gateway was not ready within a minute")
		}
	}
}

// superviseUntilKilled kills p once no ping has come for the watchdog's timeout.
func (m *manager) superviseUntilKilled(p process) {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); m.heard(watchdogTimeout) == "WATCHDOG=1"; {
		if time.Now().After(end) {
			_ = p.Process.Kill()
			m.t.Fatal("the pings go on although the process hangs")
		}
	}
	_ = p.Process.Kill()
	_ = p.Wait()
}

// TestWatchdogRestartsAHangingGateway: pings come while the gateway is healthy, and
// end while one lock is stuck although it still answers, or when nothing in it runs.
// The service manager kills it then, and the next one serves.
func TestWatchdogRestartsAHangingGateway(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		signal     syscall.Signal
		answers    bool
	}{
		{"stuck lock", "stuck", syscall.SIGUSR1, true},
		{"stopped process", "gateway", syscall.SIGSTOP, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newManager(t, c.kind)
			p := m.start()
			for range 3 {
				if got := m.heard(10 * watchdogTimeout); got != "WATCHDOG=1" {
					t.Fatalf("heard %q of a healthy gateway", got)
				}
			}
			if err := p.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if c.answers {
				if res, err := http.Get("http://" + p.admin + "/healthz"); err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("%v, %v", res, err)
				} else {
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			}
			m.superviseUntilKilled(p)
			again := m.start()
			if got := m.heard(10 * watchdogTimeout); got != "WATCHDOG=1" {
				t.Errorf("heard %q of the restarted gateway", got)
			}
			if c.kind == "stuck" { // it handles no SIGTERM
				_ = again.Process.Kill()
				_ = again.Wait()
				return
			}
			_ = again.Process.Signal(syscall.SIGTERM)
			for state := ""; state != "STOPPING=1"; {
				if state = m.heard(10 * watchdogTimeout); state == "" {
					t.Fatal("no STOPPING=1 after SIGTERM")
				}
			}
			if err := again.Wait(); err != nil {
				t.Errorf("after SIGTERM: %v", err)
			}
		})
	}
}
