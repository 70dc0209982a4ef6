package main

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener has one connection.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestStopAnswersWhatWasAccepted: a connection whose request comes after the server began
// to stop is answered, and the server waits for it. http.Server.Shutdown alone closes it.
func TestStopAnswersWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, accepted := net.Pipe()
		listener := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		listener.conns <- accepted
		server := newWebhookServer(&http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })}, listener)
		ended, stopped := make(chan error, 1), make(chan struct{})
		go func() { ended <- server.serve() }()
		synctest.Wait()
		go func() {
			server.stop(t.Context(), slog.New(slog.DiscardHandler))
			close(stopped)
		}()
		synctest.Wait()
		select {
		case <-stopped:
			t.Error("the server has stopped without an answer")
		default:
		}
		if err := <-ended; err != nil {
			t.Errorf("serve ends with %v", err)
		}
		if _, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatalf("%v %v", res, err)
		}
		<-stopped
	})
}

// TestStopDoesNotWaitForSilence: connections that were closed, or never send a request,
// keep no server from stopping.
func TestStopDoesNotWaitForSilence(t *testing.T) {
	for name, prepare := range map[string]func(client net.Conn){
		"closed":    func(client net.Conn) { client.Close() },
		"malformed": func(client net.Conn) { go io.WriteString(client, "?\r\n\r\n"); go io.Copy(io.Discard, client) },
		"silent":    func(net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, accepted := net.Pipe()
				defer client.Close()
				listener := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
				listener.conns <- accepted
				server := newWebhookServer(&http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: 5 * time.Second}, listener)
				go func() { _ = server.serve() }()
				synctest.Wait()
				prepare(client)
				server.stop(t.Context(), slog.New(slog.DiscardHandler)) // synctest sees a deadlock
			})
		})
	}
}
