package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/bench/meter"
	"github.com/lectiospace/lectern/bench/peers"
)

const (
	// perGroup is how many students share a group and its lesson.
	perGroup = 50
	// lessonLength is that of a lesson, in seconds.
	lessonLength = 3600
)

// gateway is a started gateway.
type gateway struct {
	cmd        *exec.Cmd
	url, admin string
	people     *peers.People
}

// start fills an empty catalog with viewers and their lessons, and starts a gateway in front
// of it. What it has looked up of a viewer it keeps for long: look-ups are those of streams, not of watch
// states, and sizing.md has them.
func start(o options) (*gateway, error) {
	people, err := peers.NewPeople(o.viewers)
	if err != nil {
		return nil, err
	}
	listen, admin := freeAddress(), freeAddress()
	environ := append(os.Environ(),
		"LECTERN_DATA_DIR="+o.dir, "LECTERN_DATABASE_URL="+o.database, "LECTERN_LISTEN="+listen, "LECTERN_ADMIN_LISTEN="+admin,
		"LECTERN_AUTH_JWT_SECRET="+people.Secret, "LECTERN_AUTH_MAX_STALENESS=1h", "LECTERN_LOG_LEVEL=warn")
	document := filepath.Join(o.dir, "catalog.yaml")
	if err := os.WriteFile(document, school(o.viewers), 0o600); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"migrate", "up", "--yes"}, {"catalog", "apply", document}} {
		cmd := exec.Command(filepath.Join(o.bin, "gateway"), args...)
		cmd.Env = environ
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("gateway %v: %w\n%s", args, err, out)
		}
	}
	g := &gateway{cmd: exec.Command(filepath.Join(o.bin, "gateway"), "serve"), url: "http://" + listen, admin: "http://" + admin, people: people}
	g.cmd.Env, g.cmd.Stderr = environ, os.Stderr
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if res, err := http.Get(g.admin + "/readyz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return g, nil
			}
		}
	}
	g.kill()
	return nil, errors.New("the gateway does not become ready")
}

// school is a document of a teacher, whose id is 1, and students in groups that have a recording each.
func school(viewers int) []byte {
	var people, groups, recordings strings.Builder
	var students []string
	for i := range viewers {
		students = append(students, fmt.Sprintf("s%d@bench.test", i))
		fmt.Fprintf(&people, "  - {email: s%d@bench.test, role: student}\n", i)
		if len(students) < perGroup && i < viewers-1 {
			continue
		}
		g := i / perGroup
		fmt.Fprintf(&groups, "  - {name: Group %d, teacher: teacher@bench.test, students: [%s]}\n", g, strings.Join(students, ", "))
		fmt.Fprintf(&recordings, "  - {id: %d, title: Lesson %d, teacher: teacher@bench.test, status: ready, provider: local, key: lesson.mp4, size: 1000000, duration: %d, visibility: custom_groups, allowed_groups: [Group %d]}\n",
			g+1, g, lessonLength, g)
		students = nil
	}
	return []byte("people:\n  - {email: teacher@bench.test, role: teacher}\n" + people.String() + "groups:\n" + groups.String() + "recordings:\n" + recordings.String())
}

// metric reads one sample of /metrics.
func (g *gateway) metric(name string) (float64, error) {
	res, err := http.Get(g.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("the gateway has no metric %s", name)
}

// cpu is what the gateway has used since its start.
func (g *gateway) cpu() (time.Duration, error) {
	usage, err := meter.NewTree(g.cmd.Process.Pid).Usage()
	return usage.CPU, err
}

// stop has the gateway write what is left, and end.
func (g *gateway) stop() error {
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return g.cmd.Wait()
}

// kill ends a gateway that may have ended.
func (g *gateway) kill() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
}

// freeAddress is one that was free just now.
func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}
