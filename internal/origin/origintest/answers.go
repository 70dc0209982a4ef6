package origintest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin"
)

// Answer answers requests on connections in memory with the same bytes, whatever they ask
// for. The connection ends with the answer. Set it between requests only.
type Answer []byte

// DialContext is for an http.Transport.
func (a *Answer) DialContext(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		if _, err := http.ReadRequest(bufio.NewReader(server)); err == nil {
			_, _ = server.Write(*a) // the client may have hung up
		}
	}()
	return client, nil
}

// private is in error answers of fuzz targets, and in no error.
const private = "a private text"

// ErrorAnswer is an error answer for a corpus; PRIVATE in its body is text that no error may
// quote.
func ErrorAnswer(status, contentType, body string, headers ...string) []byte {
	return RawAnswer(status, append(headers, "Content-Type: "+contentType), strings.ReplaceAll(body, "PRIVATE", private))
}

// RawAnswer writes an HTTP/1.1 response with its Content-Length.
func RawAnswer(status string, headers []string, body string) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + status + "\r\n" + strings.Join(headers, "\r\n"))
	if len(headers) > 0 {
		b.WriteString("\r\n")
	}
	_, _ = io.WriteString(&b, "Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
	return b.Bytes()
}

// CheckAnswer fails the test unless an origin, which is answered by anything, states an object
// that can be cached or reads exactly the bytes that it was asked for, or fails with a kind
// and without the answer's text. obj is what it is asked to read.
func CheckAnswer(t *testing.T, o origin.Origin, answer []byte, obj media.Object) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a hang
	defer cancel()
	stated, err := o.Stat(ctx, obj.Location())
	if err != nil {
		checkFault(t, err, ctx.Err())
		if strings.Contains(err.Error(), private) {
			t.Fatalf("the error quotes the answer: %v", err)
		}
	} else if stated.Provider != obj.Provider || stated.Size < 0 || stated.Version == "" || stated.SHA256 != "" && len(stated.SHA256) != 64 {
		t.Fatalf("stated: %+v", stated)
	}
	span := media.Span{Off: 3, Len: 4}
	body, err := origin.Verify(o).Open(ctx, obj, span)
	if err != nil {
		checkFault(t, err, ctx.Err())
		return
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil {
		checkFault(t, err, ctx.Err())
		return
	}
	if int64(len(got)) != span.Len || !bytes.Contains(bytes.ToLower(answer), []byte("content-range:")) {
		t.Fatalf("%q was read", got)
	}
}

// checkFault fails the test unless an error has a kind and a bounded wait. ended is that of the
// context, which nothing has to reach.
func checkFault(t *testing.T, err, ended error) {
	t.Helper()
	wait := media.RetryAfterOf(err)
	if ended != nil || media.KindOf(err) == media.Other || media.KindOf(err) == media.Canceled || wait < 0 || wait > media.MaxRetryAfter {
		t.Fatalf("%v: %v, a wait of %s", media.KindOf(err), err, wait)
	}
	if text := err.Error(); len(text) > 1000 || strings.ContainsAny(text, "\r\n\x00") {
		t.Fatalf("the error %q", text)
	}
}
