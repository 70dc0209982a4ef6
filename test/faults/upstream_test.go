package faults

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/emulator"
	driveemu "github.com/lectiospace/lectern/internal/emulator/drive"
	s3emu "github.com/lectiospace/lectern/internal/emulator/s3"
)

// upstreamKind is a kind of origin: its provider, and how versions are read there.
type upstreamKind int

const (
	driveRevisions upstreamKind = iota // Drive: reads name the revision
	driveHead                          // Drive, where revisions may not be read: reads are of the head
	s3Bucket                           // S3: reads name the ETag
	driveTLS                           // Drive over TLS
)

var upstreamKinds = []string{"Drive", "Drive without revisions", "S3", "Drive over TLS"}

// target says which requests a fault is for.
type target int

const (
	onMedia    target = iota // requests for bytes
	onMetadata               // requests that describe an object
	onAll
)

// upstream is the origin of one cell: an emulator, and a fault that replaces its answers on
// the wire. Safe for concurrent use.
type upstream struct {
	kind   upstreamKind
	drive  *driveemu.Server // nil for S3
	bucket *s3emu.Server    // nil for Drive
	addr   string
	tls    *tls.Config // nil: in the clear
	done   chan struct{}

	mu     sync.Mutex
	server *http.Server  // nil while connections are refused; guarded by mu
	ended  chan struct{} // closed when server has; guarded by mu
	fault  *fault        // nil: none; guarded by mu
	left   int           // requests that it is still for; negative: all; guarded by mu
	hits   int           // requests that it was for; guarded by mu
	swap   func()        // called before each request; may be nil; guarded by mu
	kept   int           // open connections; guarded by mu
	era    int           // connections of earlier ones get no answers; guarded by mu
	active int           // requests being answered, stalled ones included; guarded by mu
	// barrier holds requests for bytes of the objects slot-0, slot-1 … until so many have come;
	// 0: none. Guarded by mu.
	barrier  int
	waiting  map[string]bool // guarded by mu
	released chan struct{}   // closed when all have come; guarded by mu
}

const s3BucketName = "lessons"

// newUpstream starts an origin on a loopback address of its own, so that nobody takes the port
// while its connections are refused.
func newUpstream(kind upstreamKind, number int) (*upstream, error) {
	u := &upstream{kind: kind, done: make(chan struct{}), addr: fmt.Sprintf("127.%d.%d.%d:0", 1+number>>16&0x7f, number>>8&0xff, 1+number&0x7f)}
	if kind == s3Bucket {
		u.bucket = s3emu.New(s3emu.Config{Bucket: s3BucketName})
	} else {
		u.drive = driveemu.New()
		u.drive.SetDefaults(driveemu.Faults{NoRevisions: kind == driveHead})
	}
	if kind == driveTLS {
		u.addr, u.tls = "127.0.0.1:0", serverTLS
	}
	return u, u.listen()
}

// listen accepts connections, on the port of before if there is one.
func (u *upstream) listen() (err error) {
	var ln net.Listener
	for range 200 {
		if ln, err = net.Listen("tcp", u.addr); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond) // an outgoing connection has the port for a moment
	}
	if err != nil {
		return err
	}
	u.addr = ln.Addr().String()
	if u.tls != nil {
		ln = tls.NewListener(ln, u.tls)
	}
	server, ended := &http.Server{Handler: u, ErrorLog: log.New(io.Discard, "", 0), ConnContext: u.connContext, ConnState: u.connState}, make(chan struct{})
	u.mu.Lock()
	u.server, u.ended = server, ended
	u.mu.Unlock()
	go func() {
		defer close(ended)
		_ = server.Serve(ln)
	}()
	return nil
}

// refuse closes the listener and all connections.
func (u *upstream) refuse() {
	u.mu.Lock()
	server, ended := u.server, u.ended
	u.server = nil
	u.mu.Unlock()
	if server != nil {
		_ = server.Close()
		<-ended
	}
}

// close ends the origin and what it has stalled.
func (u *upstream) close() {
	close(u.done)
	u.refuse()
}

func (u *upstream) url() string {
	if u.tls != nil {
		return "https://" + u.addr
	}
	return "http://" + u.addr
}

