package auth

import (
	"context"
	"strings"
)

// FetchKeys fetches the JWKS once and returns the number of usable kids; 0 without an error
// when no JWKS is configured.
func (v *Verifier) FetchKeys(ctx context.Context) (int, error) {
	if v.jwks == nil {
		return 0, nil
	}
	if err := v.jwks.fetch(ctx); err != nil {
		return 0, err
	}
	return len(v.jwks.set.Load().kids), nil
}

// Weak says why a secret of sufficient length could be guessed, or returns "".
func (c Config) Weak() string {
	seen := map[rune]bool{}
	for _, r := range c.JWTSecret {
		seen[r] = true
	}
	switch {
	case c.JWTSecret == "":
		return ""
	case strings.HasPrefix(c.JWTSecret, "django-insecure-"):
		return "is the one Django writes into a new project for development"
	case len(seen) < 8:
		return "is made of very few different characters"
	}
	return ""
}
