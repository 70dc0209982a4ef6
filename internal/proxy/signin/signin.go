// Package signin serves /signin: a browser signs in at a provider of OpenID Connect and comes
// back with a code, for which it is given the cookie of a session.
package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/oidc"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/credentials"
	"github.com/lectiospace/lectern/internal/proxy/forwarded"
	"github.com/lectiospace/lectern/internal/proxy/respond"
	"github.com/lectiospace/lectern/internal/proxy/route"
)

const (
	// timeout bounds a request.
	timeout = 20 * time.Second
	// cookieName is the cookie of a sign-in that has begun.
	cookieName = "lectern_signin"
	// cookiePath is where a sign-in begins, and the path above its end.
	cookiePath = "/signin"
)

// Provider is where people sign in. Its errors have a *media.Refusal in their chain.
type Provider interface {
	// Begin returns the provider's address to which the browser goes.
	Begin(redirectURI string, a oidc.Attempt) (string, error)
	// Finish returns the verified e-mail address of the person who signed in.
	Finish(ctx context.Context, redirectURI, code string, a oidc.Attempt) (string, error)
	// Issuer is the provider's name, which a callback may repeat.
	Issuer() string
}

// Signer signs tokens of sessions, and seals what a browser keeps of a sign-in.
type Signer interface {
	// Session is a token that lasts until the given moment, and for ttl at most.
	Session(userID int64, until time.Time, ttl time.Duration) (token string, expires time.Time, err error)
	// SealSignIn encrypts a value of JSON, and returns when the seal expires.
	SealSignIn(value any) (seal string, expires time.Time, err error)
	// OpenSignIn decodes it again; ok is false for a seal that is not valid.
	OpenSignIn(seal string, value any) (expires time.Time, ok bool)
}

// Users looks users up.
type Users interface {
	// UserByEmail is the only active user with an address; the error's kind is NotFound where
	// there is none, or several.
	UserByEmail(ctx context.Context, email string) (int64, error)
}

// UsedCodes stores which sign-ins came back. It is shared by all gateways.
type UsedCodes interface {
	// Use marks a sign-in as used until its seal expires. first is false when it was used
	// before.
	Use(ctx context.Context, id string, expires, now time.Time) (first bool, err error)
}

// Services are what sign-ins need of the rest of the gateway; all of it.
type Services struct {
	Provider Provider
	Signer   Signer
	Users    Users
	Used     UsedCodes
}

// Deps is what a Handler needs; all of it.
type Deps struct {
	Services
	// Limit counts a refused callback of a client. It returns err, or a refusal for a client
	// that has sent too many.
	Limit func(client netip.Addr, err error) error
	Links forwarded.Resolver
	// Base ends, with a cause, when all requests have to end.
	Base    context.Context
	Records *accesslog.Log
	Now     func() time.Time
}

// Handler serves the routes. Its methods may be called from any goroutine.
type Handler struct {
	Deps
	ttl time.Duration
}

// New builds a Handler, whose sessions last for ttl.
func New(ttl time.Duration, deps Deps) *Handler { return &Handler{Deps: deps, ttl: ttl} }

// Routes are the routes of the handler.
func (h *Handler) Routes() []route.Route {
	return []route.Route{
		{Pattern: cookiePath, OptionalSlash: true, Allow: "GET, OPTIONS", Serve: h.serve((*request).begin)},
		{Pattern: oidc.CallbackPath, OptionalSlash: true, Allow: "GET, OPTIONS", Serve: h.serve((*request).callback)},
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
		h.Records.WriteAnswered(c, rec)
	}
}

// begun is what the browser keeps of a sign-in.
type begun struct {
	oidc.Attempt
	Next    string    `json:"next"`
	expires time.Time // of the seal that was opened
}

// begin is GET /signin.
func (x *request) begin() error {
	b := begun{Attempt: oidc.NewAttempt(), Next: ownPath(string(x.c.QueryArgs().Peek("next")))}
	address, err := x.h.Provider.Begin(x.redirectURI(), b.Attempt)
	if err != nil {
		return err
	}
	sealed, expires, err := x.h.Signer.SealSignIn(b)
	if err != nil {
		return err
	}
	x.setCookie(cookieName, sealed, expires.Sub(x.h.Now()), x.h.Links.BasePath(x.c)+cookiePath)
	x.redirect(http.StatusFound, address)
	return nil
}

