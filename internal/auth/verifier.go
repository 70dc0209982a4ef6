package auth

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lectiospace/lectern/internal/media"
)

// Verifier checks tokens. Safe for concurrent use.
type Verifier struct {
	secrets atomic.Pointer[secretKeys]
	jwks    *jwks // nil without a JWKS
	checks  claimChecks
	now     func() time.Time
	log     *slog.Logger
	ahead   sync.Once // logs the first token that is issued in the future
}

// secretKeys are the keys that come from settings.
type secretKeys struct {
	ownKeys
	access     []byte // nil without a JWT secret
	generation uint64 // grows with each change
}

func newSecretKeys(cfg Config) (*secretKeys, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	own, err := newOwnKeys(cfg)
	if err != nil {
		return nil, err
	}
	keys := &secretKeys{ownKeys: own}
	if cfg.JWTSecret != "" {
		keys.access = []byte(cfg.JWTSecret)
	}
	return keys, nil
}

// NewVerifier prepares the keys. The error names the setting that is wrong.
// Nothing runs and nothing is fetched before Start.
func NewVerifier(cfg Config, log *slog.Logger, now func() time.Time) (*Verifier, error) {
	keys, err := newSecretKeys(cfg)
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		checks: claimChecks{issuer: cfg.Issuer, audience: cfg.Audience, leeway: cfg.Leeway},
		now:    now,
		log:    log,
	}
	v.secrets.Store(keys)
	if cfg.JWKSURL != "" {
		v.jwks = newJWKS(cfg.JWKSURL, log, now)
	}
	return v, nil
}

// Start begins to fetch the JWKS in the background, where one is configured,
// until ctx ends or Stop is called. It does not wait for the first answer: a
// key server that is down does not keep the gateway from starting.
func (v *Verifier) Start(ctx context.Context) {
	if v.jwks != nil {
		v.jwks.start(ctx)
	}
}

// Stop ends what Start began and waits for it. It may be called twice, and
// without Start. Keys already known go on verifying.
func (v *Verifier) Stop() {
	if v.jwks != nil {
		v.jwks.stop()
	}
}

// SetSecrets replaces the JWT secret and the playback secrets: tokens that only the old
// ones verify are refused from now on. The error names the setting that is wrong, and then
// nothing has changed.
func (v *Verifier) SetSecrets(cfg Config) error {
	keys, err := newSecretKeys(cfg)
	if err != nil {
		return err
	}
	keys.generation = v.secrets.Load().generation + 1
	v.secrets.Store(keys)
	return nil
}

// RefreshKeys fetches the JWKS in the background, where one is configured. The known keys
// stay until it has arrived.
func (v *Verifier) RefreshKeys() {
	if v.jwks != nil {
		v.jwks.refresh()
	}
}

// Verify checks a token's signature, times and kind. The error is a
// *media.Refusal; or a fault of kind Unavailable when no public key has ever
// been had, and of kind Canceled or Timeout when ctx ended meanwhile. ctx
// matters only while an unknown kid makes it wait for a fresh JWKS.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	t, ok := parseCompact(token)
	if !ok {
		return Claims{}, forged()
	}
	// The header is not verified yet. A forged kid gains nothing: no key signs what the
	// other branch accepts.
	keys := v.secrets.Load()
	var (
		claims Claims
		err    error
	)
	if key, ok := keys.playback.byID(t.kid); ok {
		claims, err = v.verifyOwn(t, key, v.checks.playback)
	} else if key, ok := keys.session.byID(t.kid); ok {
		claims, err = v.verifyOwn(t, key, v.checks.session)
	} else if key, ok := keys.embed.byID(t.kid); ok {
		claims, err = v.verifyOwn(t, key, v.checks.embed)
	} else {
		claims, err = v.verifyAccess(ctx, t, keys.access)
	}
	if err != nil {
		return Claims{}, err
	}
	claims.secrets = keys.generation
	return claims, nil
}

// verifyOwn checks a token of Lectern's own with the key that it names; read are the checks
// of its kind.
func (v *Verifier) verifyOwn(t compact, key signingKey, read func([]byte, time.Time) (Claims, *media.Refusal)) (Claims, error) {
	if t.alg != jwt.SigningMethodHS256.Alg() || jwt.SigningMethodHS256.Verify(t.signed, t.signature, key.secret) != nil {
		return Claims{}, forged()
	}
	payload, err := base64url.DecodeString(t.payload)
	if err != nil {
		return Claims{}, invalid()
	}
	now := v.now()
	claims, refusal := read(payload, now)
	if refusal != nil {
		return Claims{}, refusal
	}
	v.checkClock(claims, now)
	return claims, nil
}

func (v *Verifier) verifyAccess(ctx context.Context, t compact, secret []byte) (Claims, error) {
	generation, err := v.signedByPlatform(ctx, t, secret)
	if err != nil {
		return Claims{}, err
	}
	payload, err := base64url.DecodeString(t.payload)
	if err != nil {
		return Claims{}, invalid()
	}
	now := v.now()
	claims, refusal := v.checks.access(payload, now)
	if refusal != nil {
		return Claims{}, refusal
	}
	v.checkClock(claims, now)
	claims.keys = generation
	return claims, nil
}

// checkClock logs, once in the life of a verifier, that a valid token was issued in the
// future: this machine's clock or the platform's is wrong, and beyond maxIssuedAhead every
// token would be refused.
func (v *Verifier) checkClock(claims Claims, now time.Time) {
	if ahead := claims.issued.Sub(now); ahead > v.checks.leeway {
		v.ahead.Do(func() {
			v.log.Warn("token verifier: token issued in the future, check the clocks of this machine and of the platform",
				slog.Duration("ahead", ahead), slog.Duration("accepted_up_to", max(v.checks.leeway, maxIssuedAhead)))
		})
	}
}

// signedByPlatform checks the signature. The algorithm's name must be exactly
// one that the configuration has a key of the matching kind for, so that a
// public key can never serve as a shared secret.
func (v *Verifier) signedByPlatform(ctx context.Context, t compact, secret []byte) (generation uint64, err error) {
	if t.alg == jwt.SigningMethodHS256.Alg() {
		if secret == nil || jwt.SigningMethodHS256.Verify(t.signed, t.signature, secret) != nil {
			return 0, forged()
		}
		return 0, nil
	}
	method, ok := publicMethod(t.alg)
	if !ok || v.jwks == nil {
		return 0, forged()
	}
	keys, err := v.jwks.lookup(ctx, t.kid)
	if err != nil {
		return 0, err
	}
	if !keys.verify(method, t) {
		return 0, forged()
	}
	return keys.generation, nil
}

// publicMethod is the signing method of an asymmetric algorithm.
func publicMethod(alg string) (jwt.SigningMethod, bool) {
	switch canonicalAlg(alg) {
	case "RS256":
		return jwt.SigningMethodRS256, true
	case "ES256":
		return jwt.SigningMethodES256, true
	case "EdDSA":
		return jwt.SigningMethodEdDSA, true
	}
	return nil, false
}

// current reports whether claims that were verified before are still valid: they have
// not expired, and neither the secrets nor the published keys have changed since.
func (v *Verifier) current(claims Claims, now time.Time) bool {
	return !v.checks.hasExpired(claims.Expires, now) && claims.secrets == v.secrets.Load().generation && (claims.keys == 0 || claims.keys == v.jwks.generation())
}
