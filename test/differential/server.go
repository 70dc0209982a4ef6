package differential

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"
)

// Server answers requests for one file.
type Server interface {
	Name() string
	// Answer returns the answers to the requests, in their order, in the form of normal.
	Answer(requests []Request) ([]string, error)
}

// normal is an answer in one word and its ranges: "200", "206 0-9,20-29", "416". Whatever
// contradicts itself begins with "wrong".
func (f File) normal(method string, status int, contentType, contentRange string, length int, body []byte) string {
	switch {
	case method == "HEAD" && len(body) > 0:
		return "wrong: a body for HEAD"
	case status == http.StatusOK && method == "GET" && !bytes.Equal(body, f.Content):
		return fmt.Sprintf("wrong: 200 with %d bytes", len(body))
	case status == http.StatusOK && length != len(f.Content):
		return fmt.Sprintf("wrong: 200 of length %d", length)
	case status == http.StatusOK && contentRange != "":
		return "wrong: 200 with Content-Range " + contentRange
	case status == http.StatusRequestedRangeNotSatisfiable && contentRange != "" && contentRange != fmt.Sprintf("bytes */%d", len(f.Content)):
		return "wrong: 416 with Content-Range " + contentRange
	case status != http.StatusPartialContent:
		return strconv.Itoa(status)
	case strings.HasPrefix(contentType, "multipart/byteranges"):
		if method == "HEAD" {
			return "206 parts"
		}
		return f.normalParts(contentType, body)
	}
	name, wrong := f.normalRange(contentRange, body, method == "HEAD")
	if wrong != "" {
		return "wrong: " + wrong
	}
	if first, last, _ := strings.Cut(name, "-"); method == "HEAD" && strconv.Itoa(length) != spanLength(first, last) {
		return fmt.Sprintf("wrong: HEAD of %s with length %d", name, length)
	}
	return "206 " + name
}

func spanLength(first, last string) string {
	a, _ := strconv.Atoi(first)
	b, _ := strconv.Atoi(last)
	return strconv.Itoa(b - a + 1)
}

// normalRange is "first-last" where the bytes are those that Content-Range names.
func (f File) normalRange(contentRange string, body []byte, head bool) (name, wrong string) {
	name, size, ok := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	from, to, _ := strings.Cut(name, "-")
	first, errFirst := strconv.Atoi(from)
	last, errLast := strconv.Atoi(to)
	if !ok || errFirst != nil || errLast != nil || size != strconv.Itoa(len(f.Content)) || first > last || last >= len(f.Content) {
		return "", "Content-Range " + contentRange
	}
	if !head && !bytes.Equal(body, f.Content[first:last+1]) {
		return "", fmt.Sprintf("%d bytes for Content-Range %s", len(body), contentRange)
	}
	return name, ""
}

// normalParts is "206 first-last,first-last" of a multipart body.
func (f File) normalParts(contentType string, body []byte) string {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "wrong: " + contentType
	}
	var names []string
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return "206 parts " + strings.Join(names, ",")
		}
		if err != nil {
			return "wrong: " + err.Error()
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return "wrong: " + err.Error()
		}
		name, wrong := f.normalRange(part.Header.Get("Content-Range"), data, false)
		if wrong != "" {
			return "wrong part: " + wrong
		}
		names = append(names, name)
	}
}

// ServeContent answers with package net/http's ServeContent.
type ServeContent struct{ File File }

// serveContentTag is the entity tag of ServeContent's file.
const serveContentTag = `"serve-content"`

// Name implements Server.
func (s ServeContent) Name() string { return "net/http" }

// Answer implements Server.
func (s ServeContent) Answer(requests []Request) (answers []string, err error) {
	for _, r := range requests {
		req := httptest.NewRequest(r.Method, "/", nil)
		for _, f := range r.Fields {
			req.Header[f.Name] = append(req.Header[f.Name], strings.ReplaceAll(f.Value, "{etag}", serveContentTag))
		}
		w := httptest.NewRecorder()
		w.Header()["Etag"] = []string{serveContentTag}
		w.Header()["Content-Type"] = []string{"video/mp4"}
		http.ServeContent(w, req, "", s.File.Modified, bytes.NewReader(s.File.Content))
		length, _ := strconv.Atoi(w.Header().Get("Content-Length"))
		if r.Method == "HEAD" {
			w.Body.Reset() // as the server does, to which the recorder is none
		}
		answers = append(answers, s.File.normal(r.Method, w.Code, w.Header().Get("Content-Type"), w.Header().Get("Content-Range"), length, w.Body.Bytes()))
	}
	return answers, nil
}

// Wire is a server on a TCP address, to which requests are pipelined. It is not safe for
// concurrent use.
type Wire struct {
	Label   string
	Address string
	Target  string
	Fields  string // of each request, each line ended by CRLF
	ETag    string
	File    File

	conn   net.Conn
	reader *bufio.Reader
	used   bool // answers have come on the connection
}

// ioTimeout is how long an answer may take; it only ends what hangs.
const ioTimeout = time.Minute

// Name implements Server.
func (w *Wire) Name() string { return w.Label }

// Close closes the connection.
func (w *Wire) Close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn, w.used = nil, false
	}
}

// Answer implements Server. A server may close its connection after any answer: the requests
// behind it are sent again, on a new one.
func (w *Wire) Answer(requests []Request) (answers []string, err error) {
	for len(answers) < len(requests) {
		used := w.used
		got, err := w.pipeline(requests[len(answers):])
		answers = append(answers, got...)
		if err != nil && len(got) == 0 && !used {
			return answers, fmt.Errorf("%s: %w (%s)", w.Label, err, requests[len(answers)])
		}
	}
	return answers, nil
}

// pipeline sends requests and reads answers until one of them closes the connection.
func (w *Wire) pipeline(requests []Request) (answers []string, err error) {
	if w.conn == nil {
		if w.conn, err = net.Dial("tcp", w.Address); err != nil {
			return nil, err
		}
		w.reader = bufio.NewReaderSize(w.conn, 64<<10)
		w.used = false
	}
	_ = w.conn.SetDeadline(time.Now().Add(ioTimeout))
	var out bytes.Buffer
	for _, r := range requests {
		fmt.Fprintf(&out, "%s %s HTTP/1.1\r\nHost: x\r\n%s", r.Method, w.Target, w.Fields)
		for _, f := range r.Fields {
			fmt.Fprintf(&out, "%s: %s\r\n", f.Name, strings.ReplaceAll(f.Value, "{etag}", w.ETag))
		}
		out.WriteString("\r\n")
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = w.conn.Write(out.Bytes()) // the reader sees what happened
	}()
	defer func() {
		if len(answers) < len(requests) {
			w.conn.Close()
			<-sent
			w.conn, w.used = nil, false
		} else {
			<-sent
		}
	}()
	for _, r := range requests {
		answer, closes, err := w.read(r.Method)
		if err != nil {
			return answers, err
		}
		answers = append(answers, answer)
		w.used = true
		if closes && len(answers) < len(requests) {
			return answers, nil
		}
		if closes {
			w.Close()
		}
	}
	return answers, nil
}

// read reads one answer.
func (w *Wire) read(method string) (answer string, closes bool, err error) {
	resp, err := http.ReadResponse(w.reader, &http.Request{Method: method})
	if err != nil {
		return "", false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", false, err
	}
	return w.File.normal(method, resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("Content-Range"), int(resp.ContentLength), body), resp.Close, nil
}
