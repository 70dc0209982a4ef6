package tcpmemory

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseSockstat(t *testing.T) {
	page := int64(os.Getpagesize())
	for text, want := range map[string]int64{
		"sockets: used 10027\nTCP: inuse 10014 orphan 0 tw 455 alloc 10014 mem 338901\nUDP: inuse 0 mem 7\n": 338901 * page,
		"TCP: mem 0\n":                          0,
		"sockets: used 3\nUDP: inuse 0 mem 7\n": -1,
		"TCP: inuse 4 orphan 0\n":               -1,
		"TCP: inuse 4 mem\n":                    -1,
		"TCP: inuse 4 mem many\n":               -1,
		"":                                      -1,
	} {
		if got, known := parseSockstat([]byte(text)); known != (want >= 0) || known && got != want {
			t.Errorf("%q: %d, %t, want %d", text, got, known, want)
		}
	}
}

// TestBoundAndUsed: the kernel's own files are understood. What connections hold unsent counts.
func TestBoundAndUsed(t *testing.T) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	if all, bound := int64(info.Totalram*uint64(info.Unit)), Bound(); bound <= 0 || bound > all {
		t.Errorf("TCP may use %d of %d bytes", bound, all)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	// Processors keep some of it to themselves: only what is much is seen.
	for range 8 {
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		if err := client.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := client.Write(make([]byte, 64<<20)); !os.IsTimeout(err) {
			t.Fatalf("%d bytes were sent that nobody reads: %v", n, err)
		}
	}
	if used, known := Used(); !known || used < 1<<20 {
		t.Errorf("%d bytes are used, known: %t, while eight connections are full", used, known)
	}
}
