// Package sessions serves /session: a browser exchanges an access token, or a code from a
// link, for the cookie with which its pages stay signed in.
package sessions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/credentials"
	"github.com/lectiospace/lectern/internal/proxy/forwarded"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

// timeout bounds a request.
const timeout = 10 * time.Second

// Access identifies users. Its methods are called from many goroutines; they return a
// *media.Refusal for a refusal, and another error when they cannot decide.
type Access interface {
	// Authenticate returns the user of the first valid token; recordingID is 0 here.
	Authenticate(ctx context.Context, client netip.Addr, tokens []media.Token, recordingID int64) (media.Viewer, error)
	// Limit counts a forged credential of a client. It returns err, or a refusal for a client
	// that has sent too many.
	Limit(client netip.Addr, err error) error
}

// Signer signs the tokens of sessions and the codes for them.
type Signer interface {
	// Session is a token that lasts until the given moment, and for ttl at most.
	Session(userID int64, until time.Time, ttl time.Duration) (token string, expires time.Time, err error)
	// SessionCode is a code for one session that ends at the given moment at the latest.
	SessionCode(userID int64, until time.Time) (code string, expires time.Time, err error)
}

// Redeemer turns a code into the viewer whose session it begins, once.
type Redeemer interface {
	// User is whose session a code would begin; the code stays unused.
	User(code string) (int64, error)
	Redeem(ctx context.Context, code string) (media.Viewer, error)
}

// Names looks up how a user is called.
type Names interface {
	Name(ctx context.Context, userID int64) (string, error)
}

// Services are what sessions need of the rest of the gateway; all of it.
type Services struct {
	Signer Signer
	Codes  Redeemer
	Names  Names
}

// Deps is what a Handler needs; all of it.
type Deps struct {
	Services
	Access Access
	Links  forwarded.Resolver
	// Base ends, with a cause, when all requests have to end.
	Base    context.Context
	Records *accesslog.Log
	Now     func() time.Time
}

// Handler serves the routes. Its methods may be called from any goroutine.
type Handler struct {
	Deps
	cfg Config
}

// Config of a Handler.
type Config struct {
	// TTL is the longest that a session lasts.
	TTL time.Duration
	// PagesBase is the base path under which the pages use the API.
	PagesBase string
	// SignIn is the sign-in that GET /session offers without a session; nil where there is none.
	SignIn *respond.SignIn
}

// New builds a Handler.
func New(cfg Config, deps Deps) *Handler { return &Handler{Deps: deps, cfg: cfg} }

// Routes are the routes of the handler.
func (h *Handler) Routes() []route.Route {
	return []route.Route{
		{Pattern: "/session", OptionalSlash: true, Allow: "GET, HEAD, POST, DELETE, OPTIONS", SignsIn: true, Serve: h.serve((*request).session)},
		{Pattern: "/session/code", OptionalSlash: true, Allow: "POST, OPTIONS", Serve: h.serve((*request).code)},
	}
}

// request is one request.
type request struct {
	h   *Handler
	c   *fasthttp.RequestCtx
	rec *accesslog.Record
	ctx context.Context
}

func (h *Handler) serve(f func(*request) error) func(*fasthttp.RequestCtx, accesslog.Record, int64) {
	return func(c *fasthttp.RequestCtx, rec accesslog.Record, _ int64) {
		ctx, cancel := context.WithTimeoutCause(h.Base, timeout, respond.ErrTimeout)
		defer cancel()
		respond.Headers(&c.Response.Header, "no-store")
		x := &request{h: h, c: c, rec: &rec, ctx: ctx}
		if err := f(x); err != nil {
			x.refuse(err)
		}
		c.Response.SkipBody = c.IsHead()
		h.Records.WriteAnswered(c, rec)
	}
}

func (x *request) session() error {
	switch {
	case x.c.IsPost():
		return x.begin()
	case x.c.IsDelete():
		return x.end()
	default:
		return x.show()
	}
}

