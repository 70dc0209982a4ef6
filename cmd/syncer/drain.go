package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
)

// webhookServer is a server of webhooks that ends without dropping a connection which it
// has accepted. http.Server.Shutdown alone closes those whose first request it reads
// after it was called.
type webhookServer struct {
	*http.Server
	listener net.Listener
	served   chan struct{} // closed when nothing more is accepted
	// unheard are the connections whose first request has not reached the handler.
	unheard sync.WaitGroup
	heard   sync.Map // of net.Conn to the func() that takes it from unheard, once
}

// heardKey is the context key of that function.
type heardKey struct{}

// newWebhookServer prepares a server for one listener.
func newWebhookServer(server *http.Server, listener net.Listener) *webhookServer {
	s := &webhookServer{Server: server, listener: listener, served: make(chan struct{})}
	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if heard, ok := r.Context().Value(heardKey{}).(func()); ok {
			heard()
		}
		next.ServeHTTP(w, r)
	})
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		s.unheard.Add(1)
		heard := sync.OnceFunc(s.unheard.Done)
		s.heard.Store(c, heard)
		return context.WithValue(ctx, heardKey{}, heard)
	}
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state != http.StateClosed && state != http.StateHijacked {
			return
		}
		if heard, ok := s.heard.LoadAndDelete(c); ok {
			heard.(func())()
		}
	}
	return s
}

// serve accepts until stop closes the listener, and returns nil then.
func (s *webhookServer) serve() error {
	defer close(s.served)
	if err := s.Serve(s.listener); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// stop accepts nothing more, answers what was accepted, and returns when all connections
// are closed or ctx ends. A connection that sends nothing is waited for as long as
// ReadHeaderTimeout.
func (s *webhookServer) stop(ctx context.Context, log *slog.Logger) {
	s.SetKeepAlivesEnabled(false)
	s.listener.Close()
	<-s.served // from here on unheard does not grow
	quiet := make(chan struct{})
	go func() {
		s.unheard.Wait()
		close(quiet)
	}()
	select {
	case <-quiet:
	case <-ctx.Done():
	}
	if err := s.Shutdown(ctx); err != nil {
		log.Warn("syncer: webhooks aborted at the end of the grace", slog.Any("error", err))
		s.Close()
	}
}
