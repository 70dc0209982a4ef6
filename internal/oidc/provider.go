package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	upstream "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/lectiospace/lectern/internal/media"
)

// skew is by how much the provider's clock may differ from ours.
const skew = time.Minute

// maxExchanges bounds the sign-ins that wait for the provider at once.
const maxExchanges = 64

// CallbackPath is the path of the redirect URI, below the public address of the gateway.
const CallbackPath = "/signin/callback"

// RedirectURI is where the provider sends browsers back to; base has no final slash.
func RedirectURI(base string) string { return base + CallbackPath }

// Attempt is what one sign-in keeps between the two requests of its browser.
type Attempt struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE
}

// NewAttempt makes an Attempt of random values.
func NewAttempt() Attempt {
	return Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
}

// Provider is the configured provider. Safe for concurrent use.
type Provider struct {
	cfg       Config
	discovery discovery
	now       func() time.Time
	slots     chan struct{}
}

// New makes a Provider of a Config that is on. It sends nothing.
func New(cfg Config, now func() time.Time) (*Provider, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	return &Provider{
		cfg: cfg, now: now, slots: make(chan struct{}, maxExchanges),
		discovery: discovery{issuer: cfg.Issuer, client: newClient(), now: now},
	}, nil
}

// refused is an error of a callback, not of the provider's service.
func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", media.RefuseSignIn(), fmt.Errorf(format, args...))
}

// unavailable is an error of the provider. The library puts whole answers into its errors.
func unavailable(err error) error {
	return fmt.Errorf("%w: %.300s", media.Refuse(media.CodeProviderDown, "The sign-in service cannot be reached, please try again."), err.Error())
}

// noAccount is the error of a person whose address belongs to no account.
func noAccount(why string) error {
	return fmt.Errorf("%w: %s", media.RefuseAccount(), why)
}

// Begin returns the address at the provider to which the browser goes. The error is a
// *media.Refusal with media.CodeProviderDown.
func (p *Provider) Begin(redirectURI string, a Attempt) (string, error) {
	found, err := p.discovery.get()
	if err != nil {
		return "", unavailable(err)
	}
	return p.authorizationURL(found, redirectURI, a), nil
}

func (p *Provider) authorizationURL(found *endpoints, redirectURI string, a Attempt, more ...oauth2.AuthCodeOption) string {
	more = append(more, upstream.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier))
	return p.client(found, redirectURI).AuthCodeURL(a.State, more...)
}

func (p *Provider) client(found *endpoints, redirectURI string) *oauth2.Config {
	endpoint := found.oauth
	if p.cfg.ClientSecret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: endpoint, RedirectURL: redirectURI, Scopes: p.cfg.scopes()}
}

// Issuer is the configured issuer, which a callback may name (RFC 9207).
func (p *Provider) Issuer() string { return p.cfg.Issuer }

// Finish exchanges the code of a callback and returns the person's verified address, which is
// of an allowed domain. The error is a *media.Refusal: media.CodeSignInRefused for what is
// wrong with the code or the ID token, media.CodeNoAccount for an address that is not verified
// or not allowed, media.CodeProviderDown.
func (p *Provider) Finish(ctx context.Context, redirectURI, code string, a Attempt) (email string, err error) {
	ctx, cancel := context.WithTimeout(upstream.ClientContext(ctx, p.discovery.client), callTimeout)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return "", unavailable(ctx.Err())
	}
	found, err := p.discovery.get()
	if err != nil {
		return "", unavailable(err)
	}
	token, err := p.client(found, redirectURI).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return "", exchangeError(err)
	}
	claims, err := p.verify(ctx, found, token, a.Nonce)
	if err != nil {
		return "", err
	}
	return p.address(ctx, found, token, claims)
}

// exchangeError tells a code that the provider refuses from a provider that fails, which
// includes one that does not accept our client.
func exchangeError(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return unavailable(err)
	}
	status := 0
	if answer.Response != nil {
		status = answer.Response.StatusCode
	}
	// The answer's body may repeat what was sent: only its error code is kept.
	why := fmt.Errorf("the token endpoint answered %d, error %.40q", status, answer.ErrorCode)
	switch {
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError,
		answer.ErrorCode == "invalid_client", answer.ErrorCode == "unauthorized_client", status == http.StatusUnauthorized:
		return unavailable(why)
	}
	return refused("%w", why)
}

// claims are what an ID token or the UserInfo endpoint says of a person.
type claims struct {
	Subject       string  // sub
	Email         string  // email
	EmailVerified truth   // email_verified
	Party         string  // azp
	NotBefore     float64 // nbf
}

