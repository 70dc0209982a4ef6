package azure

import (
	"testing"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/origin/origintest"
)

// FuzzAnswers: whatever the service, or what is in front of it, answers, an object that is
// stated can be cached, exactly the requested bytes are read, and no error quotes a text.
func FuzzAnswers(f *testing.F) {
	head := []string{`ETag: "0x8D"`, "Last-Modified: Fri, 20 Nov 2026 10:00:00 GMT", "Content-Type: video/mp4", "x-ms-request-id: r", "x-ms-blob-type: BlockBlob", "Content-MD5: CY9rzUYh03PK3k6DJie09g=="}
	for _, answer := range [][]byte{
		origintest.RawAnswer("206 Partial Content", append(head, "Content-Range: bytes 3-6/10"), "3456"),
		origintest.RawAnswer("200 OK", head, "0123456789"),
		origintest.RawAnswer("200 OK", append(head, "x-ms-version-id: 2026-11-20T10:00:00.0000000Z", "x-ms-archive-status: rehydrate-pending-to-hot"), ""),
		origintest.ErrorAnswer("404 The specified blob does not exist.", "application/xml", `<Error><Code>BlobNotFound</Code><Message>PRIVATE</Message></Error>`, "x-ms-error-code: BlobNotFound", "x-ms-request-id: r"),
		origintest.ErrorAnswer("403 Forbidden", "text/html", `<html>PRIVATE</html>`),
		origintest.ErrorAnswer("503 Busy", "application/xml", `<Error><Code>ServerBusy</Code></Error>`, "x-ms-retry-after-ms: 9999999999999999", "x-ms-request-id: r"),
		[]byte("HTTP/1.1 206 x\r\nETag: \"0x8D\"\r\nContent-Range: bytes 3-6/10\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n34\r\n3\r\n567\r\n0\r\n\r\n"),
	} {
		f.Add(answer)
	}
	o, err := New(Config{URL: "azblob://lessons?endpoint=http://127.0.0.1:1/school", Credentials: "c2VjcmV0"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(o.Stop)
	var answer origintest.Answer
	o.transport.DialContext, o.transport.DisableKeepAlives = answer.DialContext, true
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer = raw
		origintest.CheckAnswer(t, o, raw, media.Object{Provider: media.ProviderAzure, ID: "a.mp4", Version: `"0x8D"`, Size: 10, Pinned: true})
	})
}
