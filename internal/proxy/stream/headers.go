package stream

import (
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// answer writes status and headers and, where there is one, hands the body over.
func (x *exchange) answer(resp *fasthttp.Response, d decision) {
	h := &resp.Header
	x.record.Status = d.status
	switch d.status {
	case http.StatusPreconditionFailed:
		x.validatorHeaders(h)
		x.writeProblem(resp, respond.Problem{Status: d.status, Detail: "A precondition failed.", Code: respond.CodePrecondition}, nil)
		return
	case http.StatusRequestedRangeNotSatisfiable:
		x.validatorHeaders(h)
		h.Set("Accept-Ranges", "bytes")
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(x.object.Size, 10))
		x.writeProblem(resp, respond.Problem{Status: d.status, Detail: "The range lies beyond the end.", Code: respond.CodeUnsatisfiable}, nil)
		return
	}
	oneRange := d.status == http.StatusPartialContent && len(d.spans) == 1
	plan := planBody(d, x.object.Size, x.metadata.contentType)
	var forwarding media.Forwarding
	if x.reader != nil {
		x.record.Cache, forwarding = x.reader.Status(), forwardingOf(x.reader)
	}
	timing := serverTiming(x.record.Auth, x.record.Catalog, x.record.Origin)
	status := cacheStatus(x.record.Cache, forwarding)
	if x.repeat != nil && oneRange {
		x.repeat.header.CopyTo(h)
		h.Set("Server-Timing", timing)
		h.Set("Content-Range", plan.contentRange)
		h.Del("Cache-Status")
	} else {
		resp.SetStatusCode(d.status)
		x.validatorHeaders(h)
		h.Set("Accept-Ranges", "bytes")
		// A browser may keep bytes, but has to ask before it shows them: a viewer who signed
		// out or lost access would be shown its copy otherwise.
		respond.Headers(h, "private, no-cache")
		h.Add("Vary", "Authorization, Cookie")
		h.Set("Server-Timing", timing)
		if d.status == http.StatusNotModified {
			x.finish(nil)
			return
		}
		h.SetContentType(plan.contentType)
		h.Set("Content-Disposition", x.metadata.disposition)
		if plan.contentRange != "" {
			h.Set("Content-Range", plan.contentRange)
		}
		x.digestHeaders(h)
	}
	if status != "" {
		h.Set("Cache-Status", status)
	}
	if x.toRemember != nil && oneRange {
		x.remember(resp)
	}
	if x.params.head || plan.length == 0 {
		resp.SkipBody = x.params.head
		h.SetContentLength(int(plan.length))
		x.finish(nil)
		return
	}
	// The body writes to the socket itself, so fasthttp has to flush the headers
	// first: into the corked connection until the body's first bytes, or out.
	resp.ImmediateHeaderFlush = true
	b := &body{x: x, plan: plan, rate: newRateLimit(x.h.cfg.StreamRate), reopenedAt: -1}
	if x.corked != nil && b.rate.limiter == nil {
		x.corked.Cork()
	}
	resp.SetBodyStream(b, int(plan.length))
}

func (x *exchange) validatorHeaders(h *fasthttp.ResponseHeader) {
	h.SetCanonical([]byte("ETag"), []byte(x.valid.ETag))
	if !x.valid.Modified.IsZero() {
		h.Set("Last-Modified", x.metadata.modified)
	}
}

// refuse answers with an error, and finishes the exchange.
func (x *exchange) refuse(resp *fasthttp.Response, err error) {
	problem := respond.ProblemOf(err, x.upstream)
	if media.RefusalOf(err) != nil {
		err = nil // a refusal is no fault
	}
	x.writeProblem(resp, problem, err)
}

func (x *exchange) writeProblem(resp *fasthttp.Response, p respond.Problem, fault error) {
	respond.Error(resp, p)
	if x.params.page != "" {
		respond.AsPage(resp, p, x.params.page)
	}
	x.record.Status, x.record.Code = p.Status, p.Code
	if !x.params.head {
		x.record.Bytes = int64(len(resp.Body()))
	}
	x.record.Outcome = "refused"
	x.finish(fault)
}

// serverTiming writes how long the steps took, in milliseconds.
func serverTiming(auth, catalog, origin time.Duration) string {
	return "auth;dur=" + millis(auth) + ", catalog;dur=" + millis(catalog) + ", origin;dur=" + millis(origin)
}

// millis writes milliseconds with two decimals.
func millis(d time.Duration) string {
	hundredths := int64((d + 5*time.Microsecond) / (10 * time.Microsecond))
	var text [24]byte
	out := strconv.AppendInt(text[:0], hundredths/100, 10)
	return string(append(out, '.', byte('0'+hundredths/10%10), byte('0'+hundredths%10)))
}
