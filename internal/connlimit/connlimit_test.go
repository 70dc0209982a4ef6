package connlimit

import (
	"errors"
	"net"
	"testing"
)

type fakeConn struct {
	net.Conn
	from   net.Addr
	closed *int
}

func (c fakeConn) RemoteAddr() net.Addr { return c.from }
func (c fakeConn) Close() error         { *c.closed++; return nil }

var errEnd = errors.New("no more")

// TestLimits: a connection beyond a limit is closed at once, others are served, and what is
// closed, twice as well, makes room for one.
func TestLimits(t *testing.T) {
	var closed int
	for _, c := range []struct {
		name string
		from []string
		want int
	}{
		{"one address", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"}, 2},
		{"several", []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"}, 3},
		{"one /64", []string{"2001:db8::1", "2001:db8::2", "2001:db8::3"}, 2},
		{"mapped", []string{"::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"}, 2},
		{"a proxy on this machine", []string{"127.0.0.1", "127.0.0.1", "127.0.0.1", "::1"}, 4},
		{"all together", []string{"127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "192.0.2.1"}, 4},
	} {
		closed = 0
		source := &fakeListener{from: c.from, closed: &closed}
		l := New(source, 4, 2)
		var open []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			open = append(open, conn)
		}
		if len(open) != c.want || closed != len(c.from)-c.want {
			t.Errorf("%s: %d accepted, %d closed", c.name, len(open), closed)
		}
		open[0].Close()
		open[0].Close()
		source.from = []string{c.from[0], c.from[0]}
		conn, err := l.Accept()
		if err != nil {
			t.Fatalf("%s: none after a close", c.name)
		}
		if _, err := l.Accept(); err == nil && c.want == 4 {
			t.Errorf("%s: two after one close", c.name)
		}
		conn.Close()
		for _, conn := range open[1:] {
			conn.Close()
		}
	}
}

// fakeListener accepts connections from the addresses of a list.
type fakeListener struct {
	net.Listener
	from   []string
	closed *int
}

func (l *fakeListener) Accept() (net.Conn, error) {
	if len(l.from) == 0 {
		return nil, errEnd
	}
	from := l.from[0]
	l.from = l.from[1:]
	return fakeConn{from: &net.TCPAddr{IP: net.ParseIP(from), Port: 1}, closed: l.closed}, nil
}
