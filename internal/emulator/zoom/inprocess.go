package zoom

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
)

// The hosts of a Server that is reached in its process.
const (
	inProcessAPI = "127.0.0.1:1"
	inProcessCDN = "127.0.0.1:2"
)

// InProcess makes the Server reachable without sockets, instead of Start: through the
// transport. An answer comes when the server has written all of it, or as much as it does
// before it aborts the connection.
func (s *Server) InProcess() http.RoundTripper {
	s.apiAddr, s.cdnAddr = inProcessAPI, inProcessCDN
	return inProcess{inProcessAPI: s.apiHandler(), inProcessCDN: http.HandlerFunc(s.serveCDN)}
}

// inProcess are handlers by host.
type inProcess map[string]http.Handler

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	handler, ok := t[r.URL.Host]
	if r.Body != nil {
		defer r.Body.Close()
	}
	if !ok {
		return nil, fmt.Errorf("there is no host %s", r.URL.Host)
	}
	served := r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	aborted := serveAborted(handler, w, served)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = r
	whole := w.Body.Bytes()
	if n, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64); err == nil {
		resp.ContentLength = n
	} else if !aborted {
		resp.ContentLength = int64(len(whole))
	}
	if aborted {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(whole), cutBody{}))
	}
	return resp, nil
}

// serveAborted serves a request and reports whether its handler has aborted the connection.
func serveAborted(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

// cutBody is the rest of a body whose connection was aborted.
type cutBody struct{}

func (cutBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
