package demo_test

import (
	"net"
	"testing"

	"github.com/lectiospace/lectern/internal/demo"
)

// TestListenOnFreePorts: a port in use is replaced, a free one is used as given, and
// what is wrong otherwise is an error.
func TestListenOnFreePorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inUse := taken.Addr().String()
	for _, c := range []struct{ public, admin string }{{inUse, "127.0.0.1:0"}, {"127.0.0.1:0", inUse}} {
		public, admin, err := demo.Listen(c.public, c.admin)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		for _, ln := range []net.Listener{public, admin} {
			if host, _, _ := net.SplitHostPort(ln.Addr().String()); host != "127.0.0.1" || ln.Addr().String() == inUse {
				t.Errorf("%+v: listening on %s", c, ln.Addr())
			}
			ln.Close()
		}
	}
	taken.Close()
	public, admin, err := demo.Listen(inUse, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer public.Close()
	defer admin.Close()
	if public.Addr().String() != inUse {
		t.Errorf("listening on %s instead of %s", public.Addr(), inUse)
	}
	if _, _, err := demo.Listen("192.0.2.1:0", "127.0.0.1:0"); err == nil { // TEST-NET-1 is no address of this machine
		t.Error("no error for an address of another machine")
	}
}
