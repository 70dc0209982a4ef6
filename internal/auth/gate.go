package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lectiospace/lectern/internal/media"
)

// Directory answers for the catalog. A missing row is a fault of kind NotFound;
// a database that is away is Unavailable.
type Directory interface {
	User(ctx context.Context, id int64) (media.User, error)
	Recording(ctx context.Context, id int64) (media.Recording, error)
	Membership(ctx context.Context, user int64, rec media.Recording) (media.Membership, error)
}

// Gate decides who may watch what. Safe for concurrent use.
type Gate struct {
	rule          Rule
	queryPlayback bool // ?token= takes playback tokens only
	verifier      *Verifier
	directory     Directory
	now           func() time.Time
	results       *prometheus.CounterVec
	// verified remembers tokens whose signature was checked, by digest, so that
	// the secret itself is not kept. It may lose any of them without harm.
	verified *ristretto.Cache[uint64, verified]
}

// verified is a checked token: the digest settles collisions of the short key.
type verified struct {
	digest [sha256.Size]byte
	claims Claims
}

const verifiedTokens = 20_000

// NewGate puts the gate together.
func NewGate(cfg Config, v *Verifier, d Directory, reg prometheus.Registerer, now func() time.Time) (*Gate, error) {
	tokens, err := ristretto.NewCache(&ristretto.Config[uint64, verified]{
		NumCounters: 10 * verifiedTokens, MaxCost: verifiedTokens, BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, err
	}
	results := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_auth_total", Help: "Access decisions by result: ok, a refusal's code, or error.",
	}, []string{"result"})
	if err := reg.Register(results); err != nil {
		return nil, err
	}
	for _, r := range []media.Code{"ok", "error", media.CodeNotAuthenticated, media.CodeTokenNotValid, media.CodeUserNotFound, media.CodeUserInactive,
		media.CodeNotFound, media.CodeNoMedia, media.CodeNoAccess, media.CodeWrongRecording, media.CodeExpired, media.CodeProcessing} {
		results.WithLabelValues(string(r))
	}
	return &Gate{rule: Rule(cfg.AccessRule), queryPlayback: cfg.QueryTokens == "playback", verifier: v, directory: d, now: now, results: results, verified: tokens}, nil
}

// Close ends the token cache's goroutines.
func (g *Gate) Close() { g.verified.Close() }

// Authenticate tells who is asking: a *media.Refusal, or a fault when the
// catalog cannot be asked.
func (g *Gate) Authenticate(ctx context.Context, token media.Token) (media.Viewer, error) {
	viewer, err := g.authenticate(ctx, token)
	if err != nil {
		g.count(err)
	}
	return viewer, err
}

func (g *Gate) authenticate(ctx context.Context, token media.Token) (media.Viewer, error) {
	if token.Value == "" {
		return media.Viewer{}, media.Refuse(media.CodeNotAuthenticated, "Authentication credentials were not provided.")
	}
	claims, err := g.verify(token.Value)
	if err != nil {
		return media.Viewer{}, err
	}
	// A cookie is only ever set with a playback token; an access token in one was
	// put there by somebody else.
	if claims.Playback == 0 && (token.From == media.FromCookie || token.From == media.FromQuery && g.queryPlayback) {
		return media.Viewer{}, invalid
	}
	user, err := g.user(ctx, claims.User)
	if err != nil {
		return media.Viewer{}, err
	}
	return media.Viewer{User: user, Playback: claims.Playback, Expires: claims.Expires}, nil
}

// user finds an active user; the role is the database's, never the token's.
func (g *Gate) user(ctx context.Context, id int64) (media.User, error) {
	user, err := g.directory.User(ctx, id)
	switch {
	case media.KindOf(err) == media.NotFound && err != nil:
		return user, media.Refuse(media.CodeUserNotFound, "User not found")
	case err != nil:
		return user, err
	case !user.Active:
		return user, media.Refuse(media.CodeUserInactive, "User is inactive")
	}
	return user, nil
}

// verify remembers what it has verified. Expiry is looked at every time.
func (g *Gate) verify(token string) (Claims, error) {
	digest := sha256.Sum256([]byte(token))
	key := uint64(digest[0])<<56 | uint64(digest[1])<<48 | uint64(digest[2])<<40 | uint64(digest[3])<<32 |
		uint64(digest[4])<<24 | uint64(digest[5])<<16 | uint64(digest[6])<<8 | uint64(digest[7])
	if known, ok := g.verified.Get(key); ok && known.digest == digest {
		if !known.claims.Expires.Add(g.verifier.cfg.Leeway).After(g.now()) {
			return Claims{}, expired
		}
		return known.claims, nil
	}
	claims, err := g.verifier.Verify(token)
	if err == nil {
		g.verified.SetWithTTL(key, verified{digest, claims}, 1, max(time.Second, claims.Expires.Sub(g.now())))
	}
	return claims, err
}

// Authorize tells whether the viewer may watch the recording now.
func (g *Gate) Authorize(ctx context.Context, viewer media.Viewer, recording int64) (media.Recording, error) {
	rec, err := g.authorize(ctx, viewer, recording)
	g.count(err)
	return rec, err
}

func (g *Gate) authorize(ctx context.Context, viewer media.Viewer, id int64) (media.Recording, error) {
	rec, err := g.directory.Recording(ctx, id)
	switch {
	case media.KindOf(err) == media.NotFound && err != nil:
		return rec, media.Refuse(media.CodeNotFound, "There is no such recording.")
	case err != nil:
		return rec, err
	}
	if r := exists(rec); r != nil {
		return rec, r
	}
	if viewer.Playback != 0 && viewer.Playback != id {
		return rec, media.Refuse(media.CodeWrongRecording, "This token is for another recording.")
	}
	var membership media.Membership
	if viewer.User.Role == media.RoleStudent {
		if membership, err = g.directory.Membership(ctx, viewer.User.ID, rec); err != nil {
			return rec, err
		}
	}
	if r := Decide(g.rule, viewer.User, rec, membership, g.now()); r != nil {
		return rec, r
	}
	return rec, nil
}

// Recheck tells whether a running stream may go on. An expired token does not
// end it: expiry is looked at when a request begins.
func (g *Gate) Recheck(ctx context.Context, viewer media.Viewer, recording int64) error {
	user, err := g.user(ctx, viewer.User.ID)
	if err != nil {
		return err
	}
	viewer.User = user
	_, err = g.authorize(ctx, viewer, recording)
	return err
}

func (g *Gate) count(err error) {
	result := "ok"
	if r := media.RefusalOf(err); r != nil {
		result = string(r.Code)
	} else if err != nil {
		result = "error"
	}
	g.results.WithLabelValues(result).Inc()
}
