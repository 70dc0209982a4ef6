package conformance

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
)

// answer is one message of the server.
type answer struct {
	version string
	status  int
	fields  textproto.MIMEHeader
	body    []byte
	method  string // of the request
	short   bool   // the body ended before its length
	unended bool   // the body ends with the connection
}

// parse takes the received bytes apart. methods are those of the first requests, whose number
// the answers may exceed; the others are GET.
func (t *transcript) parse(received []byte, methods []string) {
	r := bufio.NewReader(bytes.NewReader(received))
	for {
		if _, err := r.Peek(1); err != nil {
			return
		}
		method := "GET"
		if len(t.answers) < len(methods) {
			method = methods[len(t.answers)]
		}
		a, err := readAnswer(r, method)
		switch {
		case err != nil:
			t.rest = append(t.rest, "no answer: "+err.Error()...)
			return
		case a.status < 200:
			t.interim++
			if faults := a.faults(); len(faults) > 0 {
				t.rest = append(t.rest, strings.Join(faults, "; ")...)
			}
		case strings.HasPrefix(a.fields.Get("Content-Range"), probeRange):
			t.probed = true
			rest, _ := io.ReadAll(r)
			t.rest = append(t.rest, rest...)
			return
		default:
			t.answers = append(t.answers, a)
		}
	}
}

// readAnswer reads one answer, framed by RFC 9112 section 6.3.
func readAnswer(r *bufio.Reader, method string) (a answer, err error) {
	a.method = method
	text := textproto.NewReader(r)
	line, err := text.ReadLine()
	if err != nil {
		return a, err
	}
	version, status, ok := strings.Cut(line, " ")
	status, _, _ = strings.Cut(status, " ")
	a.version = version
	a.status, err = strconv.Atoi(status)
	if !ok || !strings.HasPrefix(version, "HTTP/1.") || err != nil || len(status) != 3 {
		return a, fmt.Errorf("the status line %.60q", line)
	}
	if a.fields, err = text.ReadMIMEHeader(); err != nil {
		return a, fmt.Errorf("the fields of %d: %w", a.status, err)
	}
	if method == "HEAD" || a.status < 200 || a.status == 204 || a.status == 304 {
		return a, nil
	}
	switch length := a.fields.Get("Content-Length"); {
	case a.fields.Get("Transfer-Encoding") != "":
		a.body, a.short = readChunked(r, text)
	case length != "":
		n, err := strconv.ParseUint(length, 10, 31)
		if err != nil {
			return a, fmt.Errorf("the length %q of %d", length, a.status)
		}
		a.body = make([]byte, n)
		got, err := io.ReadFull(r, a.body)
		a.body, a.short = a.body[:got], err != nil
	default:
		a.unended = true
		a.body, _ = io.ReadAll(r)
	}
	return a, nil
}

// readChunked reads a chunked body and its trailer section.
func readChunked(r *bufio.Reader, text *textproto.Reader) (body []byte, short bool) {
	for {
		line, err := text.ReadLine()
		if err != nil {
			return body, true
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimRight(size, " \t"), 16, 31)
		if err != nil {
			return body, true
		}
		if n == 0 {
			_, err := text.ReadMIMEHeader()
			return body, err != nil && !errors.Is(err, io.EOF)
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(r, chunk); err != nil || string(chunk[n:]) != "\r\n" {
			return body, true
		}
		body = append(body, chunk[:n]...)
	}
}

// faults are what is wrong with an answer, whatever it answers.
func (a answer) faults() (faults []string) {
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, fmt.Sprintf("%d %s", a.status, text))
		}
	}
	has := func(name string) bool { return len(a.fields.Values(name)) > 0 }
	fault(a.short, "ends before its length (9112 8)")
	fault(has("Content-Length") && has("Transfer-Encoding"), "has a length and an encoding (9112 6.2)")
	fault(len(a.fields.Values("Content-Length")) > 1, "has two lengths (9110 8.6)")
	fault((a.status < 200 || a.status == 204) && (has("Content-Length") || has("Transfer-Encoding")), "has a length without a body (9110 8.6)")
	fault(a.unended && len(a.body) > 0 && a.status < 400, "ends with the connection (9112 6.3)")
	fault(a.status >= 200 && a.status < 500 && !has("Date"), noDate)
	fault(a.status == 405 && !has("Allow"), "has no Allow (9110 15.5.6)")
	fault(a.status == 401 && !has("WWW-Authenticate"), "has no WWW-Authenticate (9110 15.5.2)")
	fault(a.status == 426 && !has("Upgrade"), "has no Upgrade (9110 15.5.22)")
	several := strings.HasPrefix(a.fields.Get("Content-Type"), "multipart/byteranges")
	fault(a.status == 206 && !several && !has("Content-Range"), "has no Content-Range (9110 15.3.7.1)")
	fault(a.status == 206 && several && has("Content-Range"), "has a Content-Range beside its parts (9110 15.3.7.2)")
	fault(a.status != 206 && a.status != 416 && has("Content-Range"), "has a Content-Range (9110 14.4)")
	return faults
}

// noDate is the fault that refusals of proxies have all alike.
const noDate = "has no Date (9110 6.6.1)"

// faultsOf are the faults of all answers, and of how the connection ended.
func faultsOf(t transcript) (faults []string) {
	for _, a := range t.answers {
		faults = append(faults, a.faults()...)
	}
	if len(t.rest) > 0 {
		faults = append(faults, fmt.Sprintf("beyond the answers: %.100q", t.rest))
	}
	if t.waited {
		faults = append(faults, "waits for more")
	}
	return faults
}
