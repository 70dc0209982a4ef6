// Package systemdtest is a service manager for tests of whole processes: it starts a
// program, receives its sd_notify(3) notifications, and kills it when the watchdog's
// pings stay away, as systemd does with WatchdogSec and Restart.
package systemdtest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// WatchdogTimeout is WatchdogSec of the started programs. Shorter ones are missed on a
// busy machine.
const WatchdogTimeout = 3 * time.Second

// Manager starts one program, again and again. It is for one goroutine.
type Manager struct {
	t      testing.TB
	socket *net.UnixConn
	env    []string
}

// NewManager prepares a manager of the test binary itself, which is started with env and
// the argument "serve"; its TestMain finds out from env which program it is.
func NewManager(t testing.TB, env ...string) *Manager {
	t.Helper()
	address := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return &Manager{t, socket, append([]string{
		"PATH=" + os.Getenv("PATH"), "NOTIFY_SOCKET=" + address,
		"WATCHDOG_USEC=" + strconv.FormatInt(WatchdogTimeout.Microseconds(), 10),
	}, env...)}
}

// next returns the next notification, or "" when none comes within the time.
func (m *Manager) next(within time.Duration) string {
	m.t.Helper()
	buf := make([]byte, 500)
	_ = m.socket.SetReadDeadline(time.Now().Add(within))
	n, err := m.socket.Read(buf)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// Process is a running program.
type Process struct {
	*exec.Cmd
	// Admin is the address of the admin listener, as the program logged it.
	Admin string
}

var loggedAdmin = regexp.MustCompile(`"admin":"([^"]+)"`)

// Start starts the program and returns once it has notified that it is ready.
func (m *Manager) Start() Process {
	m.t.Helper()
	executable, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.CommandContext(m.t.Context(), executable, "serve")
	cmd.Env = m.env
	admin := make(chan string, 1)
	cmd.Stderr = &adminFinder{found: admin}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	for {
		switch state := m.next(time.Minute); state {
		case "READY=1":
			return Process{cmd, <-admin}
		case "":
			m.Kill(Process{Cmd: cmd})
			m.t.Fatalf("not ready within a minute; the program's log:\n%s", cmd.Stderr.(*adminFinder).log.String())
		}
	}
}

// adminFinder is a program's log, and sends the admin listener's address once.
type adminFinder struct {
	log   strings.Builder
	found chan<- string
}

// Write implements io.Writer; it is called from one goroutine.
func (f *adminFinder) Write(p []byte) (int, error) {
	f.log.Write(p)
	if found := loggedAdmin.FindStringSubmatch(f.log.String()); found != nil && f.found != nil {
		f.found <- found[1]
		f.found = nil
	}
	return len(p), nil
}

// WantPings fails the test unless the next n notifications are the watchdog's pings.
func (m *Manager) WantPings(n int) {
	m.t.Helper()
	for range n {
		if got := m.next(10 * WatchdogTimeout); got != "WATCHDOG=1" {
			m.t.Fatalf("notification %q of a healthy program", got)
		}
	}
}

// KillWhenSilent kills p once no ping has come for WatchdogTimeout. Pings that go on for
// a minute fail the test.
func (m *Manager) KillWhenSilent(p Process) {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); m.next(WatchdogTimeout) == "WATCHDOG=1"; {
		if time.Now().After(end) {
			m.Kill(p)
			m.t.Fatal("the pings go on although the process hangs")
		}
	}
	m.Kill(p)
}

// Kill ends p at once.
func (*Manager) Kill(p Process) {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// Terminate ends p with SIGTERM and fails the test unless it notifies the manager and
// exits with code 0.
func (m *Manager) Terminate(p Process) {
	m.t.Helper()
	_ = p.Process.Signal(syscall.SIGTERM)
	for state := ""; state != "STOPPING=1"; {
		if state = m.next(10 * WatchdogTimeout); state == "" {
			m.Kill(p)
			m.t.Fatal("no STOPPING=1 after SIGTERM")
		}
	}
	if err := p.Wait(); err != nil {
		m.t.Errorf("after SIGTERM: %v", err)
	}
}
