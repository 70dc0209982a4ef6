package doctor

import (
	"context"
	"log/slog"
	"time"

	"github.com/lectiospace/lectern/internal/auth"
)

// requestTimeout bounds the requests of one check.
const requestTimeout = 20 * time.Second

// Tokens checks the keys that tokens are verified with, and where tokens are taken
// from.
func (r *Report) Tokens(ctx context.Context, cfg auth.Config) {
	if cfg.JWTSecret != "" {
		if weak := cfg.Weak(); weak != "" {
			r.Warn("jwt secret", "use a random one, here and in the platform's SECRET_KEY", "the secret %s", weak)
		} else if cfg.Check() == nil {
			r.Pass("jwt secret", "set, %d bytes", len(cfg.JWTSecret))
		}
	}
	if cfg.JWKSURL != "" {
		r.keySet(ctx, cfg)
	}
	if cfg.QueryTokens != "playback" {
		r.Warn("query tokens", "set auth-query-tokens to playback once no player sends access tokens in the address", "access tokens are taken from ?token=, where browsers' histories and proxies' logs keep them")
	} else {
		r.Pass("query tokens", "only playback tokens are taken from ?token=")
	}
}

func (r *Report) keySet(ctx context.Context, cfg auth.Config) {
	const check = "jwks"
	verifier, err := auth.NewVerifier(cfg, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return // the check of the configuration reports it
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	switch n, err := verifier.FetchKeys(ctx); {
	case err != nil:
		r.Fail(check, "check auth-jwks-url and the network", "the keys cannot be fetched: %v", err)
	case n == 0:
		r.Fail(check, "publish an RS256, ES256 or EdDSA key with a kid", "the key set holds no usable key")
	default:
		r.Pass(check, "%d keys", n)
	}
}

// SecretFiles warns of secrets whose files had invisible bytes, which were removed:
// another program that reads the same file may keep them.
func (r *Report) SecretFiles(cleaned []string) {
	for _, secret := range cleaned {
		r.Warn("secret files", "write the file again without them", "invisible bytes were removed from %s", secret)
	}
}
