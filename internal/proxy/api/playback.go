package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/contenttype"
	"github.com/lectiospace/lectern/internal/proxy/credentials"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

// playbackJSON is the body of 201.
type playbackJSON struct {
	URL         string        `json:"url"`
	Token       string        `json:"token"`
	ExpiresAt   string        `json:"expires_at"`
	WatchURL    string        `json:"watch_url"`
	ContentType string        `json:"content_type"`
	Size        int64         `json:"size"`
	Captions    []captionJSON `json:"captions"`
}

type captionJSON struct {
	Label string `json:"label"`
	Lang  string `json:"lang"`
	URL   string `json:"url"`
}

// playbackRoute is POST {base}/recordings/{id}/playback/.
func (h *Handler) playbackRoute(base string) route.Route {
	return route.Route{
		Pattern: base + "/recordings/{id}/playback/", OptionalSlash: true, Allow: "POST, OPTIONS",
		Serve: func(c *fasthttp.RequestCtx, rec accesslog.Record, id int64) { h.servePlayback(c, rec, base, id) },
	}
}

// playback is one request for a grant.
type playback struct {
	h         *Handler
	record    *accesslog.Record
	upstream  respond.Upstream // what an error comes from
	viewer    media.Viewer
	recording media.Recording
	object    media.Object
	release   func() // ends the origin's prefetch; never nil
	captions  []media.Caption
	grant     media.Grant
}

func (h *Handler) servePlayback(c *fasthttp.RequestCtx, rec accesslog.Record, base string, id int64) {
	rec.Recording = id
	ctx, cancel := context.WithTimeoutCause(h.Base, h.cfg.OriginTimeout, respond.ErrTimeout)
	defer cancel()
	p := &playback{h: h, record: &rec, release: func() {}}
	if err := p.prepare(ctx, c, id); err != nil {
		p.release()
		refuse(ctx, c, &rec, err, p.upstream)
	} else {
		p.prefetch()
		p.answer(c, base)
	}
	h.Records.WriteAnswered(c, rec)
}

// prepare considers the refusals in the order of a stream's, then asks the origin, and
// signs the grant last.
func (p *playback) prepare(ctx context.Context, c *fasthttp.RequestCtx, id int64) (err error) {
	if err := p.authenticate(ctx, c); err != nil {
		return err
	}
	began := p.h.Now()
	p.recording, err = p.h.Access.Authorize(ctx, p.viewer, id)
	p.record.Catalog = p.h.Now().Sub(began)
	if err == nil && p.recording.Location.Key == "" {
		err = media.Refuse(media.CodeNoMedia, "The recording has no file.")
	}
	if err != nil {
		return err
	}
	var undo func()
	if p.h.Starts != nil {
		if undo, err = p.h.Starts.Count(ctx, p.viewer.User.ID, id, false); err != nil {
			return err
		}
	}
	if err = p.resolve(ctx); err == nil {
		p.grant, err = p.h.Grants.Grant(p.viewer.User.ID, p.recording)
	}
	if err != nil && undo != nil {
		undo() // what plays nothing is no start
	}
	return err
}

// authenticate accepts a session or an embedded player's cookie from a page of ours, or a token
// from the header.
func (p *playback) authenticate(ctx context.Context, c *fasthttp.RequestCtx) error {
	began := p.h.Now()
	defer func() { p.record.Auth = p.h.Now().Sub(began) }()
	tokens, refusal := credentials.PlayerTokens(c, p.h.Links)
	if refusal != nil {
		return refusal
	}
	viewer, err := p.h.Access.Authenticate(ctx, p.record.Client, tokens, 0)
	if err != nil {
		return err
	}
	p.record.User = viewer.User.ID
	if viewer.Playback != 0 {
		return media.RefuseToken("Token is invalid") // it makes no further grants
	}
	p.viewer = viewer
	return nil
}

// resolve asks the origin for the object, and the catalog for the captions.
func (p *playback) resolve(ctx context.Context) (err error) {
	p.upstream = respond.Origin
	began := p.h.Now()
	p.object, p.release, err = p.h.stat(ctx, p.recording)
	p.record.Origin = p.h.Now().Sub(began)
	if err == nil && p.object.Size < 0 {
		err = media.Faultf(media.Corrupt, "proxy: stat", "a size of %d", p.object.Size)
	}
	if err != nil || p.h.Captions == nil {
		return err
	}
	p.upstream = respond.Catalog
	p.captions, err = p.h.Captions.Captions(ctx, p.recording.ID)
	if kind := media.KindOf(err); err != nil && (kind == media.Unavailable || kind == media.Timeout) && ctx.Err() == nil {
		// The database is unavailable, and the cached access decision still holds: a
		// lesson without captions is better than none.
		p.captions, err = nil, nil
	}
	return err
}

// stat resolves a recording's location, and has the origin send the first bytes meanwhile,
// which the player asks for next. release is never nil.
func (h *Handler) stat(ctx context.Context, rec media.Recording) (obj media.Object, release func(), err error) {
	if prefetcher, ok := h.Origins.(StatPrefetcher); ok && h.Prefetch != nil {
		return prefetcher.StatPrefetch(ctx, rec.Location, rec.Copy, 0)
	}
	obj, err = h.Origins.Stat(ctx, rec.Location)
	return obj, func() {}, err
}

// prefetch has the beginning and the index of the recording read into the cache while the
// grant is on its way to the player.
func (p *playback) prefetch() {
	if p.h.Prefetch == nil {
		p.release()
		return
	}
	p.h.Prefetch.Prefetch(p.recording.Copy.Identify(p.object), p.release)
}

// answer writes 201 and the cookie.
func (p *playback) answer(c *fasthttp.RequestCtx, base string) {
	root, id := p.h.Links.BaseURL(c), strconv.FormatInt(p.recording.ID, 10)
	place := root + base + "/recordings/" + id
	body := playbackJSON{
		URL: place + "/stream/", Token: p.grant.Token, ExpiresAt: p.grant.Expires.UTC().Format(time.RFC3339),
		WatchURL: root + "/watch/" + id, ContentType: contenttype.Of(p.object), Size: p.object.Size,
		Captions: make([]captionJSON, len(p.captions)),
	}
	for i, track := range p.captions {
		// A <track> sends no header, and on another site no cookie.
		body.Captions[i] = captionJSON{track.Label, track.Lang,
			place + "/captions/" + url.PathEscape(track.Lang) + ".vtt?token=" + p.grant.Token}
	}
	respond.Headers(&c.Response.Header, "no-store")
	// A <video> of the same site plays with the cookie, which a browser sends to what belongs to
	// the recording only, until the token expires. In a frame of another site's page browsers
	// send only a cookie that is partitioned.
	life, path := p.grant.Expires.Sub(p.h.Now()), p.h.Links.BasePath(c)+base+"/recordings/"+id+"/"
	if p.viewer.Embedded {
		credentials.AddPartitionedCookie(c, credentials.PlaybackCookie, p.grant.Token, life, path)
	} else {
		credentials.AddCookie(c, p.h.Links, credentials.PlaybackCookie, p.grant.Token, life, path)
	}
	respond.JSON(&c.Response, http.StatusCreated, body)
}
