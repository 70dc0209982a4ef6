package load

import (
	"bufio"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/lectiospace/lectern/bench/content"
)

// closingServer answers as many requests on each connection as answers has texts, and then
// closes it.
func closingServer(t *testing.T, answers ...string) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(c)
			for _, answer := range answers {
				for line := ""; line != "\r\n"; {
					if line, err = in.ReadString('\n'); err != nil {
						break
					}
				}
				if _, err := c.Write([]byte(answer)); err != nil {
					break
				}
			}
			c.Close()
		}
	}()
	return ln.Addr().String()
}

// TestSessionRetriesOnlyAnIdleConnection: what a server may close at any time is opened anew,
// and nothing that a server may not do is retried.
func TestSessionRetriesOnlyAnIdleConnection(t *testing.T) {
	const n = 1000
	c := content.New(1<<20, 1)
	head, body := honest(c, 0, n)
	answer := head + string(body)
	steps := []Step{{Last: n - 1, Want: n}, {At: 30 * time.Millisecond, Last: n - 1, Want: n}, {At: 60 * time.Millisecond, Last: n - 1, Want: n}}
	for name, one := range map[string]struct {
		answers []string
		retried int64
		fails   bool
	}{
		"closed after each answer":    {[]string{answer}, 2, false},
		"closed after two answers":    {[]string{answer, answer}, 1, false},
		"kept":                        {[]string{answer, answer, answer}, 0, false},
		"a fresh one without answer":  {[]string{""}, 0, true},
		"closed in a head":            {[]string{answer, head[:20]}, 0, true},
		"closed in a body":            {[]string{answer, answer[:len(answer)-1]}, 0, true},
		"closed behind a head's end":  {[]string{answer, head}, 0, true},
		"a refusal on a reused one":   {[]string{answer, "HTTP/1.1 500 no\r\n\r\n"}, 0, true},
		"a first answer without body": {[]string{head}, 0, true},
	} {
		for _, drop := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				target := Target{Addr: closingServer(t, one.answers...), Path: "/lesson", Content: c, Drop: drop}
				r, err := Session(context.Background(), target, 0, steps)
				if (err != nil) != one.fails || r.Retried != one.retried {
					t.Errorf("drop %v: %d retried, %v", drop, r.Retried, err)
				}
				if one.fails && errors.Is(err, context.Canceled) {
					t.Errorf("the error does not say what was wrong: %v", err)
				}
			})
		}
	}
}

// countedReads counts the reads of a connection.
type countedReads struct {
	net.Conn
	reads int
}

func (c *countedReads) Read(p []byte) (int, error) {
	c.reads++
	return c.Conn.Read(p)
}

// TestPaceReadsAtIntervals: what is due grows with every microsecond; a viewer that took it as it
// grows would read a few bytes at a time and cost more than the server.
func TestPaceReadsAtIntervals(t *testing.T) {
	const n, within = 1 << 20, 200 * time.Millisecond
	c := content.New(n, 1)
	target := serve(t, c, nil)
	conn, err := Dial(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	counted := &countedReads{Conn: conn.stream}
	conn.stream = counted
	began := time.Now()
	took, err := conn.play(context.Background(), target, 0, Step{Last: n - 1, Want: n, For: within}, func() {})
	if err != nil || took != n {
		t.Fatalf("%d bytes, %v", took, err)
	}
	if elapsed := time.Since(began); elapsed < within {
		t.Errorf("the bytes of %s were taken in %s", within, elapsed)
	}
	// The head's, and at each interval those of what is due, which may come in several pieces.
	if most := 1 + int(within/paceInterval+1)*8; counted.reads > most {
		t.Errorf("%d reads, more than %d", counted.reads, most)
	}
}
