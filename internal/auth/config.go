package auth

import (
	"fmt"
	"time"
)

// Config says which tokens are believed and which access rule holds.
type Config struct {
	// JWTSecret is the platform's Django SECRET_KEY: tokens are signed HS256 with it.
	JWTSecret string `name:"jwt-secret" secret:"" placeholder:"KEY" help:"HS256 key of the platform's tokens (Django SECRET_KEY), at least 32 bytes. Required unless a JWKS is set."`
	// JWKSURL serves the public keys of RS256, ES256 or EdDSA tokens, by kid.
	JWKSURL string `name:"jwks-url" placeholder:"URL" help:"Where RS256/ES256/EdDSA keys are published by kid; refreshed in the background."`
	// Issuer and Audience are checked only when set.
	Issuer   string        `name:"issuer" help:"Required iss claim; not checked when empty."`
	Audience string        `name:"audience" help:"Required aud claim; not checked when empty."`
	Leeway   time.Duration `name:"leeway" default:"0s" help:"Clock difference forgiven in exp, nbf and iat (duration)."`
	// PlaybackSecret signs playback tokens; comma separated during rotation, the first signs.
	PlaybackSecret string `name:"playback-secret" secret:"" placeholder:"KEY[,OLD]" help:"Signs playback tokens; the first of several signs, all verify. Default: derived from the JWT secret; required when only a JWKS is set."`
	QueryTokens    string `name:"query-tokens" default:"any" enum:"any,playback" help:"Tokens taken from ?token=: any, or playback tokens only (any|playback)."`
	// OutageGrace is how long facts already known hold while the database is away.
	OutageGrace time.Duration `name:"outage-grace" default:"10m" help:"While the database cannot be reached, decisions already made stay good this long (duration)."`
	AccessRule  string        `name:"access-rule" default:"strict" enum:"strict,platform" help:"Who may watch: strict closes the platform's leaks, platform keeps its rule (strict|platform)."`
	// MaxStaleness bounds the age of a cached user, recording or decision.
	MaxStaleness time.Duration `name:"max-staleness" default:"30s" help:"How old a cached user, recording or access decision may be (duration)."`
}

// Check names the setting that is wrong.
func (c Config) Check() error {
	switch {
	case c.JWTSecret == "" && c.JWKSURL == "":
		return fmt.Errorf("auth-jwt-secret: required unless auth-jwks-url is set")
	case c.JWTSecret != "" && len(c.JWTSecret) < 32:
		return fmt.Errorf("auth-jwt-secret: has %d bytes, at least 32 are needed", len(c.JWTSecret))
	case c.JWTSecret == "" && c.PlaybackSecret == "":
		return fmt.Errorf("auth-playback-secret: required when only auth-jwks-url is set")
	case c.Leeway < 0, c.OutageGrace < 0, c.MaxStaleness < 0:
		return fmt.Errorf("auth-leeway, auth-outage-grace and auth-max-staleness cannot be negative")
	}
	return nil
}
