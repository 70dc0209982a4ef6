package api

import (
	"context"
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/credentials"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// captionRoute answers …/captions/{lang}.vtt: readers have the stream's credentials, what
// edits has those of the recordings API.
func (h *Handler) captionRoute() func(*fasthttp.RequestCtx, accesslog.Record, int64) {
	edit := h.serve(methods{put: (*request).putCaptions, remove: (*request).removeCaptions})
	return func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
		if c.IsPut() || c.IsDelete() {
			edit(c, rec, id)
			return
		}
		h.serveCaptions(c, rec, id)
	}
}

// serveCaptions answers GET {base}/recordings/{id}/captions/{lang}.vtt. Whoever may
// play the stream may read them, with the same credentials: a <track> sends no
// header. Refusals are the stream's.
func (h *Handler) serveCaptions(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) {
	h.serveText(c, rec, id, func(ctx context.Context, c *fasthttp.RequestCtx, _ media.Viewer, rec media.Recording) (string, error) {
		none := media.Refuse(media.CodeNotFound, "There are no such captions.")
		lang := captionLang(string(c.Path()))
		if lang == "" {
			return "", none
		}
		body, err := h.Services.Captions.CaptionText(ctx, rec.ID, lang)
		if media.KindOf(err) == media.NotFound {
			return "", none
		}
		return body, err
	})
}

// serveText answers with WebVTT of a recording, for those who may play its stream and with
// the stream's credentials and refusals.
func (h *Handler) serveText(c *fasthttp.RequestCtx, rec accesslog.Record, id int64, text func(context.Context, *fasthttp.RequestCtx, media.Viewer, media.Recording) (string, error)) {
	rec.Recording = id
	ctx, cancel := context.WithTimeoutCause(h.Base, timeout, respond.ErrTimeout)
	defer cancel()
	var body string
	viewer, recording, err := h.viewer(ctx, c, &rec, id)
	if err == nil {
		began := h.Now()
		body, err = text(ctx, c, viewer, recording)
		rec.Catalog += h.Now().Sub(began)
	}
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

// viewer returns the user of a stream's credentials or of a session, and the recording that
// they may watch.
func (h *Handler) viewer(ctx context.Context, c *fasthttp.RequestCtx, rec *accesslog.Record, id int64) (media.Viewer, media.Recording, error) {
	tokens, refusal := credentials.StreamOrSession(c, h.Links)
	if refusal != nil {
		return media.Viewer{}, media.Recording{}, refusal
	}
	began := h.Now()
	viewer, err := h.Access.Authenticate(ctx, rec.Client, tokens, id)
	rec.Auth, rec.User = h.Now().Sub(began), viewer.User.ID
	if err != nil {
		return viewer, media.Recording{}, err
	}
	began = h.Now()
	recording, err := h.Access.Authorize(ctx, viewer, id)
	rec.Catalog = h.Now().Sub(began)
	return viewer, recording, err
}

// refuse answers a route outside the recordings API with an error.
func refuse(ctx context.Context, c *fasthttp.RequestCtx, rec *accesslog.Record, err error, from respond.Upstream) {
	err = respond.Cause(ctx, err)
	if media.RefusalOf(err) == nil {
		rec.Err = err
	}
	p := respond.ProblemOf(err, from)
	rec.Code = p.Code
	respond.Error(&c.Response, p)
}