// callback is GET /signin/callback, to which the provider sends the browser. Whatever comes of
// it, the browser keeps nothing of the sign-in.
func (x *request) callback() error {
	x.setCookie(cookieName, "", 0, x.h.Links.BasePath(x.c)+cookiePath)
	b, code, err := x.returned()
	if err != nil {
		return x.h.Limit(x.rec.Client, err)
	}
	now := x.h.Now()
	first, err := x.h.Used.Use(x.ctx, attemptID(b.State), b.expires, now)
	switch {
	case err != nil:
		return err
	case !first:
		return x.h.Limit(x.rec.Client, refused("the callback was used before"))
	}
	email, err := x.h.Provider.Finish(x.ctx, x.redirectURI(), code, b.Attempt)
	if err != nil {
		return err
	}
	user, err := x.h.Users.UserByEmail(x.ctx, email)
	if err != nil {
		if media.KindOf(err) == media.NotFound {
			return fmt.Errorf("%w: %w", media.RefuseAccount(), err)
		}
		return err
	}
	x.rec.User = user
	token, expires, err := x.h.Signer.Session(user, now.Add(x.h.ttl), x.h.ttl)
	if err != nil {
		return err
	}
	x.setCookie(credentials.SessionCookie, token, expires.Sub(now), "/")
	x.redirect(http.StatusSeeOther, x.publicPath(b.Next))
	return nil
}

// returned checks that the callback belongs to a sign-in that this browser began, and returns
// that and the provider's code.
func (x *request) returned() (b begun, code string, err error) {
	args := x.c.QueryArgs()
	for _, name := range []string{"state", "code", "error", "iss"} {
		if len(args.PeekMulti(name)) > 1 {
			return b, "", refused("several parameters " + name)
		}
	}
	state := args.Peek("state")
	switch {
	case !x.opened(&b):
		return b, "", refused("this browser has no sign-in that has begun, or it took longer than 10 minutes")
	case subtle.ConstantTimeCompare(state, []byte(b.State)) != 1:
		return b, "", refused("the state is of another browser or another sign-in")
	case args.Has("iss") && string(args.Peek("iss")) != x.h.Provider.Issuer():
		return b, "", refused("another provider answered")
	case args.Has("error"):
		return b, "", refused(fmt.Sprintf("the provider answered with the error %.40q", args.Peek("error")))
	case len(args.Peek("code")) == 0:
		return b, "", refused("no code")
	}
	return b, string(args.Peek("code")), nil
}

// opened opens the first cookie that is valid; RFC 6265 section 5.4 lets a browser send several.
func (x *request) opened(b *begun) bool {
	tried := 0
	for name, value := range x.c.Request.Header.Cookies() {
		if string(name) != cookieName || tried == credentials.MaxTokens {
			continue
		}
		tried++
		expires, ok := x.h.Signer.OpenSignIn(string(value), b)
		if ok && b.State != "" {
			b.expires = expires
			return true
		}
	}
	return false
}

// attemptID is the name of an attempt among the used ones. The state itself is in addresses.
func attemptID(state string) string {
	sum := sha256.Sum256([]byte(state))
	return "sign-in:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// refused is the refusal of a callback, which counts as a guess.
func refused(why string) error {
	r := media.RefuseSignIn()
	r.Forged = true
	return fmt.Errorf("%w: %s", r, why)
}

func (x *request) redirectURI() string { return oidc.RedirectURI(x.h.Links.BaseURL(x.c)) }

func (x *request) setCookie(name, value string, life time.Duration, path string) {
	credentials.AddCookie(x.c, x.h.Links, name, value, life, path)
}

// redirect sets Location itself: fasthttp's own Redirect makes paths absolute by the Host of
// the request.
func (x *request) redirect(status int, location string) {
	x.c.Response.Header.Set("Location", location)
	x.c.SetStatusCode(status)
}

// refuse answers with a page. A browser may have come back from the provider with a session
// already: its cookie stays.
func (x *request) refuse(err error) {
	err = respond.Cause(x.ctx, err)
	p := respond.ProblemOf(err, respond.Catalog)
	if p.Code != media.CodeThrottled {
		x.rec.Err = err // refusals, too: operators see nowhere else why people cannot sign in
	}
	x.rec.Code = p.Code
	respond.PageFor(x.c, p)
}
