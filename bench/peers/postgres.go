package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Postgres starts a PostgreSQL with its defaults, which has every commit on the disk before it is
// answered, and returns the address of an empty database. dir is on the disk to be measured. stop
// ends the server and removes its files.
func Postgres(ctx context.Context, dir string) (url string, stop func(), err error) {
	bin, err := postgresPrograms()
	if err != nil {
		return "", nil, err
	}
	owner, err := ownerOfPostgres()
	if err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp(dir, "lectern-bench-postgres-"); err != nil {
		return "", nil, err
	}
	remove := func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return "", nil, err
		}
	}
	command := func(program string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LC_ALL=C", "TZ=UTC")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Setpgid: true, Pdeathsig: syscall.SIGINT}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=trust").CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	addr, err := freeAddr()
	if err != nil {
		return "", nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", nil, err
	}
	server := command("postgres", "-D", data, "-h", host, "-p", port, "-k", dir)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return "", nil, err
	}
	server.Stdout, server.Stderr = log, log
	err = server.Start()
	log.Close()
	if err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }()
	stop = func() {
		_ = server.Process.Signal(syscall.SIGINT) // PostgreSQL's fast shutdown
		<-ended
		remove()
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if command("pg_isready", "-h", host, "-p", port).Run() == nil {
			return "postgres://postgres@" + addr + "/postgres?sslmode=disable", stop, nil
		}
		select {
		case <-ended:
		default:
			if time.Now().Before(deadline) && ctx.Err() == nil {
				continue
			}
		}
		text := tail(filepath.Join(dir, "log"))
		stop()
		return "", nil, fmt.Errorf("PostgreSQL does not come up:\n%s", text)
	}
}

// postgresPrograms is the folder of PostgreSQL's programs: PATH's, or Debian's newest.
func postgresPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err != nil { // the others are beside the program itself
			return "", err
		}
		return filepath.Dir(path), nil
	}
	newest, newestVersion := "", -1
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	for _, path := range found {
		bin := filepath.Dir(path)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > newestVersion {
			newest, newestVersion = bin, version
		}
	}
	if newest == "" {
		return "", errors.Join(errors.New("there is no initdb in PATH or /usr/lib/postgresql/*/bin"), err)
	}
	return newest, nil
}

// ownerOfPostgres is the account that PostgreSQL runs as, since it refuses root; nil for that
// of the benchmark.
func ownerOfPostgres() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
