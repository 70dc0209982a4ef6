package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// fault is something that goes wrong at an origin.
type fault struct {
	name string
	on   target
	only int // requests that it is for; 0 = all until it ceases
	at   int // the byte at which it happens; set by the cell
	// answer writes an answer in place of the emulator's; nil: begin and end do what is to do.
	answer     func(w *wire)
	begin, end func(c *cell)
	// invisible: a viewer gets exact bytes all the same.
	invisible bool
	// status is one that a viewer may get beside 502, 503 and 504; 0 = none.
	status int
	// unseen: the origin gets no request by which it could be told that the fault was met.
	unseen bool
	// size is what the origin may say that the object's is; nil: the right one.
	size func(c *cell) int
	// rests: the gateway reads the object no more for minutes, although the fault has ceased.
	rests bool
}

// passing are faults of one answer that may come once, twice, or for as long as they last. An
// origin that fails once or twice is asked again, and no viewer sees it.
var passing = []fault{
	{name: "the connection is closed before the answer", answer: func(w *wire) { w.cut() }},
	{name: "the connection is reset before the answer", answer: func(w *wire) { w.reset() }},
	{name: "the connection is closed in the header", answer: func(w *wire) { w.write([]byte("HTTP/1.1 206 Partial Content\r\nContent-Le")); w.cut() }},
	{name: "the answer is not HTTP", answer: func(w *wire) { w.write([]byte("220 mail.example ESMTP\r\n")); w.drain() }},
	{name: "no answer comes", answer: func(w *wire) { w.stall() }},
	{name: "the header stalls", answer: func(w *wire) { w.write([]byte("HTTP/1.1 206 Partial Content\r\n")); w.stall() }},
	{name: "status 500", answer: func(w *wire) { w.refuse(500, internalError(w)); w.sendAll() }},
	{name: "status 502, a page", answer: func(w *wire) { w.page(502); w.sendAll() }},
	{name: "status 503 for a second", answer: func(w *wire) { w.refuse(503, unavailable(w)); w.set("Retry-After", "1"); w.sendAll() }},
	{name: "status 429", answer: func(w *wire) { w.refuse(429, slowDown(w)); w.sendAll() }},
	{name: "status 401, expired token", answer: func(w *wire) { w.refuse(401, expired(w)); w.sendAll() }},
	{name: "status 408", answer: func(w *wire) { w.refuse(408, requestTimeout(w)); w.sendAll() }},
	{name: "status 403, a page", answer: func(w *wire) { w.page(403); w.sendAll() }},
	{name: "status 404, a page", answer: func(w *wire) { w.page(404); w.sendAll() }},
}

