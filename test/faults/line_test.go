package faults

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/bench/link"
)

var lossy = flag.Bool("line", false, "serve over a line that delays and loses packets, for which root is needed")

// TestLine has the origin and the viewers at the far end of a line that delays, limits and
// loses packets, in both directions. TCP is the kernel's; netem, which does the same, is not in
// every kernel, and package link needs only TUN.
func TestLine(t *testing.T) {
	if !*lossy {
		t.Skip("-line serves over a slow line")
	}
	for _, c := range []struct {
		name  string
		shape link.Shape
	}{
		{"a delay of 50 ms", link.Shape{Delay: 25 * time.Millisecond}},
		{"1 % loss", link.Shape{Delay: 10 * time.Millisecond, Loss: 0.01, Seed: 1}},
		{"5 % loss", link.Shape{Delay: 10 * time.Millisecond, Loss: 0.05, Seed: 2}},
		{"15 % loss", link.Shape{Delay: 5 * time.Millisecond, Loss: 0.15, Seed: 3}},
		{"4 Mbit/s and a short queue", link.Shape{Delay: 20 * time.Millisecond, Rate: 4_000_000, Queue: 30 * time.Millisecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			line, err := link.New(c.shape)
			if err != nil {
				t.Skipf("no line here: %v", err)
			}
			defer line.Close()
			serveOver(t, line)
		})
	}
}

// serveOver serves every viewer once, cold and then warm.
func serveOver(t *testing.T, line *link.Link) {
	c := diskCell(t, t.TempDir(), 3<<20)
	defer c.report(t)
	defer c.upstream.close()
	c.must(c.gateway.close())
	listen := func() (ln net.Listener) {
		c.must(line.Start(func() (err error) {
			ln, err = net.Listen("tcp", line.Far()+":0")
			return err
		}))
		return ln
	}
	// The origin is reached over the line, and so is a second listener of the gateway.
	origin := listen()
	server := &http.Server{Handler: c.upstream}
	var group sync.WaitGroup
	group.Go(func() { _ = server.Serve(origin) })
	defer group.Wait()
	defer server.Close()
	cfg := c.gateway.cfg
	cfg.origin = "http://" + origin.Addr().String()
	var err error
	c.gateway, err = startGateway(cfg)
	c.must(err)
	defer func() { c.must(c.gateway.close()) }()
	public := listen()
	group.Go(func() { _ = c.gateway.proxy.Serve(public) })
	began, answers := time.Now(), 0
	for _, temperature := range []string{"cold", "warm"} {
		for _, v := range viewers {
			if v.tag {
				c.tag = over(c.gateway.addr, request{method: http.MethodHead})[0].Header.Get("ETag")
			}
			for _, r := range v.do(c, public.Addr().String()) {
				answers++
				if why := c.wrong(r, true); why != "" {
					t.Errorf("%s, %s: %s", temperature, v.name, why)
				}
			}
		}
	}
	c.await("an idle gateway", func() string { return c.gateway.idle(false) })
	t.Log(fmt.Sprintf("%d answers in %v", answers, time.Since(began).Round(time.Millisecond)))
}
