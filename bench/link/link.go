// Package link is a slow line between two networks of this machine: two TUN interfaces, one
// of them in a network namespace of its own, and a queue for each direction that delays, limits
// and loses what passes. TCP is the kernel's at both ends, as over a real line. The kernel's own
// netem does the same; not every kernel has it.
package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The addresses of both ends are of the block for benchmarks (RFC 2544).
var (
	nearAddress = net.IPv4(198, 18, 0, 1)
	farAddress  = net.IPv4(198, 18, 0, 2)
	mask        = net.IPv4(255, 255, 255, 252)
)

// maxPacket is the most that a read of a TUN interface returns.
const maxPacket = 1 << 16

// Link is a line from the network of this process, its near end, to another, its far end.
type Link struct {
	far   *namespace
	ends  []*os.File // of the near and the far interface
	stop  context.CancelFunc
	group sync.WaitGroup
}

// New makes a line. It needs root and /dev/net/tun. One line can exist at a time: an error says
// that there is one already, whose packets this one would get.
func New(s Shape) (_ *Link, err error) {
	if err := noOther(); err != nil {
		return nil, err
	}
	far, err := newNamespace()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Link{far: far, stop: stop}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if err := l.open(nearAddress); err != nil {
		return nil, err
	}
	err = far.do(func() error {
		return errors.Join(configure("lo", net.IPv4(127, 0, 0, 1), nil), l.open(farAddress))
	})
	if err != nil {
		return nil, err
	}
	l.group.Go(func() { carry(ctx, l.ends[0], l.ends[1], newQueue(s, 0)) })
	l.group.Go(func() { carry(ctx, l.ends[1], l.ends[0], newQueue(s, 1)) })
	return l, nil
}

// noOther fails while another line has its near end in this network.
func noOther() error {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("link: %w", err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.Equal(nearAddress) {
			return errors.New("link: another line exists")
		}
	}
	return nil
}

// open makes an interface in the network of the calling thread. It is there until its file
// is closed.
func (l *Link) open(address net.IP) error {
	descriptor, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("link: /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq("bench%d")
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(descriptor, unix.TUNSETIFF, request)
	}
	if err != nil {
		_ = unix.Close(descriptor)
		return fmt.Errorf("link: a TUN interface: %w", err)
	}
	l.ends = append(l.ends, os.NewFile(uintptr(descriptor), request.Name()))
	return configure(request.Name(), address, mask)
}

// Listen listens on a free port of the far network's loopback interface.
func (l *Link) Listen() (ln net.Listener, err error) {
	err = l.far.do(func() (err error) {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	return ln, err
}

// Far is the address of the far end, as seen from both networks.
func (l *Link) Far() string { return farAddress.String() }

// Start calls f, which starts a process, so that the process is in the far network.
func (l *Link) Start(f func() error) error { return l.far.do(f) }

// Close removes both interfaces, and the far network once its processes have ended.
func (l *Link) Close() {
	l.stop()
	for _, end := range l.ends {
		_ = end.Close()
	}
	l.group.Wait()
	l.far.close()
}

// packet is one on its way.
type packet struct {
	bytes   []byte
	arrives time.Time
}

// carry passes packets from one interface to the other until the first is closed. They arrive
// in the order in which they came, as those of one line do.
func carry(ctx context.Context, from, to *os.File, q *queue) {
	line := make(chan packet, 1<<14)
	var group sync.WaitGroup
	group.Go(func() { deliver(ctx, line, to) })
	defer group.Wait()
	defer close(line)
	buffer := make([]byte, maxPacket)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if arrives, ok := q.admit(time.Now(), n); ok {
			line <- packet{append([]byte(nil), buffer[:n]...), arrives}
		}
	}
}

// deliver writes packets when they arrive. One that the interface does not accept is lost, as
// at a real one.
func deliver(ctx context.Context, line <-chan packet, to *os.File) {
	for p := range line {
		select {
		case <-time.After(time.Until(p.arrives)):
		case <-ctx.Done():
			continue // the rest is dropped
		}
		_, _ = to.Write(p.bytes)
	}
}
