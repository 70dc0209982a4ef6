package intake

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// maxBodies is how many bodies are read at a time. Anybody may send half of one and
	// stall: the bound keeps their memory below maxBodies*maxBody.
	maxBodies = 32
	// bodyWithin is how long one body may take to arrive. Zoom's are a few KiB.
	bodyWithin = 3 * time.Second
	// bodyWait is how long a request waits until fewer bodies are read.
	bodyWait = time.Second
	// keptBody is the largest buffer that is kept for further bodies, in bytes.
	keptBody = 64 << 10
	// lingerUnread is how long a refused request's body is read and dropped, so that its
	// reset does not overtake the answer.
	lingerUnread = 100 * time.Millisecond
)

var (
	errBodiesBusy   = errors.New("too many bodies are being read")
	errBodyTooLarge = errors.New("the body is too large")
)

// bodies are the buffers of webhooks' bodies. Who has one may read a body. Safe for
// concurrent use.
type bodies chan []byte

func newBodies() bodies {
	b := make(bodies, maxBodies)
	for range maxBodies {
		b <- nil
	}
	return b
}

// read reads a request's body. release has to be called once, also after an error; body
// is invalid then. The errors are errBodiesBusy, errBodyTooLarge, os.ErrDeadlineExceeded
// after bodyWithin, or that of the connection.
func (b bodies) read(ctx context.Context, w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	wait := time.NewTimer(bodyWait)
	defer wait.Stop()
	var buf []byte
	select {
	case buf = <-b:
	case <-wait.C:
		return nil, func() {}, errBodiesBusy
	case <-ctx.Done():
		return nil, func() {}, errBodiesBusy
	}
	defer func() {
		kept := buf
		if cap(kept) > keptBody {
			kept = nil
		}
		release = func() { b <- kept[:0] }
	}()
	// Writers that are no connections, as in tests, have no deadlines.
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyWithin))
	if buf, err = readBounded(r.Body, buf); err == nil {
		// The server goes on to read, to notice a hang-up.
		_ = connection.SetReadDeadline(time.Time{})
	}
	return buf, nil, err
}

// readBounded reads r to its end into buf. The buffer grows with what arrives, not with
// what the sender announces: twofold up to keptBody, then to the largest body at once.
// Each step leaves its buffer behind until the next collection, which would double the
// memory of 32 large bodies.
func readBounded(r io.Reader, buf []byte) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			if len(buf) > maxBody {
				return buf, errBodyTooLarge
			}
			size := max(4<<10, 2*cap(buf))
			if size > keptBody {
				size = maxBody + 1
			}
			grown := make([]byte, len(buf), size)
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > maxBody:
			return buf, errBodyTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// refuseBody answers a request whose body could not be read.
func refuseBody(w http.ResponseWriter, err error) answered {
	dropUnread(w)
	switch {
	case errors.Is(err, errBodiesBusy):
		w.Header().Set("Retry-After", retryAfter)
		refuse(w, http.StatusServiceUnavailable, "overloaded", "Too many webhooks are being received. Send it again.")
		return answered{"", "overloaded"}
	case errors.Is(err, errBodyTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "payload_too_large", "The body is larger than 1 MiB.")
		return answered{"", "too_large"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, http.StatusRequestTimeout, "request_timeout", "The body did not arrive in time.")
		return answered{"", "timeout"}
	default:
		refuse(w, http.StatusBadRequest, "incomplete", "The body did not arrive whole.")
		return answered{"", "incomplete"}
	}
}

// dropUnread has the connection closed after an answer. The server would read on for
// what is left of the body otherwise, until its own timeout.
func dropUnread(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerUnread))
}
