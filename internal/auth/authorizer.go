package auth

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// Directory looks up users, recordings and memberships. A missing row is an error of kind
// NotFound. A database that is unavailable, for longer than the directory's own grace, is
// Unavailable. It is called from many goroutines and for every request: it should cache.
type Directory interface {
	User(ctx context.Context, id int64) (media.User, error)
	Recording(ctx context.Context, id int64) (media.Recording, error)
	Membership(ctx context.Context, userID int64, rec media.Recording) (media.Membership, error)
}

// Authorizer decides who may watch what. Safe for concurrent use.
type Authorizer struct {
	rule          Rule
	queryPlayback bool // ?token= takes playback tokens only
	verifier      *Verifier
	verified      *verifiedTokens
	directory     Directory
	counters      decisionCounters
	now           func() time.Time
}

// NewAuthorizer registers its metrics with reg. The verifier is started and stopped by the
// caller. Close frees the token cache.
func NewAuthorizer(cfg Config, v *Verifier, dir Directory, reg prometheus.Registerer, now func() time.Time) (*Authorizer, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	counted, err := newDecisionCounters(reg)
	if err != nil {
		return nil, err
	}
	known, err := newVerifiedTokens(maxVerifiedTokens)
	if err != nil {
		return nil, err
	}
	return &Authorizer{
		rule: Rule(cfg.AccessRule), queryPlayback: cfg.QueryTokens == "playback",
		verifier: v, verified: known, directory: dir, counters: counted, now: now,
	}, nil
}

// Close frees the cache of verified tokens, with its goroutines. It may be called twice,
// after the last other call has returned.
func (a *Authorizer) Close() { a.verified.close() }

// Authenticate identifies the viewer. The error is a *media.Refusal, or a *media.Error when
// the catalog or the keys of tokens are unavailable.
func (a *Authorizer) Authenticate(ctx context.Context, tok media.Token) (media.Viewer, error) {
	viewer, err := a.authenticate(ctx, tok)
	if err != nil {
		a.counters.count(err)
		return media.Viewer{}, err
	}
	return viewer, nil
}

func (a *Authorizer) authenticate(ctx context.Context, tok media.Token) (media.Viewer, error) {
	if tok.Value == "" {
		return media.Viewer{}, media.Refuse(media.CodeNotAuthenticated, "Authentication credentials were not provided.")
	}
	claims, err := a.verify(ctx, tok.Value)
	if err != nil {
		return media.Viewer{}, err
	}
	switch {
	case claims.Session != (tok.From == media.FromSession), claims.Embed != (tok.From == media.FromEmbed):
		return media.Viewer{}, invalid()
	case claims.Playback == 0 && tok.From == media.FromQuery && a.queryPlayback:
		return media.Viewer{}, invalid()
	}
	user, err := a.user(ctx, claims.User)
	if err != nil {
		return media.Viewer{}, err
	}
	return media.Viewer{User: user, Playback: claims.Playback, Embedded: claims.Embed, Expires: claims.Expires}, nil
}

// verify caches verified tokens. Expiry and the generation of keys are checked every time.
func (a *Authorizer) verify(ctx context.Context, token string) (Claims, error) {
	if len(token) > maxTokenBytes {
		return Claims{}, forged()
	}
	digest := digestOf(token)
	if claims, ok := a.verified.get(digest); ok && a.verifier.current(claims, a.now()) {
		return claims, nil
	}
	claims, err := a.verifier.Verify(ctx, token)
	if err != nil {
		return Claims{}, err
	}
	a.verified.put(digest, claims, a.now())
	return claims, nil
}

// user looks up an active user. The role is the database's, never the token's.
func (a *Authorizer) user(ctx context.Context, id int64) (media.User, error) {
	user, err := a.directory.User(ctx, id)
	switch {
	case err != nil && media.KindOf(err) == media.NotFound:
		return media.User{}, media.Refuse(media.CodeUserNotFound, "User not found")
	case err != nil:
		return media.User{}, err
	case !user.Active:
		return media.User{}, inactive()
	}
	return user, nil
}

// Authorize decides whether the viewer may watch the recording now. The error is a
// *media.Refusal, or a *media.Error when the catalog is unavailable.
func (a *Authorizer) Authorize(ctx context.Context, v media.Viewer, recordingID int64) (media.Recording, error) {
	rec, err := a.authorize(ctx, v, recordingID)
	a.counters.count(err)
	return rec, err
}

func (a *Authorizer) authorize(ctx context.Context, v media.Viewer, id int64) (media.Recording, error) {
	if !v.User.Active {
		return media.Recording{}, inactive()
	}
	rec, err := a.directory.Recording(ctx, id)
	switch {
	case err != nil && media.KindOf(err) == media.NotFound:
		return media.Recording{}, notFound()
	case err != nil:
		return media.Recording{}, err
	}
	// A missing recording is reported before a token that is for another one.
	if r := exists(rec); r != nil {
		return media.Recording{}, r
	}
	if v.Playback != 0 && v.Playback != id {
		return media.Recording{}, media.Refuse(media.CodeWrongRecording, "This token is for another recording.")
	}
	var membership media.Membership
	if v.User.Role == media.RoleStudent {
		if membership, err = a.directory.Membership(ctx, v.User.ID, rec); err != nil {
			return media.Recording{}, err
		}
	}
	if r := Decide(a.rule, v.User, rec, membership, a.now()); r != nil {
		return media.Recording{}, r
	}
	return rec, nil
}

// Recheck decides whether a running stream may go on: the user is still active and may
// still watch. An expired token does not end a stream: expiry is checked when a request
// begins. Recheck is called often and not counted in the metrics.
func (a *Authorizer) Recheck(ctx context.Context, v media.Viewer, recordingID int64) error {
	user, err := a.user(ctx, v.User.ID)
	if err != nil {
		return err
	}
	v.User = user
	_, err = a.authorize(ctx, v, recordingID)
	return err
}
