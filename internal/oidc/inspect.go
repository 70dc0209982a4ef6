package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	upstream "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Inspector tries what of a sign-in needs no person. Safe for concurrent use.
type Inspector struct {
	provider *Provider
	found    *endpoints
}

// IssuerError is the error of a provider that calls itself otherwise than it is configured.
type IssuerError struct{ Configured, Published string }

// Error implements error.
func (e *IssuerError) Error() string {
	return fmt.Sprintf("the provider calls itself %q, not %q", e.Published, e.Configured)
}

// maxMessage bounds errors that repeat an answer.
const maxMessage = 200

// Inspect looks a provider's endpoints up. The error is an *IssuerError, a *url.Error where the
// provider cannot be reached, or says what it published that cannot be used.
func Inspect(ctx context.Context, cfg Config) (*Inspector, error) {
	p, err := New(cfg, time.Now)
	if err != nil {
		return nil, err
	}
	found, err := p.discovery.look(ctx)
	var mismatch *upstream.IssuerMismatchError
	var failed *url.Error
	switch {
	case err == nil:
		return &Inspector{p, found}, nil
	case errors.As(err, &mismatch):
		return nil, &IssuerError{mismatch.Provided, mismatch.Discovered}
	case errors.As(err, &failed):
		return nil, err
	}
	return nil, errors.New(shortened(err.Error()))
}

func shortened(s string) string {
	if len(s) > maxMessage {
		return strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}

// idTokenAlgorithms are the signatures that ID tokens may have.
var idTokenAlgorithms = []string{
	upstream.RS256, upstream.RS384, upstream.RS512, upstream.ES256, upstream.ES384, upstream.ES512,
	upstream.PS256, upstream.PS384, upstream.PS512, upstream.EdDSA,
}

// Lacking is what the provider says that it cannot do although sign-ins need it; "" where it
// can, or does not say.
func (i *Inspector) Lacking() string {
	says := i.found.published
	switch {
	case len(says.ResponseTypes) > 0 && !slices.Contains(says.ResponseTypes, "code"):
		return fmt.Sprintf("the code flow: response_types_supported is %q", says.ResponseTypes)
	case len(says.Algorithms) > 0 && !slices.ContainsFunc(says.Algorithms, func(a string) bool { return slices.Contains(idTokenAlgorithms, a) }):
		return fmt.Sprintf("ID tokens signed with a key pair: id_token_signing_alg_values_supported is %q", says.Algorithms)
	case len(says.Challenges) > 0 && !slices.Contains(says.Challenges, "S256"):
		return fmt.Sprintf("PKCE with S256: code_challenge_methods_supported is %q", says.Challenges)
	}
	return ""
}

// Keys is how many published keys can have signed an ID token.
func (i *Inspector) Keys(ctx context.Context) (int, error) {
	answer, err := i.get(ctx, i.found.published.KeySet)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s answered %s", i.found.published.KeySet, answer.Status)
	}
	var set struct {
		Keys []struct {
			Type string `json:"kty"`
			Use  string `json:"use"`
		} `json:"keys"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil {
		return 0, fmt.Errorf("%s is no key set: %w", i.found.published.KeySet, err)
	}
	n := 0
	for _, key := range set.Keys {
		if slices.Contains([]string{"RSA", "EC", "OKP"}, key.Type) && (key.Use == "" || key.Use == "sig") {
			n++
		}
	}
	return n, nil
}

func (i *Inspector) get(ctx context.Context, address string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return i.provider.discovery.client.Do(request)
}

// Reaction is how a provider answers the request for the sign-in of a browser that it does not
// know.
type Reaction struct {
	Status int
	// Returned means that it sends the browser back to the redirect URI. It does so only where
	// it knows the client and the URI (RFC 6749 section 4.1.2.1).
	Returned bool
	// Error is the error code that it returns; "" where it returns a code, or does not return.
	Error string
	// ErrorPage means that it sends the browser to another page whose address names an error.
	ErrorPage bool
}

// Refused reports whether the browser goes nowhere.
func (r Reaction) Refused() bool { return !r.Returned && r.Status >= 400 }

// Authorize requests a sign-in without a person. A browser at the provider would see what a
// Reaction that is Refused stands for.
func (i *Inspector) Authorize(ctx context.Context, redirectURI string) (Reaction, error) {
	// Asked not to show anything, a provider has to return (OpenID Connect Core 1.0 section
	// 3.1.2.1): that tells more than a page for the person who signs in.
	reaction, err := i.authorize(ctx, redirectURI, oauth2.SetAuthURLParam("prompt", "none"))
	if err == nil && reaction.Refused() {
		return i.authorize(ctx, redirectURI)
	}
	return reaction, err
}

func (i *Inspector) authorize(ctx context.Context, redirectURI string, more ...oauth2.AuthCodeOption) (Reaction, error) {
	answer, err := i.get(ctx, i.provider.authorizationURL(i.found, redirectURI, NewAttempt(), more...))
	if err != nil {
		return Reaction{}, err
	}
	_ = answer.Body.Close()
	r := Reaction{Status: answer.StatusCode}
	location, err := answer.Location()
	if answer.StatusCode < 300 || answer.StatusCode > 399 || err != nil {
		return r, nil
	}
	query := location.Query()
	if r.Returned = strings.HasPrefix(location.String(), redirectURI+"?"); r.Returned {
		r.Error = query.Get("error")
	} else {
		r.ErrorPage = query.Has("error") || query.Has("authError") // the latter is Google's
	}
	return r, nil
}

// Answer is how a token endpoint answers.
type Answer struct {
	Status int
	// Error is its error code (RFC 6749 section 5.2); "" where there is none.
	Error string
	// Date is the time at the provider; zero where it does not say.
	Date time.Time
}

// Exchange sends a code that does not exist, as our client. An error means that there was no
// answer. It has no secret in it.
func (i *Inspector) Exchange(ctx context.Context, redirectURI string) (Answer, error) {
	ctx = upstream.ClientContext(ctx, i.provider.discovery.client)
	a := NewAttempt()
	_, err := i.provider.client(i.found, redirectURI).Exchange(ctx, "lectern-doctor-"+a.State, oauth2.VerifierOption(a.Verifier))
	var refusal *oauth2.RetrieveError
	switch {
	case err == nil:
		return Answer{Status: http.StatusOK}, nil
	case !errors.As(err, &refusal) || refusal.Response == nil:
		return Answer{}, err
	}
	date, _ := http.ParseTime(refusal.Response.Header.Get("Date"))
	return Answer{Status: refusal.Response.StatusCode, Error: refusal.ErrorCode, Date: date}, nil
}