// put stores an object, or replaces one.
func (u *upstream) put(key string, data []byte) {
	if u.bucket != nil {
		u.bucket.Put(key, data, "video/mp4")
		return
	}
	u.drive.Put(driveemu.File{ID: key, Name: key + ".mp4", MimeType: "video/mp4", Content: emulator.Bytes(data)})
}

// remove deletes an object.
func (u *upstream) remove(key string) {
	if u.bucket != nil {
		r := httptest.NewRequest(http.MethodDelete, "/"+s3BucketName+"/"+key, nil)
		u.bucket.ServeHTTP(httptest.NewRecorder(), r)
		return
	}
	u.drive.Remove(key)
}

// begin applies a fault from now on.
func (u *upstream) begin(f *fault) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fault, u.left, u.hits = f, -1, 0
	if f.only > 0 {
		u.left = f.only
	}
}

// cease ends the fault. Requests that it has stalled stay stalled.
func (u *upstream) cease() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fault = nil
}

// swapBefore has a function called before each request, or none.
func (u *upstream) swapBefore(f func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.swap = f
}

// eraKey is the key of a connection's era in the context of its requests.
type eraKey struct{}

// connContext remembers when a connection was opened.
func (u *upstream) connContext(ctx context.Context, _ net.Conn) context.Context {
	u.mu.Lock()
	defer u.mu.Unlock()
	return context.WithValue(ctx, eraKey{}, u.era)
}

func (u *upstream) connState(_ net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch state {
	case http.StateNew:
		u.kept++
	case http.StateHijacked, http.StateClosed:
		u.kept--
	}
}

// silence has no further request on the connections of now answered, and says how many they
// are. New connections are served.
func (u *upstream) silence() (connections int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.era++
	return u.kept
}

// silent says of a request's connection that it was silenced.
func (u *upstream) silent(r *http.Request) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return r.Context().Value(eraKey{}).(int) < u.era
}

// hitCount is how many requests the fault was for.
func (u *upstream) hitCount() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.hits
}

// running is how many requests are being answered or stalled.
func (u *upstream) running() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.active
}

// hold keeps the answers for n slot objects until all n have been requested. The channel is
// closed then.
func (u *upstream) hold(n int) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.barrier, u.waiting, u.released = n, map[string]bool{}, make(chan struct{})
	return u.released
}

// isMedia reports whether a request is for bytes.
func (u *upstream) isMedia(r *http.Request) bool {
	if u.bucket != nil {
		return r.Method == http.MethodGet
	}
	return r.URL.Query().Get("alt") == "media"
}

// faultOf is the fault of a request, or nil, and counts its use.
func (u *upstream) faultOf(r *http.Request) *fault {
	media := u.isMedia(r)
	u.mu.Lock()
	defer u.mu.Unlock()
	f := u.fault
	if f != nil && f.answer == nil && f.begin != nil {
		u.hits++ // the emulator answers, of what the fault has left
	}
	if f == nil || f.answer == nil || u.left == 0 || f.on == onMedia && !media || f.on == onMetadata && media {
		return nil
	}
	if u.left > 0 {
		u.left--
	}
	u.hits++
	return f
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.active++
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		u.active--
		u.mu.Unlock()
	}()
	if u.silent(r) {
		select {
		case <-r.Context().Done():
		case <-u.done:
		}
		panic(http.ErrAbortHandler)
	}
	u.awaitBarrier(r)
	u.mu.Lock()
	swap := u.swap
	u.mu.Unlock()
	if swap != nil {
		swap()
	}
	f := u.faultOf(r)
	if f == nil {
		u.emulator().ServeHTTP(w, r)
		return
	}
	recorded := httptest.NewRecorder()
	u.emulator().ServeHTTP(recorded, r)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Time{})
	f.answer(&wire{
		u: u, r: r, conn: conn, from: buffered.Reader, at: f.at,
		status: recorded.Code, header: recorded.Header(), body: recorded.Body.Bytes(),
	})
}

func (u *upstream) emulator() http.Handler {
	if u.bucket != nil {
		return u.bucket
	}
	return u.drive
}

