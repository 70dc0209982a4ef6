// Package faultproxy is an HTTP proxy in front of a server of a test that lies on request:
// it delays, cuts off, damages, refuses and loses what goes through it.
package faultproxy

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Fault is what goes wrong with the requests that it matches. Zero fields change nothing.
type Fault struct {
	// Match says which requests it is for; nil = all. It may use the proxy.
	Match func(*http.Request) bool
	// Times is how many requests it is for; 0 = all.
	Times int

	// Status is answered in place of the server, with Header and Body.
	Status int
	Header map[string]string
	Body   string
	// Forward lets the server do what is asked although Status is answered: a lost answer.
	Forward bool
	// Reset closes the connection instead of an answer, after Forward if that is set.
	Reset bool

	// Rewrite changes the request before it is forwarded, as one that drops conditions does.
	Rewrite func(*http.Request)
	// DamageRequest flips a bit of the request's first byte.
	DamageRequest bool

	// SetHeader replaces headers of the answer; "" deletes one.
	SetHeader map[string]string
	// AnswerStatus replaces the answer's status, and keeps its body.
	AnswerStatus int
	// Damage flips a bit of the answer's body at an offset from its beginning, if that is > 0.
	Damage int64
	// CutAfter closes the connection after so many bytes of the answer's body, if that is > 0.
	CutAfter int64
	// Stall sends nothing more after CutAfter bytes and keeps the connection until the client
	// closes it.
	Stall bool
	// Pause is waited between pieces of PauseEvery bytes.
	Pause      time.Duration
	PauseEvery int64
	// At is called when CutAfter bytes of the answer have been sent, which then goes on.
	At func()
}

// limited is a fault and how many requests it is still for; negative = all.
type limited struct {
	Fault
	left int
}

// Proxy is a handler. Safe for concurrent use.
type Proxy struct {
	target    string // scheme and host
	transport *http.Transport

	mu      sync.Mutex
	faults  []*limited
	counts  map[string]int
	bytes   int64
	running int
	idle    sync.Cond // running has become 0
}

// New makes a proxy of a server by its URL without a path. Close it.
func New(target string) *Proxy {
	p := &Proxy{target: target, transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}, counts: map[string]int{}}
	p.idle.L = &p.mu
	return p
}

// Close closes the connections to the server.
func (p *Proxy) Close() { p.transport.CloseIdleConnections() }

// Set replaces the faults; the first that matches a request counts.
func (p *Proxy) Set(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
	for _, f := range faults {
		left := f.Times
		if left == 0 {
			left = -1
		}
		p.faults = append(p.faults, &limited{f, left})
	}
}

// AwaitIdle waits until no request is under way. What a client that went away had sent is received
// for a moment longer.
func (p *Proxy) AwaitIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.running > 0 {
		p.idle.Wait()
	}
}

// add counts the requests that are under way.
func (p *Proxy) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running += n; p.running == 0 {
		p.idle.Broadcast()
	}
}

// Received is how many bytes of request bodies the server has got through the proxy.
func (p *Proxy) Received() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bytes
}

// Count is how many requests of a method have been forwarded whose query has a parameter
// with a value, as comp=block.
func (p *Proxy) Count(method, param, value string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[method+" "+param+"="+value]
}

// take finds the fault of a request. Match is called without the lock: it may use the proxy.
func (p *Proxy) take(r *http.Request) Fault {
	p.mu.Lock()
	faults := p.faults
	p.mu.Unlock()
	for _, f := range faults {
		if (f.Match == nil || f.Match(r)) && p.use(f) {
			return f.Fault
		}
	}
	return Fault{}
}

