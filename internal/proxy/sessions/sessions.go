// Package sessions serves /session: a browser exchanges an access token, or a code from a
// link, for the cookie with which its pages stay signed in.
package sessions

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
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
	// Embed is a token of an embedded player, which lasts as a session's does.
	Embed(userID int64, until time.Time, ttl time.Duration) (token string, expires time.Time, err error)
	// SessionCode is a code for one session that ends at the given moment at the latest.
	SessionCode(userID int64, until time.Time) (code string, expires time.Time, err error)
}

// Redeemer turns a code into the viewer whose session it begins, once.
type Redeemer interface {
	// User is the user whose session a code would begin; the code stays unused.
	User(code string) (int64, error)
	Redeem(ctx context.Context, code string) (media.Viewer, error)
}

// Names looks up how a user is called.
type Names interface {
	UserName(ctx context.Context, userID int64) (string, error)
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
	// Embedding is whether there are pages that may embed the player.
	Embedding bool
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

// bearer is the user of an access token in the header.
func (x *request) bearer() (media.Viewer, error) {
	token, bad := credentials.Bearer(&x.c.Request)
	if bad != nil {
		return media.Viewer{}, bad
	}
	return x.authenticate([]media.Token{token})
}

// authenticate is the user of a session or an access token.
func (x *request) authenticate(tokens []media.Token) (media.Viewer, error) {
	viewer, err := x.h.Access.Authenticate(x.ctx, x.rec.Client, tokens, 0)
	if err != nil {
		return viewer, err
	}
	x.rec.User = viewer.User.ID
	if viewer.Playback != 0 {
		return viewer, media.RefuseToken("Token has wrong type")
	}
	return viewer, nil
}

// sessionJSON is a session: its user and its end.
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
	name, err := x.h.Names.UserName(x.ctx, viewer.User.ID)
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
	tokens, refusal := credentials.SessionOrBearer(x.c, x.h.Links)
	if refusal != nil {
		return media.Viewer{}, refusal
	}
	return x.authenticate(tokens)
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

// badRequest is the text of a 400.
type badRequest struct{ detail string }

// Error implements error.
func (e badRequest) Error() string { return e.detail }

// refuse answers with an error.
func (x *request) refuse(err error) {
	var p respond.Problem
	var bad badRequest
	if errors.As(err, &bad) {
		p = respond.Problem{Status: http.StatusBadRequest, Detail: bad.detail, Code: respond.CodeBadRequest}
	} else {
		err = respond.Cause(x.ctx, err)
		if media.RefusalOf(err) == nil {
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
