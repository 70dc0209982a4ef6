package faults

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// nameServer answers every name with 127.0.0.1, or fails in one of several ways.
type nameServer struct {
	conn    net.PacketConn
	mode    atomic.Int32
	queries atomic.Int64
}

// How a name server fails.
const (
	dnsWorks    int32 = iota
	dnsSilent         // no answer
	dnsNoName         // NXDOMAIN
	dnsFailure        // SERVFAIL
	dnsNoRecord       // the name exists and has no address
)

// startNameServer has this process resolve names at a server of the test.
func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn}
	ended := make(chan struct{})
	go func() { defer close(ended); s.serve() }()
	usual := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = usual; conn.Close(); <-ended })
	return s
}

// serve answers until the connection is closed. RFC 1035 section 4 has the format.
func (s *nameServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		s.queries.Add(1)
		if answer := s.answer(buf[:n]); answer != nil {
			_, _ = s.conn.WriteTo(answer, from)
		}
	}
}

func (s *nameServer) answer(query []byte) []byte {
	mode := s.mode.Load()
	if mode == dnsSilent || len(query) < 17 {
		return nil
	}
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the name's end, type and class
	if end > len(query) {
		return nil
	}
	isA := binary.BigEndian.Uint16(query[end-4:]) == 1
	out := append([]byte(nil), query[:end]...)
	binary.BigEndian.PutUint16(out[2:], 0x8580) // an authoritative answer
	clear(out[6:12])
	switch {
	case mode == dnsNoName:
		out[3] |= 3
	case mode == dnsFailure:
		out[3] |= 2
	case mode == dnsWorks && isA:
		out[7] = 1
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1) // the question's name, A, IN, TTL 0
	}
	return out
}

// TestNameServerAway: what is cached is served while the origin's name cannot be resolved,
// everything else gets a clear error, and all is well once it can be resolved again.
func TestNameServerAway(t *testing.T) {
	server := startNameServer(t)
	for mode, name := range map[int32]string{dnsSilent: "silent", dnsNoName: "no such name", dnsFailure: "failure", dnsNoRecord: "no address"} {
		t.Run(name, func(t *testing.T) {
			c := &cell{t: t, log: &lockedBuffer{}, tags: map[string]string{}, dir: t.TempDir(), kind: driveRevisions, content: bytesOfAll[:sizes[0]], next: bytesOfAll[1<<20:][:sizes[0]-7]}
			defer c.report(t)
			var err error
			c.upstream, err = newUpstream(c.kind, int(mode))
			c.must(err)
			defer c.upstream.close()
			c.upstream.put(lessonKey, c.content)
			c.upstream.put(otherKey, bytesOfAll[3<<20:][:900_000])
			// The name's address is 127.0.0.1, where the origin has to listen.
			relay := startRelay(t, "127.0.0.1:0", c.upstream.addr)
			_, port, _ := net.SplitHostPort(relay.Addr().String())
			c.gateway, err = startGateway(gatewayConfig{
				dir: c.dir, cacheSize: 64 << 20, memory: 24 * chunkSize, recheck: 300 * time.Millisecond, timeout: 3 * time.Second,
				origin: "http://origin.test:" + port, kind: c.kind, log: c.log,
			})
			c.must(err)
			defer func() { c.must(c.gateway.close()) }()
			server.mode.Store(dnsWorks)
			c.warm(request{})
			server.mode.Store(mode)
			relay.closeConnections()
			before := server.queries.Load()
			for _, r := range over(c.gateway.addr, request{}, request{recording: otherID}) {
				if why := c.wrong(r, r.request.recording == 0); why != "" {
					t.Errorf("while the name cannot be resolved: %s", why)
				}
				if r.request.recording == otherID && r.StatusCode < 500 {
					t.Errorf("what is not cached: %s", r.Status)
				}
			}
			if server.queries.Load() == before {
				t.Error("the name was not looked up")
			}
			server.mode.Store(dnsWorks)
			c.await("recovery", func() string {
				return c.wrong(over(c.gateway.addr, request{recording: otherID})[0], true)
			})
			c.await("an idle gateway", func() string { return c.gateway.idle(false) })
		})
	}
}

// report fails the test when the cell has failed.
func (c *cell) report(t *testing.T) {
	t.Helper()
	switch p := recover().(type) {
	case nil:
	case cellFailure:
		t.Errorf("%s", p.text)
	default:
		panic(p)
	}
	if t.Failed() {
		t.Logf("%s", strings.TrimSpace(c.log.String()))
	}
}
