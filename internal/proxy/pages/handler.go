package pages

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/precondition"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

// Page is a document for people, or a script or style of one. Text is compressed once, when
// its route is built.
type Page struct {
	// Path is exact, as "/app.js", or ends in "/{id}", which stands for any
	// recording id, as "/watch/{id}".
	Path        string
	ContentType string
	// Header is added to, or replaces, the headers every page has.
	Header map[string]string
	Body   []byte
	// Language is the body's, as "en", and Others are the same page in further
	// ones: Accept-Language chooses. Both are empty where a page speaks none.
	Language string
	Others   map[string][]byte
}

// defaultPolicy lets a page load from its own host only. A page that needs another
// policy sets it in its Header.
const defaultPolicy = "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// Routes are the routes of the pages. No two may have the same path.
func Routes(all []Page, records *accesslog.Log) ([]route.Route, error) {
	var out []route.Route
	seen := map[string]bool{}
	for _, p := range all {
		r, err := newRoute(p, records)
		if err != nil {
			return nil, err
		}
		if seen[p.Path] {
			return nil, fmt.Errorf("page %q appears twice", p.Path)
		}
		seen[p.Path] = true
		out = append(out, r)
	}
	return out, nil
}

// newRoute builds the route of a page. The entity tag is a digest of the content, so
// that a browser revalidates and nearly always receives 304.
func newRoute(p Page, records *accesslog.Log) (route.Route, error) {
	if !strings.HasPrefix(p.Path, "/") || p.ContentType == "" {
		return route.Route{}, fmt.Errorf("page %q: a path from the root and a content type are needed", p.Path)
	}
	choose, err := newTranslations(p)
	if err != nil {
		return route.Route{}, fmt.Errorf("page %q: %w", p.Path, err)
	}
	return route.Route{
		Pattern: p.Path,
		Allow:   "GET, HEAD, OPTIONS",
		Serve: func(c *fasthttp.RequestCtx, rec accesslog.Record, _ int64) {
			text := choose.best(string(c.Request.Header.Peek("Accept-Language")))
			serve(c, &rec, p, text)
			records.WriteAnswered(c, rec)
		},
	}, nil
}

// serve answers with a page in one language. 304 has the headers that 200 would have (RFC
// 9110 section 15.4.5), so that a cache renews what it keeps.
func serve(c *fasthttp.RequestCtx, rec *accesslog.Record, p Page, text translation) {
	h := &c.Response.Header
	h.Set("Content-Security-Policy", defaultPolicy)
	respond.Headers(h, "no-cache")
	if text.language != "" {
		h.Add("Vary", "Accept-Language")
		h.Set("Content-Language", text.language)
	}
	if len(text.representations) > 1 {
		h.Add("Vary", "Accept-Encoding")
	}
	chosen := chooseRepresentation(text.representations, string(bytes.Join(c.Request.Header.PeekAll("Accept-Encoding"), []byte(","))))
	h.SetCanonical([]byte("ETag"), []byte(chosen.etag))
	for k, v := range p.Header {
		h.Set(k, v)
	}
	conditions := precondition.Headers{
		IfMatch:     string(bytes.Join(c.Request.Header.PeekAll("If-Match"), []byte(","))),
		IfNoneMatch: string(bytes.Join(c.Request.Header.PeekAll("If-None-Match"), []byte(","))),
	}
	switch conditions.Evaluate(precondition.Validators{ETag: chosen.etag}) {
	case precondition.NotModified:
		c.SetStatusCode(http.StatusNotModified)
	case precondition.Failed:
		rec.Code = respond.CodePrecondition
		respond.ErrorFor(c, respond.Problem{Status: http.StatusPreconditionFailed, Detail: "A precondition failed.", Code: rec.Code})
	default:
		h.SetContentType(p.ContentType)
		if chosen.coding != "" {
			h.Set("Content-Encoding", chosen.coding)
		}
		c.Response.SetBodyRaw(chosen.body)
	}
}