// begin is POST /session. It requires a page of ours even with a token in the header: a page
// of another site must not sign its reader in as somebody else.
func (x *request) begin() error {
	if r := credentials.RequireOurPage(x.c, x.h.Links); r != nil {
		return r
	}
	wanted, err := x.wanted()
	if err != nil {
		return err
	}
	viewer, err := x.entitled(wanted)
	if err != nil {
		return err
	}
	token, expires, err := x.h.Signer.Session(viewer.User.ID, viewer.Expires, x.h.cfg.TTL)
	if err != nil {
		return err
	}
	life := int64(expires.Sub(x.h.Now()) / time.Second)
	if life <= 0 { // within the leeway after its end
		return refuseToken("Token is expired")
	}
	x.c.Response.Header.Add("Set-Cookie", x.cookie(token, life))
	x.c.SetStatusCode(http.StatusNoContent)
	return nil
}

// entitled is who may begin a session: the user of the body's code, or of an access token in
// the header. Neither a session nor a playback token begins another session.
func (x *request) entitled(w wanted) (media.Viewer, error) {
	if w.Code == "" {
		viewer, err := x.bearer()
		if err == nil && w.keepsOther() {
			err = x.refuseOther(viewer.User.ID)
		}
		return viewer, err
	}
	if w.keepsOther() {
		user, err := x.h.Codes.User(w.Code)
		if err == nil {
			err = x.refuseOther(user)
		}
		if err != nil {
			return media.Viewer{}, x.h.Access.Limit(x.rec.Client, err)
		}
	}
	viewer, err := x.h.Codes.Redeem(x.ctx, w.Code)
	if err != nil {
		return viewer, x.h.Access.Limit(x.rec.Client, err)
	}
	x.rec.User = viewer.User.ID
	return viewer, nil
}

// wanted is the body of POST /session.
type wanted struct {
	Code string `json:"code"`
	// Replace is whether the session may take the place of another user's. A page sets it to
	// false, and asks the person where the answer is 409.
	Replace *bool `json:"replace"`
}

func (w wanted) keepsOther() bool { return w.Replace != nil && !*w.Replace }

// wanted reads the body, which may be missing.
func (x *request) wanted() (w wanted, err error) {
	body := bytes.TrimSpace(x.c.Request.Body())
	if len(body) == 0 {
		return w, nil
	}
	if json.Unmarshal(body, &w) != nil || body[0] != '{' {
		return w, badRequest{`The body has to be empty, or {"code": "…"}.`}
	}
	return w, nil
}

// refuseOther refuses when the request has the session of a user other than the given one.
func (x *request) refuseOther(user int64) error {
	tokens := credentials.SessionCookies(&x.c.Request.Header)
	if len(tokens) == 0 {
		return nil
	}
	now, err := x.h.Access.Authenticate(x.ctx, x.rec.Client, tokens, 0)
	refusal := media.RefusalOf(err)
	switch {
	case refusal != nil && refusal.Code != media.CodeThrottled: // it has ended
		return nil
	case err != nil:
		return err
	case now.User.ID != user:
		return media.Refuse(media.CodeOtherSession, "Somebody else is signed in.")
	}
	return nil
}

// bearer is the user of an access token in the header.
func (x *request) bearer() (media.Viewer, error) {
	token, bad := credentials.Bearer(&x.c.Request)
	if bad != nil {
		return media.Viewer{}, bad
	}
	viewer, err := x.h.Access.Authenticate(x.ctx, x.rec.Client, []media.Token{token}, 0)
	if err != nil {
		return viewer, err
	}
	x.rec.User = viewer.User.ID
	if viewer.Playback != 0 {
		return viewer, refuseToken("Token has wrong type")
	}
	return viewer, nil
}

// end is DELETE /session. The token itself stays valid until it expires: no gateway keeps a
// list of sessions.
func (x *request) end() error {
	if len(x.c.Request.Header.Cookie(credentials.SessionCookie)) > 0 {
		if r := credentials.RequireOurPage(x.c, x.h.Links); r != nil {
			return r
		}
	}
	played, err := x.played()
	if err != nil {
		return err
	}
	x.c.Response.Header.Add("Set-Cookie", x.cookie("", 0))
	for _, id := range played {
		x.c.Response.Header.Add("Set-Cookie", x.removedPlayback(id))
	}
	x.c.SetStatusCode(http.StatusNoContent)
	return nil
}

// maxPlayed is for how many recordings a sign-out removes the cookies of playback grants.
const maxPlayed = 100