// bodies are faults of one body, of requests for bytes, that may come once or twice too.
var bodies = []fault{
	{name: "the body is reset at a byte", answer: func(w *wire) { w.head(); w.write(w.body[:w.cutAt()]); w.reset() }},
	{name: "the body is closed at a byte", answer: func(w *wire) { w.head(); w.write(w.body[:w.cutAt()]); w.cut() }},
	{name: "the body stalls at a byte", answer: func(w *wire) { w.head(); w.write(w.body[:w.cutAt()]); w.stall() }},
	{name: "a body without a length is cut", answer: func(w *wire) {
		w.set("Content-Length", "")
		w.set("Connection", "close")
		w.head()
		w.write(w.body[:w.cutAt()])
		w.cut()
	}},
	{name: "a chunked body is cut", answer: func(w *wire) { w.chunkedHead(); w.chunk(w.body[:w.cutAt()]); w.cut() }},
	{name: "the end of a chunked body does not come", answer: func(w *wire) { w.chunkedHead(); w.chunk(w.body); w.stall() }},
	{name: "a chunked body ends early", answer: func(w *wire) {
		w.chunkedHead()
		w.chunk(w.body[:w.cutAt()])
		w.write([]byte("0\r\n\r\n"))
		w.drain()
	}},
	{name: "a chunk's length is not a number", answer: func(w *wire) {
		w.chunkedHead()
		w.chunk(w.body[:w.cutAt()])
		w.write([]byte("zz\r\n"))
		w.drain()
	}},
	{name: "a shorter range than was asked for", answer: func(w *wire) {
		first, _ := w.rangeOf()
		w.body = w.body[:w.cutAt()]
		w.set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, first+max(0, len(w.body)-1), w.size()))
		w.sendAll()
	}},
	{name: "a shorter length than the range", answer: func(w *wire) { w.body = w.body[:w.cutAt()]; w.sendAll() }},
	{name: "a longer body than the range", answer: func(w *wire) { w.body = append(bytes.Clone(w.body), "more"...); w.sendAll() }},
	{name: "a page with status 200", answer: func(w *wire) { w.page(200); w.sendAll() }},
	{name: "a page with the right range", answer: func(w *wire) { w.set("Content-Type", "text/html"); w.fill('x'); w.sendAll() }},
	{name: "no Content-Range", answer: func(w *wire) { w.set("Content-Range", ""); w.sendAll() }},
	{name: "Content-Range begins one later", answer: func(w *wire) { w.shift(1, 0, 0) }},
	{name: "Content-Range begins one earlier", answer: func(w *wire) { w.shift(-1, 0, 0) }},
	{name: "Content-Range ends one later", answer: func(w *wire) { w.shift(0, 1, 0) }},
	{name: "Content-Range has another total", answer: func(w *wire) { w.shift(0, 0, 1) }},
	{name: "Content-Range has no total", answer: func(w *wire) {
		text, _, _ := strings.Cut(w.header.Get("Content-Range"), "/")
		w.set("Content-Range", text+"/*")
		w.sendAll()
	}},
	{name: "Content-Range is no range", answer: func(w *wire) { w.set("Content-Range", "bytes a-b/c"); w.sendAll() }},
	{name: "another range, as Content-Range says", answer: func(w *wire) {
		first, last := w.rangeOf()
		other := (first + 70_000) % max(1, w.size()-(last-first))
		w.set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", other, other+last-first, w.size()))
		w.fill('y')
		w.sendAll()
	}},
	{name: "status 200 with the whole", answer: func(w *wire) {
		r := w.r.Clone(w.r.Context())
		r.Header.Del("Range")
		w.ask(r)
		w.set("Content-Range", "")
		w.sendAll()
	}},
	{name: "status 200 with the range", answer: func(w *wire) { w.status = 200; w.set("Content-Range", ""); w.sendAll() }},
	{name: "several ranges in one body", answer: func(w *wire) { w.set("Content-Type", "multipart/byteranges; boundary=b"); w.sendAll() }},
	{name: "a coded body", answer: func(w *wire) { w.set("Content-Encoding", "gzip"); w.sendAll() }},
	{name: "status 200 without a body", answer: func(w *wire) { w.status, w.body = 200, nil; w.set("Content-Range", ""); w.sendAll() }},
	{name: "status 204", answer: func(w *wire) { w.status, w.body = 204, nil; w.set("Content-Range", ""); w.sendAll() }},
	{name: "a forged answer follows", answer: func(w *wire) {
		w.set("Content-Length", strconv.Itoa(len(w.body)))
		w.head()
		w.write(w.body)
		first, last := w.rangeOf()
		n := min(last-first+1, w.size()-last-1)
		if n > 0 {
			w.set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", last+1, last+n, w.size()))
			w.set("Content-Length", strconv.Itoa(n))
			w.head()
			w.write(bytes.Repeat([]byte{'z'}, n))
		}
		w.stall()
	}},
}

