package pgtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const poolerConfig = `[databases]
* = host=127.0.0.1 port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
ignore_startup_parameters = extra_float_digits
logfile = %s
`

// Pooler starts PgBouncer in transaction mode for a database of Start or Database and
// returns the URL through it. It ends with the test.
func Pooler(t testing.TB, databaseURL string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			t.Fatalf("pgtest: PgBouncer is not installed: %v", err)
		}
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	as, err := unprivileged()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	dir, err := os.MkdirTemp("", "lectern-pooler-")
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	port, err := freePort()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	config, log := filepath.Join(dir, "pgbouncer.ini"), filepath.Join(dir, "log")
	// With auth_type any every client is the one user of the database's entry.
	text := fmt.Sprintf(poolerConfig, u.Port()+" user="+u.User.Username(), port, log)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			t.Fatalf("pgtest: %v", err)
		}
	}
	cmd := exec.Command(program, "-q", config)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("pgtest: PgBouncer: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	awaitPooler(t, u.String(), log)
	return u.String()
}

func awaitPooler(t testing.TB, pooled, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, pooled)
		if err == nil {
			conn.Close(ctx)
			return
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(log)
			t.Fatalf("pgtest: PgBouncer does not answer: %v\n%s", err, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
