package s3

import (
	"testing"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

// FuzzAnswers: whatever a service, or what is in front of it, answers, an object that is
// stated can be cached, exactly the requested bytes are read, and no error quotes a text.
func FuzzAnswers(f *testing.F) {
	head := []string{`ETag: "abc"`, "Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT", "Content-Type: video/mp4", "x-amz-version-id: v1"}
	for _, answer := range [][]byte{
		origintest.RawAnswer("206 Partial Content", append(head, "Content-Range: bytes 3-6/10"), "3456"),
		origintest.RawAnswer("200 OK", head, "0123456789"),
		origintest.RawAnswer("206 Partial Content", append(head, "Content-Range: bytes 3-6/10", "Content-Encoding: gzip"), "3456"),
		origintest.ErrorAnswer("404 Not Found", "application/xml", `<Error><Code>NoSuchKey</Code><Message>PRIVATE</Message></Error>`),
		origintest.ErrorAnswer("403 Forbidden", "text/html", `<html>PRIVATE</html>`),
		origintest.ErrorAnswer("503 Slow Down", "application/xml", `<Error><Code>SlowDown</Code></Error>`, "Retry-After: 99999999999999"),
		origintest.ErrorAnswer("301 Moved", "application/xml", `<Error><Code>PermanentRedirect</Code></Error>`, "Location: http://127.0.0.2/"),
		[]byte("HTTP/1.1 206 x\r\nETag: \"abc\"\r\nContent-Range: bytes 3-6/10\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n34\r\n3\r\n567\r\n0\r\n\r\n"),
		[]byte("HTTP/1.1 200 OK\r\nETag: \"abc\"\r\n\r\n"),
	} {
		f.Add(answer)
	}
	o, err := New(f.Context(), Config{URL: placeAt("http://127.0.0.1:1", "eu-central-1", ""), Credentials: keys})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(o.Stop)
	var answer origintest.Answer
	o.transport.DialContext, o.transport.DisableKeepAlives = answer.DialContext, true
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer = raw
		origintest.CheckAnswer(t, o, raw, media.Object{Provider: media.ProviderS3, ID: "a.mp4", Version: `"abc"`, Size: 10, Pinned: true})
	})
}
