package telemetry

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestListenNamesTheSetting: an address in use is an error that names its setting, and
// leaves no listener open.
func TestListenNamesTheSetting(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	spare, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := spare.Addr().String()
	spare.Close()
	for _, c := range []struct{ public, admin, setting string }{
		{taken.Addr().String(), free, "listen: "},
		{free, taken.Addr().String(), "admin-listen: "},
	} {
		if _, _, err := Listen(c.public, c.admin); !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), c.setting) {
			t.Errorf("%v, want %s…", err, c.setting)
		}
	}
	public, admin, err := Listen(free, "127.0.0.1:0") // free again
	if err != nil {
		t.Fatal(err)
	}
	public.Close()
	admin.Close()
}

func TestSocketsAreBare(t *testing.T) {
	sockets, err := Activated()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := sockets.Listen("http", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, ok := ln.(*net.TCPListener); !ok {
		t.Errorf("%T: a wrapped listener would cost sendfile", ln)
	}
}

// TestPassedSockets: sockets are used by name where they have one, else in order: the
// public listener comes first.
func TestPassedSockets(t *testing.T) {
	for _, c := range []struct {
		names  []string
		public int // which of the passed sockets, -1 for one of our own
		admin  int
	}{
		{nil, -1, -1},
		{[]string{"http", "admin"}, 0, 1},
		{[]string{"admin", "http"}, 1, 0},
		{[]string{"admin"}, -1, 0},
		{[]string{"LISTEN_FD_3"}, 0, -1},
		{[]string{"lectern.socket", "lectern.socket"}, 0, 1},
		{[]string{"admin", "unknown"}, 1, 0},
	} {
		var files []*os.File
		var addresses []string
		for _, name := range c.names {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			f, err := ln.(*net.TCPListener).File()
			if err != nil {
				t.Fatal(err)
			}
			fd, err := syscall.Dup(int(f.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			ln.Close()
			files, addresses = append(files, os.NewFile(uintptr(fd), name)), append(addresses, ln.Addr().String())
		}
		sockets, err := newSockets(files)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []struct {
			name string
			at   int
		}{{"http", c.public}, {"admin", c.admin}} {
			ln, err := sockets.Listen(want.name, "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if at := slices.Index(addresses, ln.Addr().String()); at != want.at {
				t.Errorf("%q: %s got socket %d, want %d", c.names, want.name, at, want.at)
			}
			if _, ok := ln.(*net.TCPListener); !ok {
				t.Errorf("%T: a wrapped listener would cost sendfile", ln)
			}
			ln.Close()
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := newSockets([]*os.File{r}); err == nil {
		t.Error("a pipe passed as a socket")
	}
}
