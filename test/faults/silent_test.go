package faults

import (
	"net/http"
	"testing"
	"time"
)

// TestSilentConnections: all connections that are kept to an origin have died unnoticed, as
// when a firewall forgets them. That costs a viewer one wait and no answer.
func TestSilentConnections(t *testing.T) {
	for kind, name := range upstreamKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCell(t, kind)
			c.fault, c.dir = healthy, t.TempDir()
			defer c.report(t)
			c.start()
			defer func() { c.must(c.gateway.close()); c.upstream.close() }()
			c.upstream.swapBefore(func() { time.Sleep(300 * time.Millisecond) })
			many := make([]request, 16)
			for i := range many { // most do not exist, which takes a connection all the same
				many[i] = request{method: http.MethodHead, recording: firstSlotID + int64(i)}
			}
			together(c.gateway.addr, many...)
			c.upstream.swapBefore(nil)
			if n := c.upstream.silence(); n < len(many)/2 {
				c.fatalf("only %d connections were kept", n)
			}
			for _, r := range over(c.gateway.addr, request{}, request{recording: otherID}) {
				if why := c.wrong(r, true); why != "" {
					c.fatalf("%s", why)
				}
			}
		})
	}
}
