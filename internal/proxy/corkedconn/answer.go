package corkedconn

import (
	"net"
	"sync"
)

// Answerer answers the requests of a connection of which it knows everything by their bytes. To read
// such a request as a message, and to write the answer as one, costs a server more than the answer
// itself. Its methods are called by the connection's goroutine.
type Answerer interface {
	// Answers reports whether Answer will answer the request. request is what has arrived while
	// the connection waited for one: mostly a whole request, but also a part or several. It is valid
	// until Answers returns.
	Answers(request []byte) bool
	// Answer writes the answer. The connection is closed after an error.
	Answer() error
}

// awaitUnanswered waits until something arrives that the Answerer does not answer, and reads it into
// a buffer. The read deadline is the Answerer's affair once it has answered.
func (c *Conn) awaitUnanswered() error {
	for {
		if err := c.awaitRequest(); err != nil {
			return err
		}
		if c.Answerer == nil || !c.BetweenMessages {
			return nil
		}
		if answered, err := c.answer(); err != nil || !answered {
			return err
		}
	}
}

// answer has the Answerer answer what was read. The buffer is not held while the answer is written.
func (c *Conn) answer() (answered bool, err error) {
	c.answering.begin()
	if c.Answerer.Answers(c.buffered[c.readOff:c.readEnd]) {
		readBuffers.Put(c.buffered)
		c.buffered = nil
		answered, err = true, c.Answerer.Answer()
	}
	if c.answering.end() {
		_ = c.Close()
		return answered, net.ErrClosed
	}
	return answered, err
}

// answering is whether an answer is being written, and whether somebody wanted to close the
// connection meanwhile. Safe for concurrent use.
type answering struct {
	mu      sync.Mutex
	now     bool // guarded by mu
	closing bool // guarded by mu
}

func (a *answering) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = true
}

// end reports whether the connection is to be closed.
func (a *answering) end() (closing bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = false
	return a.closing
}

// closeAfter reports whether the connection is closed after the answer.
func (a *answering) closeAfter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closing = a.closing || a.now
	return a.now
}
