package stream

import (
	"strings"

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
	get := func(name string) string { return string(c.Request.Header.Peek(name)) }
	list := func(name string) string {
		var lines []string
		for _, line := range c.Request.Header.PeekAll(name) {
			lines = append(lines, string(line))
		}
		return strings.Join(lines, ", ")
	}
	p := requestParams{
		id: id, head: c.IsHead(), rangeHeader: get("Range"),
		download:       string(c.QueryArgs().Peek("download")) == "1",
		wantReprDigest: list("Want-Repr-Digest"), wantDigest: list("Want-Digest"),
		conditions: precondition.Headers{
			IfMatch: list("If-Match"), IfNoneMatch: list("If-None-Match"),
			IfModifiedSince: get("If-Modified-Since"), IfUnmodifiedSince: get("If-Unmodified-Since"),
			IfRange: get("If-Range"),
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
