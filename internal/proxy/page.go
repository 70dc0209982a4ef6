package proxy

import (
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"
)

// Page is a document for people, or a script or style of one, handed in whole
// at start.
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

// pagePolicy lets a page use its own house and nothing else. A page that needs
// more says so in its Header.
const pagePolicy = "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'self'"

// pageRoute makes the route that serves a page. The tag is a digest of the
// content, so that a browser asks again and nearly always gets 304.
func (s *Server) pageRoute(p Page) (route, error) {
	if !strings.HasPrefix(p.Path, "/") || p.ContentType == "" {
		return route{}, fmt.Errorf("page %q: a path from the root and a content type are needed", p.Path)
	}
	choose, err := newTranslations(p)
	if err != nil {
		return route{}, fmt.Errorf("page %q: %w", p.Path, err)
	}
	return route{
		pattern: p.Path,
		allow:   "GET, HEAD, OPTIONS",
		serve: func(c *fasthttp.RequestCtx, n Record, _ int64) {
			h := &c.Response.Header
			h.Set("Content-Security-Policy", pagePolicy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-cache")
			text := choose.best(string(c.Request.Header.Peek("Accept-Language")))
			if text.language != "" {
				h.Add("Vary", "Accept-Language")
				h.Set("Content-Language", text.language)
			}
			h.SetCanonical([]byte("ETag"), []byte(text.etag))
			for k, v := range p.Header {
				h.Set(k, v)
			}
			if MatchesTag(string(c.Request.Header.Peek("If-None-Match")), text.etag, false) {
				c.SetStatusCode(statusNotModified)
			} else {
				h.SetContentType(p.ContentType)
				c.Response.SetBodyRaw(text.body)
			}
			s.recordAnswered(c, n)
		},
	}, nil
}
