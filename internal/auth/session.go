package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lectiospace/lectern/internal/media"
)

// SessionConfig is what operators set of sessions.
type SessionConfig struct {
	TTL time.Duration `name:"ttl" default:"12h" help:"The longest that a sign-in of the pages lasts; it also ends with the token that began it (duration)."`
}

// Check returns an error of the form "setting: what is wrong with it".
func (c SessionConfig) Check() error {
	if c.TTL < time.Minute || c.TTL > 366*24*time.Hour {
		return fmt.Errorf("session-ttl: %s is not between 1m and 8784h (366 days)", c.TTL)
	}
	return nil
}

// Session signs the token of a session, which counts in the session's cookie only. It lasts
// until the credential that begins it expires, and for ttl at most.
func (m *Minter) Session(userID int64, until time.Time, ttl time.Duration) (token string, expires time.Time, err error) {
	return m.sign(m.secrets.Load().session, userID, m.earlier(until, ttl), nil)
}

// Embed signs the token of an embedded player, which counts in the player's cookie only and
// for no other request. It lasts as Session's does.
func (m *Minter) Embed(userID int64, until time.Time, ttl time.Duration) (token string, expires time.Time, err error) {
	return m.sign(m.secrets.Load().embed, userID, m.earlier(until, ttl), nil)
}

// earlier is until, or the moment ttl from now where that is earlier.
func (m *Minter) earlier(until time.Time, ttl time.Duration) time.Time {
	if last := m.now().Add(ttl); until.After(last) {
		return last
	}
	return until
}

// codeLife is how long a code for a session may take from where it is made, over a page that
// links to ours, to the browser that takes it.
const codeLife = time.Minute

// SessionCode signs a code with which a browser begins one session of a user, which lasts
// until the given moment at most. expires is when the code itself does, or until where that is
// earlier. A code by itself counts as often as it is verified: see CodeRedeemer.
func (m *Minter) SessionCode(userID int64, until time.Time) (code string, expires time.Time, err error) {
	last := m.now().Add(codeLife)
	if until.Before(last) {
		last = until
	}
	return m.sign(m.secrets.Load().code, userID, last, jwt.MapClaims{sessionExpiry: until.Unix()})
}

// sessionExpiry is the claim of a code that says when its session ends at the latest.
const sessionExpiry = "session_exp"

// sessionCode is what a verified code says.
type sessionCode struct {
	// id is the code's jti, by which it is known once it was used.
	id string
	// expires is when the code cannot be valid any more, at no gateway whose clock is within
	// the leeway.
	expires time.Time
	// user begins the session, which ends at until at the latest.
	user  int64
	until time.Time
}

// codeRefusal refuses a code that is not valid, whatever is wrong with it.
func codeRefusal(forged bool) error {
	r := media.Refuse(media.CodeCodeNotValid, "This link has been used or has expired. Open the lesson again from where the link was.")
	r.Forged = forged
	return r
}

// verifySessionCode checks a code's signature and times. The error is a *media.Refusal with
// media.CodeCodeNotValid. Whether the code was used before is not checked.
func (v *Verifier) verifySessionCode(text string) (sessionCode, error) {
	t, ok := parseCompact(text)
	if !ok {
		return sessionCode{}, codeRefusal(true)
	}
	key, ok := v.secrets.Load().code.byID(t.kid)
	if !ok {
		return sessionCode{}, codeRefusal(true)
	}
	var code sessionCode
	claims, err := v.verifyOwn(t, key, func(payload []byte, now time.Time) (Claims, *media.Refusal) {
		claims, fields, refusal := v.checks.own(payload, codeAudience, now)
		if refusal != nil {
			return Claims{}, refusal
		}
		code.id, _ = jsonString(fields["jti"])
		if code.until, ok = numericDate(fields[sessionExpiry]); !ok {
			return Claims{}, invalid()
		}
		return claims, nil
	})
	if err != nil {
		return sessionCode{}, codeRefusal(media.RefusalOf(err).Forged)
	}
	code.user, code.expires = claims.User, claims.Expires.Add(v.checks.leeway)
	return code, nil
}

// UsedCodes stores the codes that began a session. It is shared by all gateways.
type UsedCodes interface {
	// Use marks a code as used until it expires. first is false when it was used before.
	Use(ctx context.Context, id string, expires, now time.Time) (first bool, err error)
}

// CodeRedeemer turns codes into viewers, each once. Its refusals count among the Authorizer's
// decisions. Safe for concurrent use.
type CodeRedeemer struct {
	Authorizer *Authorizer
	Used       UsedCodes
}

// User returns the id of the user whose session a code would begin. The code stays unused. The
// error is a *media.Refusal.
func (r CodeRedeemer) User(text string) (int64, error) {
	code, err := r.Authorizer.verifier.verifySessionCode(text)
	if err != nil {
		r.Authorizer.counters.count(err)
	}
	return code.user, err
}

// Redeem returns the active user of a code as a viewer whose Expires is when the session ends
// at the latest. The error is a *media.Refusal, or a *media.Error when the catalog is
// unavailable; after the latter the code may count as used.
func (r CodeRedeemer) Redeem(ctx context.Context, text string) (media.Viewer, error) {
	viewer, err := r.Authorizer.redeem(ctx, text, r.Used)
	if err != nil {
		r.Authorizer.counters.count(err)
		return media.Viewer{}, err
	}
	return viewer, nil
}

func (a *Authorizer) redeem(ctx context.Context, text string, used UsedCodes) (media.Viewer, error) {
	code, err := a.verifier.verifySessionCode(text)
	if err != nil {
		return media.Viewer{}, err
	}
	user, err := a.user(ctx, code.user)
	if err != nil {
		return media.Viewer{}, err
	}
	first, err := used.Use(ctx, code.id, code.expires, a.now())
	switch {
	case err != nil:
		return media.Viewer{}, err
	case !first:
		return media.Viewer{}, codeRefusal(false)
	}
	return media.Viewer{User: user, Expires: code.until}, nil
}
