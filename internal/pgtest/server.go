package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Superuser owns every cluster; it needs no password.
const Superuser = "postgres"

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// supervisor is a shell script that runs the server until it reads keep (stop, and leave
// the directory for a restart), crash (the same, without an orderly end) or the end of its
// standard input (stop, and remove the directory). INT is PostgreSQL's fast shutdown:
// sessions are ended with 57P01, as an operator's restart would. QUIT is its immediate one:
// nothing is written any more, and the next start recovers from the log.
const supervisor = `"$1" -D "$2/data" -p "$3" -k "$2" -h 127.0.0.1 -F -c max_connections=60 -c shared_buffers=16MB -c logging_collector=off &
pid=$!
keep=
read -r keep
sig=INT
[ "$keep" = crash ] && sig=QUIT
kill -$sig $pid
wait $pid
[ "$keep" = keep ] || [ "$keep" = crash ] || rm -rf "$2"
`

// Server is one PostgreSQL cluster. Its methods are for one goroutine at a time.
type Server struct {
	bin        string
	dir        string
	port       int
	credential *syscall.Credential // nil when the test itself may run the server

	process *exec.Cmd // the supervisor, nil while stopped
	stdin   *os.File  // the write end of its standard input
}

// StartServer starts a cluster of the test's own and stops it when the test
// ends. It fails the test when PostgreSQL is not installed.
func StartServer(t testing.TB) *Server {
	t.Helper()
	s, err := newServer()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.halt(""); err != nil {
			t.Errorf("pgtest: %v", err)
		}
		if err := os.RemoveAll(s.dir); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return s
}

// newServer makes the cluster's files and starts it.
func newServer() (_ *Server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin}
	if s.credential, err = unprivileged(); err != nil {
		return nil, err
	}
	// A Unix socket's path may have 107 bytes, so a test's own long temporary
	// directory would not do.
	if s.dir, err = os.MkdirTemp("", "lectern-pg-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	if s.credential != nil {
		if err := os.Chown(s.dir, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
			return nil, err
		}
	}
	initdb := s.command(filepath.Join(bin, "initdb"), "-D", filepath.Join(s.dir, "data"),
		"-U", Superuser, "-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	if err := s.run(); err != nil {
		return nil, errors.Join(err, s.halt(""))
	}
	return s, nil
}

// URL is the address of a database of this cluster over TCP, for the superuser.
func (s *Server) URL(database string) string { return s.URLFor(Superuser, database) }

// URLFor is the address of a database for another role.
func (s *Server) URLFor(role, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", role, s.port, database)
}

// Address is the host and port the cluster listens on.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Stop ends the server as an operator would: every session is ended with 57P01. The files
// stay for Restart. Stopping a stopped server does nothing.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.halt("keep\n"); err != nil {
		t.Fatalf("pgtest: stop: %v", err)
	}
}

// Crash ends the server as its own failure would: sessions end with 57P02 or nothing, and
// only the write-ahead log has what was committed last. The files stay for Restart.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	if err := s.halt("crash\n"); err != nil {
		t.Fatalf("pgtest: crash: %v", err)
	}
}

// Restart starts the server again, on the same port and with the same data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	if err := s.run(); err != nil {
		t.Fatalf("pgtest: restart: %v", err)
	}
}

// run starts the supervisor and waits until the server answers.
func (s *Server) run() error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return errors.Join(err, write.Close())
	}
	defer log.Close()
	cmd := s.command("/bin/sh", "-c", supervisor, "sh", filepath.Join(s.bin, "postgres"), s.dir, strconv.Itoa(s.port))
	// Files, not buffers: os/exec then needs no goroutine that a leak check would see.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = read, log, log
	if err := cmd.Start(); err != nil {
		return errors.Join(err, write.Close())
	}
	s.process, s.stdin = cmd, write
	return s.awaitReady()
}

func (s *Server) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the server does not answer: %w\n%s", err, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// halt sends the supervisor a last line and waits until it has ended.
func (s *Server) halt(line string) error {
	if s.process == nil {
		return nil
	}
	_, err := s.stdin.WriteString(line)
	err = errors.Join(err, s.stdin.Close())
	// A server that does not stop must not block the test run for ever.
	timer := time.AfterFunc(stopTimeout, func() { _ = s.process.Process.Kill() })
	defer timer.Stop()
	// The supervisor's exit status is that of its last test and means nothing.
	var status *exec.ExitError
	if waitErr := s.process.Wait(); !errors.As(waitErr, &status) {
		err = errors.Join(err, waitErr)
	}
	s.process, s.stdin = nil, nil
	return err
}

// command prepares a program of the cluster, as the user who may run it.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	// A session of its own: Ctrl-C ends the test, and only then, by the pipe, the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential, Setsid: true}
	return cmd
}

// binaries is the directory with initdb and postgres: PATH's, else Debian's newest.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql/*/bin")
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })
	return filepath.Dir(newest), nil
}

func major(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// unprivileged is the user who runs the server when the test runs as root, else nil.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("running as root, and there is neither a user postgres nor nobody to run the server as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// shared is the cluster that all tests of this process share. No test stops it: its
// supervisor does when the process ends.
var shared = sync.OnceValues(newServer)

// sharedServer starts the shared cluster the first time.
func sharedServer(t testing.TB) *Server {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return s
}