// played are the recordings whose cookies the page wants to be rid of: {"recordings": [7]}.
// Such a cookie is the browser's own, plays on without a session, and is at a path that only
// the page knows.
func (x *request) played() ([]int64, error) {
	var fields struct {
		Recordings []int64 `json:"recordings"`
	}
	body := bytes.TrimSpace(x.c.Request.Body())
	if len(body) > 0 && (json.Unmarshal(body, &fields) != nil || body[0] != '{' || len(fields.Recordings) > maxPlayed) {
		return nil, badRequest{fmt.Sprintf(`The body has to be empty, or {"recordings": [ids, at most %d]}.`, maxPlayed)}
	}
	return fields.Recordings, nil
}

// removedPlayback removes the cookie of a playback grant that a page of ours asked for.
func (x *request) removedPlayback(id int64) string {
	path := fmt.Sprintf("%s/recordings/%d/", x.h.cfg.PagesBase, id)
	if u, err := url.Parse(x.h.Links.BaseURL(x.c)); err == nil {
		path = u.EscapedPath() + path
	}
	return x.attributes(credentials.PlaybackCookie, "", 0, path)
}

// sessionJSON is whose session it is.
type sessionJSON struct {
	User      userJSON `json:"user"`
	ExpiresAt string   `json:"expires_at"`
}

type userJSON struct {
	ID   int64      `json:"id"`
	Name string     `json:"name"`
	Role media.Role `json:"role"`
}

// show is GET /session.
func (x *request) show() error {
	viewer, err := x.signedIn()
	if err != nil {
		return err
	}
	name, err := x.h.Names.Name(x.ctx, viewer.User.ID)
	if err != nil && media.KindOf(err) != media.NotFound {
		return err
	}
	respond.JSON(&x.c.Response, http.StatusOK, sessionJSON{
		User: userJSON{viewer.User.ID, name, viewer.User.Role}, ExpiresAt: viewer.Expires.UTC().Format(time.RFC3339),
	})
	return nil
}

// signedIn is the user of the session or, with a token in the header, of that.
func (x *request) signedIn() (media.Viewer, error) {
	tokens, refusal := credentials.SessionTokens(x.c, x.h.Links)
	switch {
	case refusal != nil:
		return media.Viewer{}, refusal
	case len(tokens) == 0:
		return x.bearer()
	}
	viewer, err := x.h.Access.Authenticate(x.ctx, x.rec.Client, tokens, 0)
	x.rec.User = viewer.User.ID
	return viewer, err
}

// codeJSON is a code for one session.
type codeJSON struct {
	Code      string `json:"code"`
	ExpiresAt string `json:"expires_at"`
}

// code is POST /session/code.
func (x *request) code() error {
	viewer, err := x.bearer()
	if err != nil {
		return err
	}
	code, expires, err := x.h.Signer.SessionCode(viewer.User.ID, viewer.Expires)
	if err != nil {
		return err
	}
	respond.JSON(&x.c.Response, http.StatusCreated, codeJSON{code, expires.UTC().Format(time.RFC3339)})
	return nil
}

// cookie is the header's value; a life of 0 s removes the cookie.
func (x *request) cookie(token string, life int64) string {
	return x.attributes(credentials.SessionCookie, token, life, "/")
}

func (x *request) attributes(name, value string, life int64, path string) string {
	return credentials.SetCookie(name, value, life, path, x.h.Links.Secure(x.c))
}

// badRequest is the text of a 400.
type badRequest struct{ detail string }

// Error implements error.
func (e badRequest) Error() string { return e.detail }

func refuseToken(message string) *media.Refusal {
	r := media.Refuse(media.CodeTokenNotValid, "Given token not valid for any token type")
	r.Messages = []media.TokenMessage{{Class: "AccessToken", Type: "access", Message: message}}
	return r
}

// refuse answers with an error.
func (x *request) refuse(err error) {
	var p respond.Problem
	var bad badRequest
	if errors.As(err, &bad) {
		p = respond.Problem{Status: http.StatusBadRequest, Detail: bad.detail, Code: respond.CodeBadRequest}
	} else {
		if media.RefusalOf(err) == nil {
			if cause := context.Cause(x.ctx); cause != nil {
				err = cause
			}
			x.rec.Err = err
		}
		p = respond.ProblemOf(err, respond.Catalog)
	}
	if p.Status == http.StatusUnauthorized && x.c.IsGet() {
		p.SignIn = x.h.cfg.SignIn
	}
	x.rec.Code = p.Code
	respond.Error(&x.c.Response, p)
}
