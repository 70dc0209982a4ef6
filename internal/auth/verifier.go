// Package auth decides who is asking and whether they may watch: the platform's
// access tokens and our playback tokens in, and the access rule, a pure function.
package auth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/lectiospace/lectern/internal/media"
)

// maxTokenBytes is more than any token of ours or the platform's has.
const maxTokenBytes = 8 << 10

// Claims are what a verified token says.
type Claims struct {
	User     int64
	Playback int64 // recording id of a playback token, else 0
	Expires  time.Time
}

// Verifier checks tokens. Safe for concurrent use.
type Verifier struct {
	cfg      Config
	now      func() time.Time
	log      *slog.Logger
	parser   *jwt.Parser
	playback playbackKeys
	jwks     keyfunc.Keyfunc // nil without a JWKS
	stop     context.CancelFunc
}

// The algorithms of each kind of key. A token is only ever held against the kind
// its own configuration names, so that a public key cannot serve as a secret.
var (
	secretAlgorithms = []string{"HS256"}
	publicAlgorithms = []string{"RS256", "ES256", "EdDSA"}
)

// NewVerifier prepares the keys. With a JWKS its refresh begins here, in the
// background, and Stop ends it.
func NewVerifier(cfg Config, log *slog.Logger, now func() time.Time) (*Verifier, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	keys, err := newPlaybackKeys(cfg)
	if err != nil {
		return nil, err
	}
	var algorithms []string
	if cfg.JWTSecret != "" {
		algorithms = append(algorithms, secretAlgorithms...)
	}
	if cfg.JWKSURL != "" {
		algorithms = append(algorithms, publicAlgorithms...)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(algorithms), jwt.WithTimeFunc(now), jwt.WithLeeway(cfg.Leeway),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithJSONNumber(), jwt.WithStrictDecoding(),
	}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	if cfg.Audience != "" {
		options = append(options, jwt.WithAudience(cfg.Audience))
	}
	v := &Verifier{cfg: cfg, now: now, log: log, parser: jwt.NewParser(options...), playback: keys, stop: func() {}}
	if cfg.JWKSURL != "" {
		ctx, cancel := context.WithCancel(context.Background())
		v.stop = cancel
		if v.jwks, err = keyfunc.NewDefaultOverrideCtx(ctx, []string{cfg.JWKSURL}, keyfunc.Override{
			HTTPTimeout: 5 * time.Second, RefreshInterval: 10 * time.Minute,
			RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
				return func(_ context.Context, err error) {
					log.Warn("the JWKS could not be refreshed", slog.Any("error", err))
				}
			},
		}); err != nil {
			cancel()
			return nil, err
		}
	}
	return v, nil
}

// Stop ends the refresh of the JWKS; it may be called twice.
func (v *Verifier) Stop() { v.stop() }

// Verify checks a token's signature, times and kind. What it returns as an error
// is a *media.Refusal, or a fault when the keys cannot be had.
func (v *Verifier) Verify(token string) (Claims, error) {
	if len(token) > maxTokenBytes {
		return Claims{}, invalid
	}
	if key, ok := v.playback.named(token); ok {
		return v.verifyPlayback(token, key)
	}
	claims := jwt.MapClaims{}
	_, err := v.parser.ParseWithClaims(token, claims, v.key)
	switch {
	case err == nil:
	case media.KindOf(err) == media.Unavailable:
		return Claims{}, err
	case errors.Is(err, jwt.ErrTokenExpired) && errors.Is(err, jwt.ErrTokenInvalidClaims):
		return Claims{}, expired
	default:
		return Claims{}, invalid
	}
	return v.accessClaims(claims)
}

// key chooses the key by the kind of algorithm, which the parser has already
// held against the allowed ones.
func (v *Verifier) key(t *jwt.Token) (any, error) {
	if t.Method.Alg() == "HS256" {
		return []byte(v.cfg.JWTSecret), nil
	}
	return v.jwks.Keyfunc(t)
}

// accessClaims reads what simplejwt puts into an access token.
func (v *Verifier) accessClaims(claims jwt.MapClaims) (Claims, error) {
	if kind, ok := claims["token_type"].(string); !ok || subtle.ConstantTimeCompare([]byte(kind), []byte("access")) == 0 {
		return Claims{}, wrongType
	}
	if jti, ok := claims["jti"].(string); !ok || jti == "" {
		return Claims{}, invalid
	}
	user, ok := userID(claims["user_id"])
	if !ok {
		return Claims{}, invalid
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return Claims{}, invalid
	}
	return Claims{User: user, Expires: exp.Time}, nil
}

// userID reads the user's id, which simplejwt wrote as a number up to 5.5.0 and
// as a string since.
func userID(claim any) (int64, bool) {
	var text string
	switch c := claim.(type) {
	case string:
		text = c
	case json.Number:
		text = c.String()
	default:
		return 0, false
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 || id == math.MaxInt64 || strconv.FormatInt(id, 10) != text {
		return 0, false
	}
	return id, true
}

// The refusals of tokens, in simplejwt's words.
var (
	invalid   = tokenRefusal("Token is invalid")
	expired   = tokenRefusal("Token is expired")
	wrongType = tokenRefusal("Token has wrong type")
)

func tokenRefusal(message string) *media.Refusal {
	return &media.Refusal{
		Code: media.CodeTokenNotValid, Detail: "Given token not valid for any token type",
		Messages: []media.TokenMessage{{Class: "AccessToken", Type: "access", Message: message}},
	}
}

// headerOf is the first part of a compact token.
func headerOf(token string) string {
	head, _, _ := strings.Cut(token, ".")
	return head
}