// lasting are faults that last until they cease, or change nothing for a viewer.
var lasting = []fault{
	{name: "connections are refused", unseen: true, begin: func(c *cell) { c.upstream.refuse() }, end: func(c *cell) { c.must(c.upstream.listen()) }},
	{name: "a longer chunked body than the range", answer: func(w *wire) {
		w.chunkedHead()
		w.chunk(w.body)
		w.chunk([]byte("more"))
		w.write([]byte("0\r\n\r\n"))
		w.drain()
	}},
	{name: "bytes drip", invisible: true, answer: func(w *wire) {
		w.head()
		step := max(1, len(w.body)/12)
		for at := 0; at < len(w.body); at += step {
			w.write(w.body[at:min(len(w.body), at+step)])
			time.Sleep(30 * time.Millisecond)
		}
		w.drain()
	}},
	{name: "a chunked body", invisible: true, answer: func(w *wire) { w.chunkedHead(); w.chunk(w.body); w.write([]byte("0\r\n\r\n")); w.drain() }},
	{name: "a body without a length", invisible: true, answer: func(w *wire) {
		w.set("Content-Length", "")
		w.set("Connection", "close")
		w.head()
		w.write(w.body)
		w.drain()
	}},
	{name: "an early hint comes first", invisible: true, answer: func(w *wire) {
		w.write([]byte("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"))
		w.sendAll()
	}},
	{name: "status 304", answer: func(w *wire) { w.status, w.body = 304, nil; w.set("Content-Range", ""); w.sendAll() }},
	{name: "a redirect to a page", answer: func(w *wire) {
		if strings.HasSuffix(w.r.URL.Path, "/sign-in") {
			w.page(200)
		} else {
			w.page(302)
			w.set("Location", w.u.url()+"/sign-in?alt=media")
		}
		w.sendAll()
	}},
	{name: "a redirect to itself", answer: func(w *wire) { w.page(302); w.set("Location", w.u.url()+w.r.URL.RequestURI()); w.sendAll() }},
	{name: "status 400", answer: func(w *wire) { w.refuse(400, "badRequest"); w.sendAll() }},
	{name: "status 400, a page", answer: func(w *wire) { w.page(400); w.sendAll() }},
	{name: "status 403, a right is missing", answer: func(w *wire) { w.refuse(403, denied(w)); w.sendAll() }},
	{name: "status 403, too fast", answer: func(w *wire) { w.refuse(403, tooFast(w)); w.sendAll() }},
	{name: "status 403, quota for a second", answer: func(w *wire) { w.refuse(403, quota(w)); w.set("Retry-After", "1"); w.sendAll() }},
	{name: "status 403, quota", rests: true, answer: func(w *wire) { w.refuse(403, quota(w)); w.sendAll() }},
	{name: "status 404", status: 404, answer: func(w *wire) { w.refuse(404, notFound(w)); w.sendAll() }},
	{name: "status 410", status: 404, answer: func(w *wire) { w.refuse(410, "gone"); w.sendAll() }},
	{name: "status 412", answer: func(w *wire) { w.refuse(412, precondition(w)); w.sendAll() }},
	{name: "status 416", answer: func(w *wire) { w.refuse(416, unsatisfiable(w)); w.sendAll() }},
	{name: "status 429 for an hour", answer: func(w *wire) { w.refuse(429, slowDown(w)); w.set("Retry-After", "3600"); w.sendAll() }},
	{name: "status 503 until a date", answer: func(w *wire) {
		w.refuse(503, unavailable(w))
		w.set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.sendAll()
	}},
	{name: "status 504, a page", answer: func(w *wire) { w.page(504); w.sendAll() }},
	{name: "status 999", answer: func(w *wire) { w.page(999); w.sendAll() }},
	{name: "the description is cut", on: onMetadata, answer: func(w *wire) {
		w.head()
		w.write(w.body[:len(w.body)/2])
		w.cut()
	}},
	{name: "the description is a page", on: onMetadata, answer: func(w *wire) { w.page(200); w.sendAll() }},
	{name: "the description is empty", on: onMetadata, answer: func(w *wire) {
		w.body = []byte("{}")
		w.describe(func(map[string]any) {})
		w.clearVersion()
		w.sendAll()
	}},
	{name: "the described size is larger", on: onMetadata, answer: func(w *wire) { w.describeSize(100_000); w.sendAll() }},
	{name: "the described size is smaller", on: onMetadata, size: func(c *cell) int { return len(c.content) - 100_000 }, answer: func(w *wire) { w.describeSize(-100_000); w.sendAll() }},
	{name: "the described size is negative", on: onMetadata, answer: func(w *wire) { w.describeSize(-1 << 40); w.sendAll() }},
	{name: "the described version exists nowhere", on: onMetadata, answer: func(w *wire) {
		w.describe(func(f map[string]any) { f["headRevisionId"] = "rev-none" })
		w.set("ETag", `"none"`)
		w.sendAll()
	}},
	{name: "the description is slow", on: onMetadata, invisible: true, answer: func(w *wire) { time.Sleep(300 * time.Millisecond); w.sendAll() }},
	{name: "the object is removed", status: 404, begin: func(c *cell) { c.upstream.remove(lessonKey) }, end: func(c *cell) { c.upstream.put(lessonKey, c.content) }},
	{name: "the object is replaced", size: nextSize, begin: func(c *cell) { c.upstream.put(lessonKey, c.next) }},
	{name: "the object is replaced by one of its size", begin: func(c *cell) { c.next = c.sameSize; c.upstream.put(lessonKey, c.next) }},
	{name: "the object is replaced at each request", on: onAll, size: nextSize, begin: func(c *cell) { c.upstream.swapBefore(c.swapVersions) }, end: func(c *cell) { c.upstream.swapBefore(nil) }},
}

