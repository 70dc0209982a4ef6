package telemetry

import (
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/coreos/go-systemd/v22/activation"
)

// Listen opens a program's public listener and its admin listener, or uses the sockets
// that systemd passed. An error begins with the name of the setting, listen or
// admin-listen; nothing stays open then.
func Listen(publicAddress, adminAddress string) (public, admin net.Listener, err error) {
	sockets, err := Activated()
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	if public, err = sockets.Listen("http", publicAddress); err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	if admin, err = sockets.Listen("admin", adminAddress); err != nil {
		public.Close()
		return nil, nil, fmt.Errorf("admin-listen: %w", err)
	}
	return public, admin, nil
}

// Sockets are the listeners that systemd has opened and passed on. They are bare TCP
// listeners, so that sendfile(2) works on their connections.
type Sockets struct {
	passed []passed
}

// passed is one socket and its FileDescriptorName. Without such a name systemd passes
// the name of the socket's unit, and other managers pass none.
type passed struct {
	name string
	ln   net.Listener
}

// Activated returns what systemd passed. A second call returns nothing: the variables
// are unset.
func Activated() (*Sockets, error) { return newSockets(activation.Files(true)) }

// newSockets makes listeners of files and closes the files.
func newSockets(files []*os.File) (*Sockets, error) {
	s := &Sockets{}
	for _, f := range files {
		ln, err := net.FileListener(f)
		f.Close()
		if err != nil {
			for _, p := range s.passed {
				p.ln.Close()
			}
			return nil, fmt.Errorf("the passed socket %s cannot be listened on: %w", f.Name(), err)
		}
		s.passed = append(s.passed, passed{f.Name(), ln})
	}
	return s, nil
}

// socketNames are the FileDescriptorNames that say which listener a socket is for.
var socketNames = []string{"http", "admin"}

// Listen returns the passed socket of that name, else the first that has none of the
// known names, else a new listener on address.
func (s *Sockets) Listen(name, address string) (net.Listener, error) {
	at := slices.IndexFunc(s.passed, func(p passed) bool { return p.name == name })
	if at < 0 {
		at = slices.IndexFunc(s.passed, func(p passed) bool { return !slices.Contains(socketNames, p.name) })
	}
	if at < 0 {
		return net.Listen("tcp", address)
	}
	ln := s.passed[at].ln
	s.passed = slices.Delete(s.passed, at, at+1)
	return ln, nil
}
