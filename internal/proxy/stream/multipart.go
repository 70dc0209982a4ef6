package stream

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"

	"github.com/lectiospace/lectern/internal/media"
)

// segment is one run of bytes of the object together with what is written
// before it.
type segment struct {
	head []byte
	span media.Span
}

// bodyPlan is a whole body, known before its first byte is sent.
type bodyPlan struct {
	segments []segment
	tail     []byte
	length   int64
	// contentType is that of the message; contentRange is "" for several parts
	// and for the whole.
	contentType  string
	contentRange string
}

// planBody plans the body of a decision. Several spans become multipart/byteranges
// (RFC 9110 section 14.6), whose length is computed here, because no answer is
// chunked.
func planBody(j decision, size int64, contentType string) bodyPlan {
	if len(j.spans) < 2 {
		l := bodyPlan{contentType: contentType}
		for _, span := range j.spans {
			l.segments = []segment{{span: span}}
			l.length = span.Len
			if j.status == http.StatusPartialContent {
				l.contentRange = contentRange(span, size)
			}
		}
		return l
	}
	boundary := newBoundary()
	l := bodyPlan{contentType: "multipart/byteranges; boundary=" + boundary}
	for i, span := range j.spans {
		lead := "\r\n"
		if i == 0 {
			lead = ""
		}
		head := fmt.Appendf(nil, "%s--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n",
			lead, boundary, contentType, contentRange(span, size))
		l.segments = append(l.segments, segment{head: head, span: span})
		l.length += int64(len(head)) + span.Len
	}
	l.tail = []byte("\r\n--" + boundary + "--\r\n")
	l.length += int64(len(l.tail))
	return l
}

// contentRange writes a satisfied Content-Range.
func contentRange(span media.Span, size int64) string {
	return "bytes " + span.String() + "/" + strconv.FormatInt(size, 10)
}

// newBoundary is random, so that no recording can contain it on purpose.
func newBoundary() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}