// awaitBarrier holds a request of a slot object.
func (u *upstream) awaitBarrier(r *http.Request) {
	_, slot, ok := strings.Cut(r.URL.Path, "slot-")
	u.mu.Lock()
	if !ok || u.barrier == 0 || !u.isMedia(r) {
		u.mu.Unlock()
		return
	}
	slot, _, _ = strings.Cut(slot, "/")
	u.waiting[slot] = true
	released := u.released
	if len(u.waiting) == u.barrier {
		u.barrier = 0
		close(released)
	}
	u.mu.Unlock()
	select {
	case <-released:
	case <-r.Context().Done():
	case <-u.done:
	}
}

// wire is one answer that a fault writes: what the emulator has answered, and the connection.
type wire struct {
	u      *upstream
	r      *http.Request
	conn   net.Conn
	from   *bufio.Reader
	at     int // the byte of the body at which something happens, if it has so many
	status int
	header http.Header
	body   []byte
}

// cutAt is the byte of the body at which something happens.
func (w *wire) cutAt() int { return min(w.at, len(w.body)) }

// set replaces a header field; "" removes it.
func (w *wire) set(name, value string) {
	if value == "" {
		w.header.Del(name)
	} else {
		w.header.Set(name, value)
	}
}

// head writes the status line and the header.
func (w *wire) head() {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = w.header.Write(&b)
	b.WriteString("\r\n")
	w.write(b.Bytes())
}

func (w *wire) write(p []byte) { _, _ = w.conn.Write(p) }

// ask replaces the answer by the emulator's to another request.
func (w *wire) ask(r *http.Request) {
	recorded := httptest.NewRecorder()
	w.u.emulator().ServeHTTP(recorded, r)
	w.status, w.header, w.body = recorded.Code, recorded.Header(), recorded.Body.Bytes()
}

// hasBody reports whether the answer may have one.
func (w *wire) hasBody() bool { return w.r.Method != http.MethodHead }

// sendAll writes the answer, with the length that its body has.
func (w *wire) sendAll() {
	if w.hasBody() {
		w.set("Content-Length", strconv.Itoa(len(w.body)))
	}
	w.sendAs()
}

// sendAs writes the answer under the header that is set.
func (w *wire) sendAs() {
	w.set("Connection", "close")
	w.head()
	if w.hasBody() {
		w.write(w.body)
	}
	w.drain()
}

// drain waits for the client's end, so that the close is no reset.
func (w *wire) drain() {
	if c, ok := w.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	_ = w.conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.Copy(io.Discard, w.from)
}

// stall sends nothing more until the client closes the connection, or the origin ends.
func (w *wire) stall() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, w.from)
	}()
	select {
	case <-closed:
	case <-w.u.done:
		_ = w.conn.Close()
		<-closed
	}
}

// reset closes the connection by RST.
func (w *wire) reset() {
	tcp := w.tcp()
	_ = tcp.SetLinger(0)
	_ = tcp.Close()
}

// cut closes the connection below TLS: without its closing alert.
func (w *wire) cut() { _ = w.tcp().Close() }

func (w *wire) tcp() *net.TCPConn {
	if c, ok := w.conn.(*tls.Conn); ok {
		return c.NetConn().(*net.TCPConn)
	}
	return w.conn.(*net.TCPConn)
}

// refuse answers with the API's error body of a status and a reason.
func (w *wire) refuse(status int, reason string) {
	w.status = status
	w.header = http.Header{"Content-Type": {"application/json; charset=UTF-8"}}
	w.body = []byte(fmt.Sprintf(`{"error":{"code":%d,"message":"emulated","errors":[{"domain":"global","reason":%q}]}}`, status, reason))
	if w.u.bucket != nil {
		w.header.Set("Content-Type", "application/xml")
		w.body = []byte(`<?xml version="1.0"?><Error><Code>` + reason + `</Code><Message>emulated</Message></Error>`)
	}
}

// page answers with an HTML page.
func (w *wire) page(status int) {
	w.status, w.header = status, http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	w.body = []byte("<html><body>Please sign in to this network.</body></html>")
}