func nextSize(c *cell) int { return len(c.next) }

// all is the list of faults that cells are made of.
var allFaults = func() (all []*fault) {
	add := func(f fault, only int, on target) {
		f.only, f.on = only, on
		if only > 0 {
			f.name += fmt.Sprintf(", for %d of the requests", only)
			f.invisible = true
		}
		switch on {
		case onMetadata:
			f.name += " for the description"
		case onAll:
			f.name += " for anything"
		}
		all = append(all, &f)
	}
	for _, f := range passing {
		add(f, 1, onMedia)
		add(f, 2, onMedia)
		add(f, 0, onMedia)
		add(f, 1, onMetadata)
		add(f, 0, onMetadata)
		add(f, 0, onAll)
	}
	for _, f := range bodies {
		add(f, 1, onMedia)
		add(f, 2, onMedia)
		add(f, 0, onMedia)
	}
	for _, f := range lasting {
		all = append(all, &f)
	}
	return all
}()

// The words of both APIs for the same.
func word(w *wire, drive, s3 string) string {
	if w.u.bucket != nil {
		return s3
	}
	return drive
}

func internalError(w *wire) string  { return word(w, "internalError", "InternalError") }
func unavailable(w *wire) string    { return word(w, "backendError", "ServiceUnavailable") }
func slowDown(w *wire) string       { return word(w, "rateLimitExceeded", "SlowDown") }
func tooFast(w *wire) string        { return word(w, "userRateLimitExceeded", "RequestLimitExceeded") }
func expired(w *wire) string        { return word(w, "authError", "ExpiredToken") }
func requestTimeout(w *wire) string { return word(w, "requestTimeout", "RequestTimeout") }
func denied(w *wire) string         { return word(w, "cannotDownloadFile", "AccessDenied") }
func quota(w *wire) string          { return word(w, "downloadQuotaExceeded", "QuotaExceeded") }
func notFound(w *wire) string       { return word(w, "notFound", "NoSuchKey") }
func precondition(w *wire) string   { return word(w, "conditionNotMet", "PreconditionFailed") }
func unsatisfiable(w *wire) string  { return word(w, "requestedRangeNotSatisfiable", "InvalidRange") }

// chunkedHead writes the header of a chunked body.
func (w *wire) chunkedHead() {
	w.set("Content-Length", "")
	w.set("Transfer-Encoding", "chunked")
	w.set("Connection", "close")
	w.head()
}

func (w *wire) chunk(p []byte) {
	if len(p) > 0 {
		w.write(fmt.Appendf(nil, "%x\r\n%s\r\n", len(p), p))
	}
}

// fill replaces the body by bytes that are wrong.
func (w *wire) fill(b byte) { w.body = bytes.Repeat([]byte{b}, len(w.body)) }

// rangeOf is the range of the answer.
func (w *wire) rangeOf() (first, last int) {
	var size int
	_, _ = fmt.Sscanf(w.header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size)
	return first, last
}

// size is that of the object.
func (w *wire) size() (size int) {
	_, text, _ := strings.Cut(w.header.Get("Content-Range"), "/")
	size, _ = strconv.Atoi(text)
	return size
}

// shift sends the answer under another range.
func (w *wire) shift(first, last, size int) {
	a, b := w.rangeOf()
	w.set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", a+first, b+last, w.size()+size))
	w.sendAll()
}

// describe changes the description of a file of Drive's.
func (w *wire) describe(change func(f map[string]any)) {
	if w.u.bucket != nil || w.status != http.StatusOK {
		return
	}
	f := map[string]any{}
	if json.Unmarshal(w.body, &f) == nil {
		change(f)
		w.body, _ = json.Marshal(f)
	}
}

// describeSize makes the described size larger by so many bytes.
func (w *wire) describeSize(by int64) {
	changed := func(text string) string {
		n, _ := strconv.ParseInt(text, 10, 64)
		return strconv.FormatInt(n+by, 10)
	}
	w.describe(func(f map[string]any) { f["size"] = changed(fmt.Sprint(f["size"])) })
	if w.u.bucket != nil {
		w.set("Content-Length", changed(w.header.Get("Content-Length")))
	}
}

// clearVersion removes what S3 says of the version.
func (w *wire) clearVersion() { w.set("ETag", "") }
