package auth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says which tokens are valid and which access rule applies.
type Config struct {
	// JWTSecret is the platform's Django SECRET_KEY: tokens are signed HS256 with it.
	JWTSecret string `name:"jwt-secret" secret:"" reload:"" needed:"by the gateway, unless auth-jwks-url is set" placeholder:"KEY" help:"HS256 key of access tokens, beside the platform its SECRET_KEY; at least 32 bytes. Required unless a JWKS is set."`
	// JWKSURL serves the public keys of RS256, ES256 or EdDSA (Ed25519) tokens, by kid.
	JWKSURL string `name:"jwks-url" reload:"the same URL is fetched again" needed:"by the gateway, unless auth-jwt-secret is set" placeholder:"URL" help:"JWKS of RS256, ES256 or EdDSA (Ed25519) keys by kid; refreshed in the background."`
	// Issuer and Audience are checked only when set.
	Issuer   string        `name:"issuer" help:"Required iss claim; not checked when empty."`
	Audience string        `name:"audience" help:"Required aud claim; not checked when empty."`
	Leeway   time.Duration `name:"leeway" default:"0s" help:"Clock difference accepted in exp, nbf and iat; an iat up to 60 s ahead is accepted anyway (duration)."`
	// PlaybackSecret signs playback tokens; comma separated during rotation, the first signs.
	PlaybackSecret string `name:"playback-secret" secret:"" reload:"" needed:"by the gateway where only auth-jwks-url is set" placeholder:"KEY[,OLD]" help:"Signs playback tokens and sessions, at least 32 bytes; the first of several signs, all verify; required when only a JWKS is set (default: derived from the JWT secret)."`
	QueryTokens    string `name:"query-tokens" default:"any" enum:"any,playback" help:"Tokens accepted in ?token=: any, or playback tokens only, which keeps access tokens out of addresses and is recommended (any|playback)."`
	// OutageGrace is how long cached entries stay valid while the database is unavailable.
	OutageGrace time.Duration `name:"outage-grace" default:"10m" help:"How long users and recordings that the gateway knows stay usable while the database cannot be reached; then 503 (duration)."`
	AccessRule  string        `name:"access-rule" default:"strict" enum:"strict,platform" help:"Who may watch: strict, or platform: the platform's own, wider rule. The syncer decides by it who is listed for a new recording (strict|platform)."`
	// MaxStaleness bounds the age of a cached user, recording or decision.
	MaxStaleness time.Duration `name:"max-staleness" default:"30s" help:"How old a cached user, recording or membership may be when access is decided: the longest that a withdrawn right lasts (duration)."`
}

// minSecretBytes is the minimum length of an HS256 key (RFC 7518 section 3.2).
const minSecretBytes = 32

// Check returns an error of the form "setting: what is wrong with it". An empty
// QueryTokens or AccessRule means its default.
func (c Config) Check() error {
	switch {
	case c.JWTSecret == "" && c.JWKSURL == "":
		return errors.New("auth-jwt-secret: required unless auth-jwks-url is set")
	case c.JWTSecret != "" && len(c.JWTSecret) < minSecretBytes:
		return fmt.Errorf("auth-jwt-secret: has %d bytes, at least %d are needed", len(c.JWTSecret), minSecretBytes)
	case c.JWKSURL != "" && !absoluteHTTP(c.JWKSURL):
		return errors.New("auth-jwks-url: must be an absolute http or https URL")
	case strings.HasPrefix(c.Audience, ownAudience):
		return fmt.Errorf("auth-audience: %q marks tokens of Lectern's own; choose another than %s…", c.Audience, ownAudience)
	case c.Leeway < 0:
		return errors.New("auth-leeway: cannot be negative")
	case c.OutageGrace < 0:
		return errors.New("auth-outage-grace: cannot be negative")
	case c.MaxStaleness < 0:
		return errors.New("auth-max-staleness: cannot be negative")
	case !slices.Contains([]string{"", "any", "playback"}, c.QueryTokens):
		return errors.New("auth-query-tokens: must be any or playback")
	case !slices.Contains([]Rule{"", RuleStrict, RulePlatform}, Rule(c.AccessRule)):
		return errors.New("auth-access-rule: must be strict or platform")
	}
	_, err := c.playbackSecrets()
	return err
}

// playbackSecrets splits the setting; none means that the key is derived from the JWT
// secret. A secret shared with the platform is refused: what signs
// playback tokens must never be able to sign an access token.
func (c Config) playbackSecrets() ([]string, error) {
	if c.PlaybackSecret == "" {
		if c.JWTSecret == "" {
			return nil, errors.New("auth-playback-secret: required when only auth-jwks-url is set")
		}
		return nil, nil
	}
	var secrets []string
	for i, part := range strings.Split(c.PlaybackSecret, ",") {
		part = strings.TrimSpace(part)
		switch {
		case len(part) < minSecretBytes:
			return nil, fmt.Errorf("auth-playback-secret: key %d has %d bytes, at least %d are needed", i+1, len(part), minSecretBytes)
		case part == c.JWTSecret:
			return nil, fmt.Errorf("auth-playback-secret: key %d is the JWT secret; it must be another", i+1)
		}
		secrets = append(secrets, part)
	}
	return secrets, nil
}

func absoluteHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
