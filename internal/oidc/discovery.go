package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	upstream "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// requestTimeout bounds one request to the provider, callTimeout all of one sign-in.
	requestTimeout = 5 * time.Second
	callTimeout    = 9 * time.Second
	// maxAnswer is more than any document of a provider: key sets are the largest.
	maxAnswer = 1 << 20
	// rediscover is how old endpoints become before they are looked up again, retryAfter how
	// long a failure counts, so that people who wait do not each wait for a silent provider.
	rediscover = time.Hour
	retryAfter = time.Second
)

// endpoints are where the provider is asked.
type endpoints struct {
	provider  *upstream.Provider
	oauth     oauth2.Endpoint
	userinfo  string
	published published
}

// published is what the provider says of itself (OpenID Connect Discovery 1.0 section 3).
type published struct {
	KeySet        string   `json:"jwks_uri"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	ResponseTypes []string `json:"response_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	Challenges    []string `json:"code_challenge_methods_supported"` // RFC 8414 section 2
}

// discovery looks the endpoints up when they are first needed: a provider that is down does
// not keep the gateway from starting. Safe for concurrent use.
type discovery struct {
	issuer string
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex // held while they are looked up; guards what follows
	found  *endpoints
	looked time.Time
	err    error
}

// get returns the endpoints. Old ones stay in use while the provider does not answer.
func (d *discovery) get() (*endpoints, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	age := d.now().Sub(d.looked)
	switch {
	case d.err == nil && d.found != nil && age < rediscover:
		return d.found, nil
	case d.err != nil && age < retryAfter && age >= 0:
		return d.found, d.unlessFound(d.err)
	}
	// Not the context of one request, which others wait for too.
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	found, err := d.look(ctx)
	d.looked, d.err = d.now(), err
	if err == nil {
		d.found = found
	}
	return d.found, d.unlessFound(err)
}

func (d *discovery) unlessFound(err error) error {
	if d.found != nil {
		return nil
	}
	return err
}

func (d *discovery) look(ctx context.Context) (*endpoints, error) {
	provider, err := upstream.NewProvider(upstream.ClientContext(ctx, d.client), d.issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	e := &endpoints{provider: provider, oauth: provider.Endpoint(), userinfo: provider.UserInfoEndpoint()}
	if err := provider.Claims(&e.published); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	for _, endpoint := range []struct{ name, address string }{
		{"authorization_endpoint", e.oauth.AuthURL}, {"token_endpoint", e.oauth.TokenURL}, {"jwks_uri", e.published.KeySet},
	} {
		if u, err := url.Parse(endpoint.address); err != nil || !isSecure(u) {
			return nil, fmt.Errorf("discovery: %s %q is neither https nor http on a loopback address", endpoint.name, endpoint.address)
		}
	}
	if u, err := url.Parse(e.userinfo); err != nil || !isSecure(u) {
		e.userinfo = ""
	}
	// Said beforehand: finding it out by trying would use the code up. Basic is the default of
	// OpenID Connect Discovery 1.0 section 3.
	e.oauth.AuthStyle = oauth2.AuthStyleInHeader
	if methods := e.published.AuthMethods; len(methods) > 0 && !slices.Contains(methods, "client_secret_basic") {
		e.oauth.AuthStyle = oauth2.AuthStyleInParams
	}
	return e, nil
}

// newClient is a client whose requests end, whose answers are bounded, and which follows no
// redirect: no endpoint of a provider has one, and it would carry the code elsewhere.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = requestTimeout
	return &http.Client{
		Timeout:       requestTimeout,
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type bounded struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.Transport.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	}
	return answer, err
}