// use counts a use of a fault; false when it has been used up.
func (p *Proxy) use(f *limited) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.left == 0 {
		return false
	}
	if f.left > 0 {
		f.left--
	}
	return true
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.add(1)
	defer p.add(-1)
	fault := p.take(r)
	if fault.Status == 0 && !fault.Reset {
		if resp := p.forward(w, r, fault); resp != nil {
			answer(w, r, resp, fault)
		}
		return
	}
	if fault.Forward {
		resp := p.forward(w, r, fault)
		if resp == nil {
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	} else {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	if fault.Reset {
		panic(http.ErrAbortHandler)
	}
	for name, v := range fault.Header {
		w.Header().Set(name, v)
	}
	w.WriteHeader(fault.Status)
	_, _ = io.WriteString(w, fault.Body)
}

// forward sends a request to the server; nil after it has answered a failure itself.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, fault Fault) *http.Response {
	body := &countedBody{r: r.Body, p: p, damage: fault.DamageRequest}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.target+r.URL.RequestURI(), body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return nil
	}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	out.Header, out.ContentLength, out.Host = r.Header.Clone(), r.ContentLength, r.Host
	if fault.Rewrite != nil {
		fault.Rewrite(out)
	}
	p.mu.Lock()
	for param, values := range r.URL.Query() {
		p.counts[r.Method+" "+param+"="+values[0]]++
	}
	p.mu.Unlock()
	resp, err := p.transport.RoundTrip(out)
	if err != nil {
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, err.Error(), http.StatusBadGateway)
		return nil
	}
	return resp
}

// countedBody counts what the server reads of a request.
type countedBody struct {
	r      io.Reader
	p      *Proxy
	damage bool
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if n > 0 && b.damage {
		p[0] ^= 1
		b.damage = false
	}
	b.p.mu.Lock()
	b.p.bytes += int64(n)
	b.p.mu.Unlock()
	return n, err
}

// answer sends the server's answer on, as the fault wants it.
func answer(w http.ResponseWriter, r *http.Request, resp *http.Response, fault Fault) {
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	if resp.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	}
	for name, v := range fault.SetHeader {
		if v == "" {
			w.Header().Del(name)
		} else {
			w.Header().Set(name, v)
		}
	}
	status := resp.StatusCode
	if fault.AnswerStatus != 0 {
		status = fault.AnswerStatus
	}
	w.WriteHeader(status)
	s := &sender{w: w, r: r, fault: fault}
	if err := s.copy(resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// sender sends one body.
type sender struct {
	w     http.ResponseWriter
	r     *http.Request
	fault Fault
	sent  int64
}

var errCut = errors.New("cut off")

func (s *sender) copy(body io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		if s.fault.CutAfter > 0 && s.sent == s.fault.CutAfter {
			if err := s.atCut(); err != nil {
				return err
			}
		}
		n, err := body.Read(buf[:s.next(int64(len(buf)))])
		if n > 0 {
			if err := s.send(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// next is how many bytes may be sent before something happens.
func (s *sender) next(most int64) int64 {
	if left := s.fault.CutAfter - s.sent; left > 0 {
		most = min(most, left)
	}
	if s.fault.PauseEvery > 0 {
		most = min(most, s.fault.PauseEvery)
	}
	return most
}

func (s *sender) send(piece []byte) error {
	if at := s.fault.Damage - s.sent; s.fault.Damage > 0 && at >= 0 && at < int64(len(piece)) {
		piece[at] ^= 1
	}
	if _, err := s.w.Write(piece); err != nil {
		return err
	}
	s.sent += int64(len(piece))
	if s.fault.Pause == 0 {
		return nil
	}
	if err := http.NewResponseController(s.w).Flush(); err != nil {
		return err
	}
	select {
	case <-s.r.Context().Done():
		return s.r.Context().Err()
	case <-time.After(s.fault.Pause):
		return nil
	}
}

// atCut is what happens after CutAfter bytes.
func (s *sender) atCut() error {
	if err := http.NewResponseController(s.w).Flush(); err != nil {
		return err
	}
	switch {
	case s.fault.At != nil:
		s.fault.At()
		s.fault.CutAfter = 0
		return nil
	case s.fault.Stall:
		<-s.r.Context().Done()
		return s.r.Context().Err()
	}
	return errCut
}
