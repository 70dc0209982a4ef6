package auth

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// Directory answers for the catalog. A missing row is a fault of kind NotFound;
// a database that is away, beyond whatever grace the directory has inside, is
// Unavailable. It is asked from many goroutines, and often: it should remember.
type Directory interface {
	User(ctx context.Context, id int64) (media.User, error)
	Recording(ctx context.Context, id int64) (media.Recording, error)
	Membership(ctx context.Context, userID int64, rec media.Recording) (media.Membership, error)
}

// Gate decides who may watch what. Safe for concurrent use.
type Authorizer struct {
	rule          Rule
	queryPlayback bool // ?token= takes playback tokens only
	verifier      *Verifier
	verified      *verifiedTokens
	directory     Directory
	counters      decisionCounters
	now           func() time.Time
}

// NewGate puts the gate together. The verifier is the caller's to start and stop;
// Close ends what the gate itself runs.
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

// Close forgets the verified tokens and ends the goroutines that kept them. Call
// it, once or twice, when nobody is inside the gate any more.
func (g *Authorizer) Close() { g.verified.close() }

// Authenticate tells who is asking. The error is a *media.Refusal, or a fault
// when the catalog or the keys of tokens cannot be had.
func (g *Authorizer) Authenticate(ctx context.Context, tok media.Token) (media.Viewer, error) {
	viewer, err := g.authenticate(ctx, tok)
	if err != nil {
		g.counters.count(err)
		return media.Viewer{}, err
	}
	return viewer, nil
}

func (g *Authorizer) authenticate(ctx context.Context, tok media.Token) (media.Viewer, error) {
	if tok.Value == "" {
		return media.Viewer{}, media.Refuse(media.CodeNotAuthenticated, "Authentication credentials were not provided.")
	}
	claims, err := g.verify(ctx, tok.Value)
	if err != nil {
		return media.Viewer{}, err
	}
	if claims.Playback == 0 && tok.From == media.FromQuery && g.queryPlayback {
		return media.Viewer{}, invalid()
	}
	user, err := g.user(ctx, claims.User)
	if err != nil {
		return media.Viewer{}, err
	}
	return media.Viewer{User: user, Playback: claims.Playback, Expires: claims.Expires}, nil
}

// verify remembers what it has verified; time and keys are looked at every time.
func (g *Authorizer) verify(ctx context.Context, token string) (Claims, error) {
	if len(token) > maxTokenBytes {
		return Claims{}, forged()
	}
	digest := digestOf(token)
	if claims, ok := g.verified.get(digest); ok && g.verifier.current(claims, g.now()) {
		return claims, nil
	}
	claims, err := g.verifier.Verify(ctx, token)
	if err != nil {
		return Claims{}, err
	}
	g.verified.put(digest, claims, g.now())
	return claims, nil
}

// user finds an active user. The role is the database's, never the token's.
func (g *Authorizer) user(ctx context.Context, id int64) (media.User, error) {
	user, err := g.directory.User(ctx, id)
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

// Authorize tells whether the viewer may watch the recording now. The error is
// a *media.Refusal, or a fault when the catalog cannot be asked.
func (g *Authorizer) Authorize(ctx context.Context, v media.Viewer, recordingID int64) (media.Recording, error) {
	rec, err := g.authorize(ctx, v, recordingID)
	g.counters.count(err)
	return rec, err
}

func (g *Authorizer) authorize(ctx context.Context, v media.Viewer, id int64) (media.Recording, error) {
	if !v.User.Active {
		return media.Recording{}, inactive()
	}
	rec, err := g.directory.Recording(ctx, id)
	switch {
	case err != nil && media.KindOf(err) == media.NotFound:
		return media.Recording{}, notFound()
	case err != nil:
		return media.Recording{}, err
	}
	// What does not exist comes before what the token is not for.
	if r := exists(rec); r != nil {
		return media.Recording{}, r
	}
	if v.Playback != 0 && v.Playback != id {
		return media.Recording{}, media.Refuse(media.CodeWrongRecording, "This token is for another recording.")
	}
	var membership media.Membership
	if v.User.Role == media.RoleStudent {
		if membership, err = g.directory.Membership(ctx, v.User.ID, rec); err != nil {
			return media.Recording{}, err
		}
	}
	if r := Decide(g.rule, v.User, rec, membership, g.now()); r != nil {
		return media.Recording{}, r
	}
	return rec, nil
}

// Recheck tells whether a running stream may go on: the user is still active and
// may still watch. An expired token does not end it: expiry is looked at when a
// request begins. It is meant to be asked often and is not counted.
func (g *Authorizer) Recheck(ctx context.Context, v media.Viewer, recordingID int64) error {
	user, err := g.user(ctx, v.User.ID)
	if err != nil {
		return err
	}
	v.User = user
	_, err = g.authorize(ctx, v, recordingID)
	return err
}
