package link

import (
	"fmt"
	"net"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network of its own, which the kernel removes with the last of its users: the
// thread below, what that has started, and the sockets. It has no name and leaves nothing behind.
type namespace struct {
	calls chan func()
}

// newNamespace needs CAP_SYS_ADMIN.
func newNamespace() (*namespace, error) {
	n := &namespace{calls: make(chan func())}
	made := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, so that nobody else's runs there.
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		made <- err
		if err != nil {
			return
		}
		for call := range n.calls {
			call()
		}
	}()
	if err := <-made; err != nil {
		return nil, fmt.Errorf("link: a network namespace, for which root is needed: %w", err)
	}
	return n, nil
}

// do calls f on the namespace's thread. The sockets that it makes and the processes that it
// starts belong to the namespace.
func (n *namespace) do(f func() error) (err error) {
	done := make(chan struct{})
	n.calls <- func() {
		defer close(done)
		err = f()
	}
	<-done
	return err
}

func (n *namespace) close() { close(n.calls) }

// configure gives an interface of the calling thread's namespace an address and a netmask, which
// may be nil, and switches it on.
func configure(name string, address, mask net.IP) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	for _, one := range []struct {
		what  uint
		value net.IP
	}{{unix.SIOCSIFADDR, address}, {unix.SIOCSIFNETMASK, mask}} {
		if one.value == nil {
			continue
		}
		if err := request.SetInet4Addr(one.value.To4()); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(socket, one.what, request); err != nil {
			return fmt.Errorf("link: interface %s, %s: %w", name, one.value, err)
		}
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, request); err != nil {
		return fmt.Errorf("link: interface %s: %w", name, err)
	}
	request.SetUint16(request.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("link: interface %s: %w", name, err)
	}
	return nil
}
