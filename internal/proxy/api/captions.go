package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/credentials"
	"github.com/lectiospace/lectern/internal/proxy/respond"
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
func (h *Handler) serveCaptions(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
	rec.Recording = id
	ctx, cancel := context.WithTimeoutCause(h.Base, timeout, respond.ErrTimeout)
	defer cancel()
	body, err := h.captions(ctx, c, &rec, id)
	if err != nil {
		refuse(ctx, c, &rec, err, respond.Catalog)
	} else {
		respond.Headers(&c.Response.Header, "private, no-cache")
		c.Response.Header.Add("Vary", "Authorization, Cookie")
		c.Response.Header.SetContentType("text/vtt; charset=utf-8")
		c.SetStatusCode(http.StatusOK)
		c.Response.SetBodyString(body)
	}
	c.Response.SkipBody = c.IsHead()
	h.Records.WriteAnswered(c, rec)
}

func (h *Handler) captions(ctx context.Context, c *fasthttp.RequestCtx, rec *accesslog.Record, id int64) (string, error) {
	tokens, refusal := credentials.Tokens(&c.Request)
	if refusal != nil {
		return "", refusal
	}
	began := h.Now()
	viewer, err := h.Access.Authenticate(ctx, rec.Client, tokens, id)
	rec.Auth, rec.User = h.Now().Sub(began), viewer.User.ID
	if err != nil {
		return "", err
	}
	began = h.Now()
	defer func() { rec.Catalog = h.Now().Sub(began) }()
	if _, err := h.Access.Authorize(ctx, viewer, id); err != nil {
		return "", err
	}
	none := media.Refuse(media.CodeNotFound, "There are no such captions.")
	lang := captionLang(string(c.Path()))
	if lang == "" {
		return "", none
	}
	body, err := h.Services.Captions.CaptionText(ctx, id, lang)
	if media.KindOf(err) == media.NotFound {
		return "", none
	}
	return body, err
}

// refuse answers a route outside the recordings API with an error.
func refuse(ctx context.Context, c *fasthttp.RequestCtx, rec *accesslog.Record, err error, from respond.Upstream) {
	if media.RefusalOf(err) == nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		rec.Err = err
	}
	p := respond.ProblemOf(err, from)
	rec.Code = p.Code
	respond.Error(&c.Response, p)
}
