package doctor

import (
	"context"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
)

// requestTimeout bounds the requests of one check.
const requestTimeout = 8 * time.Second

// Tokens checks the keys that tokens are verified with, and where tokens are taken
// from.
func (r *Report) Tokens(ctx context.Context, cfg auth.Config, clockLimit time.Duration) {
	if cfg.JWTSecret != "" {
		if weak := cfg.Weak(); weak != "" {
			r.warn(nameJWTSecret, "use a random one, here and in the platform's SECRET_KEY", "the secret %s", weak)
		} else if cfg.Check() == nil {
			r.pass(nameJWTSecret, "set, %d bytes", len(cfg.JWTSecret))
		}
	}
	if cfg.JWKSURL != "" {
		r.together(ctx,
			Check{nameJWKS, stuckNetwork, func(ctx context.Context, r *Report) { r.keySet(ctx, cfg) }},
			// The other check reports a server that cannot be reached.
			Check{nameClock, stuckNetwork, func(ctx context.Context, r *Report) { _ = r.serverClock(ctx, cfg.JWKSURL, clockLimit) }})
	}
	if cfg.QueryTokens != "playback" {
		r.warn(nameQueryTokens, "set auth-query-tokens to playback once no player sends access tokens in the address", "access tokens are taken from ?token=, where browsers' histories and proxies' logs keep them")
	} else {
		r.pass(nameQueryTokens, "only playback tokens are taken from ?token=")
	}
}

func (r *Report) keySet(ctx context.Context, cfg auth.Config) {
	const check = nameJWKS
	verifier, err := auth.NewVerifier(cfg, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return // the check of the configuration reports it
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	switch n, err := verifier.FetchKeys(ctx); {
	case err != nil:
		r.fail(check, "check auth-jwks-url and the network", "the keys cannot be fetched: %v", err)
	case n == 0:
		r.fail(check, "publish an RS256, ES256 or EdDSA key with a kid", "the key set holds no usable key")
	default:
		r.pass(check, "%d keys", n)
	}
}

// SecretFiles warns of secrets whose files had invisible bytes, which were removed:
// another program that reads the same file may keep them.
func (r *Report) SecretFiles(cleaned []string) {
	for _, secret := range cleaned {
		r.warn(nameSecretFiles, "write the file again without them", "invisible bytes were removed from %s", secret)
	}
}

// SecretFlags warns of secrets that were given on the command line.
func (r *Report) SecretFlags(names []string) {
	for _, name := range names {
		r.warn(nameSecretFlags, "give it in a file or in the environment, and change it: it has been seen", "%s is given as a flag, which every user of this machine can read", name)
	}
}
