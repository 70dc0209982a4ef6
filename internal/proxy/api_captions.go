package proxy

import (
	"context"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// captionLang is the {lang} of …/captions/{lang}.vtt, "" when it cannot be a
// language tag (RFC 5646: letters, digits and hyphens).
func captionLang(path string) string {
	name, ok := strings.CutSuffix(path[strings.LastIndexByte(path, '/')+1:], ".vtt")
	lang, err := url.PathUnescape(name)
	if !ok || err != nil || lang == "" || len(lang) > 35 {
		return ""
	}
	for _, r := range lang {
		if r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return ""
		}
	}
	return lang
}

// serveCaptions answers GET {base}/recordings/{id}/captions/{lang}.vtt. Whoever may
// play the stream may read them, with the same credentials: a <track> sends no
// header. Refusals are the stream's.
func (s *Server) serveCaptions(c *fasthttp.RequestCtx, n Record, id int64) {
	n.Recording = id
	ctx, cancel := context.WithTimeoutCause(s.base, apiTimeout, errSlow)
	defer cancel()
	body, err := s.captionsFor(ctx, c, &n, id)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && media.RefusalOf(err) == nil {
			err = cause
		}
		p := problemFor(err, stepAccess)
		if n.Code = p.Code; media.RefusalOf(err) == nil {
			n.Err = err
		}
		writeProblem(&c.Response, p)
	} else {
		h := &c.Response.Header
		h.Set("Cache-Control", "private, no-cache")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.SetContentType("text/vtt; charset=utf-8")
		c.SetStatusCode(statusOK)
		c.Response.SetBodyString(body)
	}
	c.Response.SkipBody = c.IsHead()
	s.recordAnswered(c, n)
}

func (s *Server) captionsFor(ctx context.Context, c *fasthttp.RequestCtx, n *Record, id int64) (string, error) {
	token, refusal := credentials(&c.Request)
	if refusal != nil {
		return "", refusal
	}
	began := s.now()
	viewer, err := s.authenticate(ctx, n.Client, token)
	n.Auth, n.User = s.now().Sub(began), viewer.User.ID
	if err != nil {
		return "", err
	}
	began = s.now()
	defer func() { n.Catalog = s.now().Sub(began) }()
	if _, err := s.access.Authorize(ctx, viewer, id); err != nil {
		return "", err
	}
	none := media.Refuse(media.CodeNotFound, "There are no such captions.")
	lang := captionLang(string(c.Path()))
	if lang == "" {
		return "", none
	}
	body, err := s.api.Captions.CaptionText(ctx, id, lang)
	if media.KindOf(err) == media.NotFound {
		return "", none
	}
	return body, err
}
