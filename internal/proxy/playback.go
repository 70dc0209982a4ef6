package proxy

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// Grants signs what a <video> plays with.
type GrantSigner interface {
	Grant(userID int64, rec media.Recording) (media.Grant, error)
}

// Captions lists the tracks kept beside a recording.
type CaptionLister interface {
	Captions(ctx context.Context, recordingID int64) ([]media.Caption, error)
}

// Starts counts playback starts, across all gateways of a database. A direct one,
// a stream with an access token, goes with an earlier start of the same user and
// recording for a while. The error is a *media.Refusal when the limit is reached.
// undo, where it is not nil, takes back what was counted; it is called at most
// once, when the request is refused after all.
type StartCounter interface {
	Count(ctx context.Context, userID, recordingID int64, direct bool) (undo func(), err error)
	// Ready reports whether Count will answer for a direct stream at once.
	Ready(userID, recordingID int64) bool
}

// playbackAnswer is the body of 201, in the contract's order.
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
func (s *Server) playbackRoute(base string) route {
	return route{
		pattern: base + "/recordings/{id}/playback/", slash: true, allow: "POST, OPTIONS",
		serve: func(c *fasthttp.RequestCtx, n Record, id int64) { s.servePlayback(c, n, base, id) },
	}
}

// playback is one request for a grant, from its token to its answer.
type playback struct {
	s         *Server
	record    *Record
	step      step
	viewer    media.Viewer
	recording media.Recording
	object    media.Object
	captions  []media.Caption
	grant     media.Grant
}

func (s *Server) servePlayback(c *fasthttp.RequestCtx, n Record, base string, id int64) {
	n.Recording = id
	ctx, cancel := context.WithTimeoutCause(s.base, s.cfg.OriginTimeout, errSlow)
	defer cancel()
	p := &playback{s: s, record: &n}
	if err := p.prepare(ctx, &c.Request, id); err != nil {
		if cause := context.Cause(ctx); cause != nil && media.RefusalOf(err) == nil {
			err = cause
		}
		problem := problemFor(err, p.step)
		writeProblem(&c.Response, problem)
		if n.Code = problem.Code; media.RefusalOf(err) == nil {
			n.Err = err
		}
		s.recordAnswered(c, n)
		return
	}
	p.answer(c, base)
	s.recordAnswered(c, n)
}

// prepare goes through the refusals in the order of a stream's, then asks the
// origin, and signs the grant when nothing stands in the way any more.
func (p *playback) prepare(ctx context.Context, req *fasthttp.Request, id int64) (err error) {
	if err := p.authenticate(ctx, req); err != nil {
		return err
	}
	began := p.s.now()
	p.recording, err = p.s.access.Authorize(ctx, p.viewer, id)
	p.record.Catalog = p.s.now().Sub(began)
	if err == nil && p.recording.Location.Key == "" {
		err = media.Refuse(media.CodeNoMedia, "The recording has no file.")
	}
	if err != nil {
		return err
	}
	undo, err := p.s.countStart(ctx, p.viewer.User.ID, id, false)
	if err != nil {
		return err
	}
	if err = p.resolve(ctx); err == nil {
		p.grant, err = p.s.grants.Grant(p.viewer.User.ID, p.recording)
	}
	if err != nil && undo != nil {
		undo() // what plays nothing is no start
	}
	return err
}

// authenticate takes a token from the header only: what a page of somebody else's
// can make a browser send, a link or a cookie, must not make grants.
func (p *playback) authenticate(ctx context.Context, req *fasthttp.Request) error {
	began := p.s.now()
	defer func() { p.record.Auth = p.s.now().Sub(began) }()
	token, bad := bearer(req)
	if bad != nil {
		return bad
	}
	viewer, err := p.s.authenticate(ctx, p.record.Client, token)
	if err != nil {
		return err
	}
	p.record.User = viewer.User.ID
	if viewer.Playback != 0 {
		return notForThis()
	}
	p.viewer = viewer
	return nil
}

// find asks the origin what lies there, and the catalog for the captions.
func (p *playback) resolve(ctx context.Context) (err error) {
	p.step = stepOrigin
	began := p.s.now()
	p.object, err = p.s.origins.Stat(ctx, p.recording.Location)
	p.record.Origin = p.s.now().Sub(began)
	if err == nil && p.object.Size < 0 {
		err = media.Faultf(media.Corrupt, "proxy: stat", "a size of %d", p.object.Size)
	}
	if err != nil || p.s.captions == nil {
		return err
	}
	p.step = stepAccess
	p.captions, err = p.s.captions.Captions(ctx, p.recording.ID)
	if kind := media.KindOf(err); err != nil && (kind == media.Unavailable || kind == media.Timeout) && ctx.Err() == nil {
		// The database is away, and what is known of access still holds: a lesson
		// without captions is better than none.
		p.captions, err = nil, nil
	}
	return err
}

// answer writes 201 and the cookie.
func (p *playback) answer(c *fasthttp.RequestCtx, base string) {
	root, id := p.s.publicBase(c), strconv.FormatInt(p.recording.ID, 10)
	place := root + base + "/recordings/" + id
	body := playbackJSON{
		URL: place + "/stream/", Token: p.grant.Token, ExpiresAt: p.grant.Expires.UTC().Format(time.RFC3339),
		WatchURL: root + "/watch/" + id, ContentType: contentType(p.object), Size: p.object.Size,
		Captions: make([]captionJSON, len(p.captions)),
	}
	for i, track := range p.captions {
		// A <track> sends no header, and the cookie's path is the stream's.
		body.Captions[i] = captionJSON{track.Label, track.Lang,
			place + "/captions/" + url.PathEscape(track.Lang) + ".vtt?token=" + p.grant.Token}
	}
	h := &c.Response.Header
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Add("Set-Cookie", p.cookie(c, body.URL))
	writeJSON(&c.Response, statusCreated, body)
}

// cookie is what a <video> of the same site plays with. It goes to the stream and
// nowhere else, and ends with the token. SameSite=Lax keeps it away from pages of
// others that embed the stream.
func (p *playback) cookie(c *fasthttp.RequestCtx, link string) string {
	path := "/"
	if u, err := url.Parse(link); err == nil {
		path = u.EscapedPath()
	}
	life := max(0, int(p.grant.Expires.Sub(p.s.now())/time.Second))
	text := fmt.Sprintf("%s=%s; Max-Age=%d; Path=%s; HttpOnly; SameSite=Lax", playbackCookie, p.grant.Token, life, path)
	if p.s.secure(c) {
		text += "; Secure"
	}
	return text
}

// notForThis refuses a playback token where it opens nothing.
func notForThis() *media.Refusal {
	r := media.Refuse(media.CodeTokenNotValid, "Given token not valid for any token type")
	r.Messages = []media.TokenMessage{{Class: "AccessToken", Type: "access", Message: "Token is invalid"}}
	return r
}
