package stream

import (
	"bytes"
	"hash/maphash"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/corkedconn"
	"github.com/lectiospace/lectern/internal/proxy/precondition"
)

// repeat is what a connection remembers of a request for one range: a player's next request
// is the same, byte for byte, but for the value of Range. Everything else that was read of
// the request, and decided, then holds again, as long as the decision does.
//
// It is dropped with the first request that differs and when the decision no longer holds.
// The request's bytes include its credentials. They stay in memory as long as the connection
// is open, for Config.KeepAlive when it is idle, and reach nothing else.
type repeat struct {
	request requestBytes
	// holds reports whether viewer and recording would be decided the same way.
	holds     func() bool
	record    accesslog.Record // as it began
	params    requestParams    // without tokens
	viewer    media.Viewer
	recording media.Recording

	object   media.Object
	metadata metadata
	valid    precondition.Validators
	// header is the answer's. Of its fields only Server-Timing, Content-Range, Content-Length
	// and Cache-Status differ from one range of the object to the next.
	header fasthttp.ResponseHeader
	// common is what every answer has, errors included.
	common fasthttp.ResponseHeader

	// unused is the last exchange, where the next one may have its memory; else nil. Most of what a
	// small range leaves to be collected is its exchange, and first bytes come late while the
	// garbage collector works.
	unused *exchange
}

// requestBytes are the bytes of a GET without the value of its Range.
type requestBytes struct {
	protocol, target string
	before, after    string // of the header fields, around the value
}

// ServeRepeat answers a request that differs from the connection's last one in nothing but the
// value of Range. It reports false, and has done nothing, where the request is another one or
// has to be decided anew: Serve answers it then. The body is written as after Serve.
func (h *Handler) ServeRepeat(c *fasthttp.RequestCtx) bool {
	conn, ok := c.Conn().(*corkedconn.Conn)
	if !ok {
		return false
	}
	kept, ok := conn.Kept.(*connection)
	if !ok || kept.repeat == nil {
		return false
	}
	r := kept.repeat
	kept.repeat = nil // also where holds panics: the next request is decided anew
	if !r.request.match(&c.Request.Header) || !r.holds() {
		return false
	}
	kept.repeat = r
	x := h.newRepeated(conn, r, string(c.Request.Header.Peek("Range")))
	x.run(&c.Response, func() { h.resetResponse(c) })
	return true
}

// newRepeated returns the exchange of a request that is r's but for its range, and came now.
func (h *Handler) newRepeated(conn *corkedconn.Conn, r *repeat, rangeHeader string) *exchange {
	rec := r.record
	rec.Began = h.now()
	x := h.newExchange(conn, rec)
	x.params, x.repeat = r.params, r
	x.params.rangeHeader = rangeHeader
	return x
}

// match reports whether a request has these bytes around the value of its Range.
func (b *requestBytes) match(h *fasthttp.RequestHeader) bool {
	if !h.IsGet() || string(h.RequestURI()) != b.target || string(h.Protocol()) != b.protocol {
		return false
	}
	value, ok := b.valueIn(h.RawHeaders())
	return ok && bytes.IndexByte(value, '\n') < 0
}

// valueIn returns what header fields have between these bytes.
func (b *requestBytes) valueIn(fields []byte) (value []byte, ok bool) {
	end := len(fields) - len(b.after)
	if end < len(b.before) || string(fields[:len(b.before)]) != b.before || string(fields[end:]) != b.after {
		return nil, false
	}
	return fields[len(b.before):end], true
}

// rangeOf returns the value of Range where a message is these bytes around that of a single range.
// The value may be one that no range has.
func (b *requestBytes) rangeOf(message []byte) (value []byte, ok bool) {
	if b.protocol != "HTTP/1.1" {
		return nil, false
	}
	fields := message
	for _, part := range [...]string{"GET ", b.target, " HTTP/1.1\r\n"} {
		if len(fields) < len(part) || string(fields[:len(part)]) != part {
			return nil, false
		}
		fields = fields[len(part):]
	}
	if value, ok = b.valueIn(fields); !ok {
		return nil, false
	}
	value = bytes.TrimLeft(value, " ")
	const unit = "bytes="
	if !bytes.HasPrefix(value, []byte(unit)) || !isSpan(value[len(unit):]) {
		return nil, false
	}
	return value, true
}