// UnmarshalJSON implements json.Unmarshaler. A claim is the member of exactly its name (RFC
// 7519 section 4): encoding/json alone would take "Email" for it, which a provider may let
// people choose, as well.
func (c *claims) UnmarshalJSON(document []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		return err
	}
	*c = claims{}
	for name, value := range map[string]any{"sub": &c.Subject, "email": &c.Email, "email_verified": &c.EmailVerified, "azp": &c.Party, "nbf": &c.NotBefore} {
		if member, there := members[name]; there {
			if err := json.Unmarshal(member, value); err != nil {
				return fmt.Errorf("claim %s: %w", name, err)
			}
		}
	}
	return nil
}

// truth is true, or the text "true" that some providers send; known says whether it was there.
type truth struct{ known, value bool }

// UnmarshalJSON implements json.Unmarshaler.
func (t *truth) UnmarshalJSON(b []byte) error {
	text := string(b)
	*t = truth{known: text != "null", value: text == "true" || text == `"true"`}
	return nil
}

// verify checks the ID token (OpenID Connect Core 1.0 section 3.1.3.7).
func (p *Provider) verify(ctx context.Context, found *endpoints, token *oauth2.Token, nonce string) (claims, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return claims{}, refused("the token endpoint sent no ID token")
	}
	// The times are checked below, since the library takes no skew.
	id, err := found.provider.VerifierContext(ctx, &upstream.Config{ClientID: p.cfg.ClientID, Now: p.now, SkipExpiryCheck: true}).Verify(ctx, raw)
	if err != nil {
		if isKeyFetch(err) {
			return claims{}, unavailable(err)
		}
		return claims{}, refused("ID token: %w", err)
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		return claims{}, refused("ID token: %w", err)
	}
	now := p.now()
	switch {
	case !now.Before(id.Expiry.Add(skew)):
		return claims{}, refused("ID token: expired at %s", id.Expiry.UTC().Format(time.RFC3339))
	case id.IssuedAt.After(now.Add(skew)):
		return claims{}, refused("ID token: issued in the future, at %s", id.IssuedAt.UTC().Format(time.RFC3339))
	case c.NotBefore > float64(now.Add(skew).Unix()):
		return claims{}, refused("ID token: not valid yet")
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return claims{}, refused("ID token: the nonce is of another sign-in")
	case c.Party != "" && c.Party != p.cfg.ClientID, len(id.Audience) > 1 && c.Party == "":
		return claims{}, refused("ID token: made for another client, %.40q", c.Party)
	case c.Subject == "":
		return claims{}, refused("ID token: no subject")
	}
	return c, nil
}

// isKeyFetch reports whether the keys of the provider could not be fetched. The library has no
// type for it.
func isKeyFetch(err error) bool { return strings.Contains(err.Error(), "fetching keys") }

// address is the verified address of the ID token or, where that says not all of it, of the
// UserInfo endpoint: providers that follow the specification closely put it there only.
func (p *Provider) address(ctx context.Context, found *endpoints, token *oauth2.Token, c claims) (string, error) {
	if (c.Email == "" || !c.EmailVerified.known) && found.userinfo != "" {
		more, ok, err := p.userInfo(ctx, found, token)
		switch {
		case err != nil:
			return "", unavailable(err)
		case ok && more.Subject != c.Subject: // section 5.3.2
			return "", refused("the UserInfo endpoint answered for another subject")
		case ok:
			c = more
		}
	}
	switch {
	case c.Email == "":
		return "", noAccount("the provider gave no e-mail address")
	case !c.EmailVerified.value:
		return "", noAccount("the provider does not call the e-mail address verified")
	case !p.cfg.allows(c.Email):
		return "", noAccount("the e-mail address is not of oidc-allowed-domains")
	}
	return c.Email, nil
}

// userInfo asks the UserInfo endpoint (section 5.3). ok is false where it gives no claims.
func (p *Provider) userInfo(ctx context.Context, found *endpoints, token *oauth2.Token) (c claims, ok bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, found.userinfo, nil)
	if err != nil {
		return c, false, err
	}
	request.Header.Set("Authorization", "Bearer "+token.AccessToken)
	request.Header.Set("Accept", "application/json")
	answer, err := p.discovery.client.Do(request)
	if err != nil {
		return c, false, err
	}
	defer func() { _ = answer.Body.Close() }()
	switch {
	case answer.StatusCode >= http.StatusInternalServerError:
		return c, false, fmt.Errorf("the UserInfo endpoint answered %d", answer.StatusCode)
	case answer.StatusCode != http.StatusOK:
		return c, false, nil
	}
	err = json.NewDecoder(answer.Body).Decode(&c)
	return c, err == nil, nil
}
