package stream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
)

// lastingAccess is that of oneRecording, whose decisions hold for good. opened is called with each
// range that is opened.
type lastingAccess struct {
	oneRecording
	opened func()
}

func (lastingAccess) Lasting(media.Token, media.Viewer, media.Recording) func() bool {
	return func() bool { return true }
}

func (a lastingAccess) Open(ctx context.Context, obj media.Object, span media.Span) (media.Reader, error) {
	a.opened()
	return a.oneRecording.Open(ctx, obj, span)
}

// TestExchangesAreUsedAgain: those of a connection whose requests are repeated are, but not one that
// a watcher may hold. It would end the next one, or tell what it is not.
func TestExchangesAreUsedAgain(t *testing.T) {
	var watched atomic.Bool
	var h *Handler
	access := lastingAccess{oneRecording{pattern(1000)}, nil}
	access.opened = func() {
		if watched.Load() {
			h.exchanges.appendTo(nil, all)
		}
	}
	h = newHandler(t, access)
	unused := make(chan *exchange, 1) // as a request begins
	addr := serve(t, h, func(c *fasthttp.RequestCtx) {
		kept, _ := c.Conn().(*corkedconn.Conn).Kept.(*connection)
		if kept == nil || kept.repeat == nil {
			unused <- nil
		} else {
			unused <- kept.repeat.unused
		}
		if repeated := h.ServeRepeat(c); string(c.Path()) == "/other" {
			if repeated || kept.repeat != nil {
				t.Errorf("after a request for something else the connection keeps %+v", kept)
			}
		} else if !repeated {
			h.Serve(c, h.records.Begin(c, netip.Addr{}, false), 7)
		}
	})
	client, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() // before the server is shut down
	answers := bufio.NewReader(client)
	request := func(first, length int) *exchange {
		t.Helper()
		last := first + length - 1
		fmt.Fprintf(client, "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token\r\nRange: bytes=%d-%d\r\n\r\n", first, last)
		was := <-unused
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if want := access.content[first : last+1]; err != nil || resp.StatusCode != http.StatusPartialContent || string(body) != string(want) {
			t.Fatalf("%s, %d bytes, %v: want bytes %d to %d", resp.Status, len(body), err, first, last)
		}
		return was
	}
	for i := range 3 { // one, one like it that is remembered, and one that is repeated
		if x := request(i, 10); x != nil && i < 2 {
			t.Errorf("request %d of a connection finds an exchange that nobody uses", i+1)
		}
	}
	x := request(0, 100)
	if x == nil {
		t.Fatal("the exchange of a repeated request is not kept")
	}
	for i := range 5 {
		if next := request(100*i, 50+i); next != x {
			t.Errorf("repeated request %d does not use the exchange of the one before", i)
		}
	}
	watched.Store(true)
	request(1, 1)
	watched.Store(false)
	if request(2, 2) != nil {
		t.Error("an exchange is used again that a watcher has got")
	}
	request(3, 3)
	fmt.Fprint(client, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
	if <-unused == nil {
		t.Error("there is nothing that the last request can drop")
	}
	if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Error(err)
	}
	if n := h.Running(); n != 0 {
		t.Errorf("%d exchanges run", n)
	}
}