// isSpan reports whether s is digits or nothing, a hyphen, and digits or nothing.
func isSpan(s []byte) bool {
	hyphens := 0
	for _, c := range s {
		if c == '-' {
			hyphens++
		} else if c < '0' || c > '9' {
			return false
		}
	}
	return hyphens == 1
}

// requestBytesOf cuts the value of Range out of a request. ok is false for a request that may
// not be remembered: another method, a body or the wait for one, no Range or several, one in
// several lines, or lines that end in LF alone.
func requestBytesOf(h *fasthttp.RequestHeader) (b requestBytes, ok bool) {
	if !h.IsGet() || h.ContentLength() > 0 || len(h.Peek("Transfer-Encoding")) > 0 || len(h.Peek("Expect")) > 0 || len(h.PeekAll("Range")) != 1 {
		return requestBytes{}, false
	}
	raw := string(h.RawHeaders())
	if strings.Count(raw, "\n") != strings.Count(raw, "\r\n") { // where such a message ends is a matter of opinion
		return requestBytes{}, false
	}
	const name = "range:"
	for at := 0; at+len(name) < len(raw); {
		length := strings.IndexByte(raw[at:], '\n') + 1
		if length == 0 {
			break
		}
		if strings.EqualFold(raw[at:at+len(name)], name) {
			if next := raw[at+length:]; next != "" && (next[0] == ' ' || next[0] == '\t') {
				return requestBytes{}, false // the value goes on in the next line
			}
			end := at + len(strings.TrimRight(raw[at:at+length], "\r\n"))
			return requestBytes{string(h.Protocol()), string(h.RequestURI()), raw[:at+len(name)], raw[end:]}, true
		}
		at += length
	}
	return requestBytes{}, false
}

// requestSeed keeps clients from choosing requests of one digest.
var requestSeed = maphash.MakeSeed()

// digest tells requests apart well enough to say that one is probably repeated.
func (b *requestBytes) digest() uint64 {
	var m maphash.Hash
	m.SetSeed(requestSeed)
	for _, part := range []string{b.protocol, b.target, b.before, b.after} {
		m.WriteString(part)
		m.WriteByte(0)
	}
	return m.Sum64()
}

// repeated returns the bytes of a request that is remembered once it is answered: one like the
// request before it. A connection with a single request, such as that of a viewer who
// downloads all of a lesson, keeps no bytes.
func (k *connection) repeated(h *fasthttp.RequestHeader) *requestBytes {
	b, ok := requestBytesOf(h)
	if !ok {
		k.digest = 0
		return nil
	}
	digest := b.digest()
	if digest != k.digest {
		k.digest = digest
		return nil
	}
	return &b
}

// decideLasting asks how long the decision for a request that is to be remembered holds.
func (x *exchange) decideLasting() {
	token := x.lastingToken
	x.lastingToken = media.Token{}
	if token.Value != "" {
		x.holds = x.h.access.Lasting(token, x.viewer, x.recording)
	}
}

// remember keeps what the next request of the connection will need again, where the decision
// can be checked, and the validators will stay as they are.
func (x *exchange) remember(resp *fasthttp.Response) {
	if x.holds == nil || resp.ConnectionClose() || x.metadata.modified != "" && x.valid.Modified.IsZero() {
		return
	}
	r := &repeat{
		request: *x.toRemember, holds: x.holds, params: x.params, viewer: x.viewer, recording: x.recording,
		object: x.object, metadata: x.metadata, valid: x.valid,
		record: accesslog.Record{
			Client: x.record.Client, Trusted: x.record.Trusted, Method: x.record.Method, Route: x.record.Route, Recording: x.record.Recording,
		},
	}
	if x.record.Trusted {
		r.record.RequestID = x.record.RequestID // a field of the request
	}
	resp.Header.CopyTo(&r.header)
	x.common.CopyTo(&r.common)
	x.common, x.toRemember = nil, nil // the exchange may be kept
	x.kept.repeat = r
}
