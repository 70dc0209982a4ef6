package stream

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/precondition"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// requestParams are what an exchange needs of its request. RequestCtx is pooled and
// reused when the handler returns, so everything here is a copy.
type requestParams struct {
	accompanying
	id          int64
	head        bool
	tokens      []media.Token
	noToken     *media.Refusal // why there are no tokens
	rangeHeader string
	conditions  precondition.Headers
	download    bool
	// wantReprDigest is Want-Repr-Digest (RFC 9530 section 4), wantDigest the older
	// Want-Digest (RFC 3230); "" when absent.
	wantReprDigest, wantDigest string
	// traceparent and tracestate (W3C Trace Context) are a trusted proxy's, read only where
	// playbacks are traced.
	traceparent, tracestate string
	// page is the language of an error that a browser shows, "" for JSON.
	page string
}

func readParams(c *fasthttp.RequestCtx, id int64) requestParams {
	// Several lines of a field are one list, also of a field that is none, and then invalid
	// (RFC 9110 section 5.3): one of the lines would be another's choice.
	list := func(name string) string {
		lines := c.Request.Header.PeekAll(name)
		if len(lines) == 1 {
			return string(lines[0])
		}
		return string(bytes.Join(lines, []byte(", ")))
	}
	p := requestParams{
		id: id, head: c.IsHead(), rangeHeader: list("Range"),
		download:       string(c.QueryArgs().Peek("download")) == "1",
		wantReprDigest: list("Want-Repr-Digest"), wantDigest: list("Want-Digest"),
		conditions: precondition.Headers{
			IfMatch: list("If-Match"), IfNoneMatch: list("If-None-Match"),
			IfModifiedSince: list("If-Modified-Since"), IfUnmodifiedSince: list("If-Unmodified-Since"),
			IfRange: list("If-Range"),
		},
	}
	p.page = respond.PageLanguage(&c.Request.Header)
	return p
}

// readTrace copies the trace that a trusted proxy has begun. Anybody else could have
// everything sampled, or tie the playbacks of others to a trace of their own.
func (p *requestParams) readTrace(c *fasthttp.RequestCtx) {
	p.traceparent = string(c.Request.Header.Peek("Traceparent"))
	p.tracestate = string(c.Request.Header.Peek("Tracestate"))
}
