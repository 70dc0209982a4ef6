// Package peers starts the servers that are compared: a file for each, set up as
// somebody would who knows it well.
package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lectiospace/lectern/bench/content"
	"github.com/lectiospace/lectern/bench/load"
	"github.com/lectiospace/lectern/bench/meter"
	"github.com/lectiospace/lectern/bench/origin"
)

// Lesson is one file: its name at the origin and the recording it is in the
// gateway's catalog.
type Lesson struct {
	Name      string
	Recording int
	Content   *content.Content
}

// Site is what the peers serve, and where they may put things.
type Site struct {
	Origin  *origin.Origin
	Lessons []Lesson
	// Static is a folder that holds the first lesson as a file, for servers that
	// serve files.
	Static string
	// Configs is the folder with the project's examples for reverse proxies.
	Configs string
	// Dir is for the peers' own folders.
	Dir string
	// Tools are the programs built for the benchmark.
	Tools Tools
	// People watch the lessons; each has a token.
	People *People
	// CacheBytes is how much a peer may keep, MemoryBytes how much of it in memory.
	CacheBytes, MemoryBytes int64
}

// Peer is a running server.
type Peer struct {
	Name string
	// Target is where a lesson stands.
	Target func(l Lesson) load.Target
	// Log is the file with its output; "" where nobody looks at it.
	Log string
	// Admin is the address of the gateway's profiles; "" for others.
	Admin string
	// Ready is how long it took from the start of its process until it listened.
	Ready time.Duration
	// Tree are its processes.
	Tree meter.Tree

	logs []string // files with what its programs have to say
	dirs []string
	stop []func()
}

// Logs returns the ends of what the peer's programs have logged, for a failure's report. It is
// of use until Stop, which removes the files.
func (p *Peer) Logs() string {
	var b strings.Builder
	for _, path := range p.logs {
		if text := strings.TrimSpace(tail(path)); text != "" {
			fmt.Fprintf(&b, "%s:\n%s\n", filepath.Base(path), text)
		}
	}
	return b.String()
}

// Kept returns how many bytes the peer has in its folders now, logs and all.
func (p *Peer) Kept() (bytes int64, err error) {
	for _, dir := range p.dirs {
		err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return ignoreGone(err)
			}
			info, err := d.Info()
			if err == nil {
				bytes += info.Sys().(*syscall.Stat_t).Blocks * 512 // a file may have holes
			}
			return ignoreGone(err)
		})
		if err != nil {
			return bytes, err
		}
	}
	return bytes, nil
}

// ignoreGone ignores that a server has removed a file meanwhile.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Stop ends the peer and removes what it has kept. It may be called twice.
func (p *Peer) Stop() {
	for i := len(p.stop) - 1; i >= 0; i-- {
		p.stop[i]()
	}
	p.stop = nil
}

// Starter starts a peer.
type Starter struct {
	Name  string
	Start func(ctx context.Context, site *Site) (*Peer, error)
}

// run starts a peer's program and waits until it listens. Its output goes to a
// file in dir, whose end is part of the error when it does not come up.
func (p *Peer) run(ctx context.Context, dir, addr string, environ []string, name string, args ...string) error {
	path := filepath.Join(dir, filepath.Base(name)+".log")
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	p.logs = append(p.logs, path)
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = out, out
	// Its own group, so that Ctrl-C reaches it through us, once; and it does not
	// outlive us however we end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	began := time.Now()
	err = cmd.Start()
	out.Close()
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	p.stop = append(p.stop, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	})
	p.Tree = p.Tree.With(cmd.Process.Pid)
	if err := waitListening(ctx, addr, ended); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.Name, err, tail(path))
	}
	p.Ready = time.Since(began)
	return nil
}

func waitListening(ctx context.Context, addr string, ended <-chan struct{}) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ended:
			return fmt.Errorf("it has ended instead of listening on %s", addr)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(30 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("nobody listens on %s: %w", addr, err)
		}
	}
}

// tail is the end of a log, for people.
func tail(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(raw[max(0, len(raw)-2000):])
}

// folder makes a folder that goes when the peer stops.
func (p *Peer) folder(site *Site) (string, error) {
	dir, err := os.MkdirTemp(site.Dir, strings.Map(func(r rune) rune {
		if r == ' ' || r == '/' {
			return '-'
		}
		return r
	}, p.Name)+"-")
	if err == nil {
		p.dirs = append(p.dirs, dir)
		p.stop = append(p.stop, func() { _ = os.RemoveAll(dir) })
	}
	return dir, err
}

// freeAddr is an address nobody listens on now.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// Direct is the origin itself, which nothing stands in front of.
func Direct() Starter {
	return Starter{Name: "direct", Start: func(_ context.Context, site *Site) (*Peer, error) {
		return &Peer{Name: "direct", Target: func(l Lesson) load.Target {
			return load.Target{Addr: site.Origin.Addr(), Path: "/plain/" + l.Name, Content: l.Content}
		}}, nil
	}}
}

// WriteStatic writes a lesson as the file that Site.Static holds.
func WriteStatic(dir string, l Lesson) error {
	f, err := os.Create(filepath.Join(dir, l.Name))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.NewSectionReader(l.Content, 0, l.Content.Size()))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
