package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/oidc"
)

const (
	// oidcTimeout bounds the requests of the check.
	oidcTimeout = 8 * time.Second
	// oidcClockLimit is by how much the provider's clock may differ: its tokens are refused then.
	oidcClockLimit = time.Minute
)

const (
	fixOIDC        = "check oidc-issuer, the network, the name servers and HTTPS_PROXY: the gateway has to reach ISSUER/.well-known/openid-configuration"
	fixOIDCKeys    = "let this machine reach the provider's jwks_uri, or correct it at the provider"
	fixOIDCClient  = "copy oidc-client-id and oidc-client-secret from the provider"
	fixOIDCSlower  = "wait a minute and run this again"
	fixOIDCBrowser = "sign in once with a browser"
)

// OIDC checks the provider at which people sign in, as far as that needs no person: what it
// publishes, whether it knows our redirect URI, and whether it accepts our client.
func (r *Report) OIDC(ctx context.Context, cfg oidc.Config, publicURL string) {
	if !cfg.On() {
		r.pass(nameOIDC, "not configured")
		return
	}
	if cfg.Check() != nil {
		return // the check of the configuration reports it
	}
	ctx, cancel := context.WithTimeout(ctx, oidcTimeout)
	defer cancel()
	redirectURI := ""
	if publicURL != "" {
		redirectURI = oidc.RedirectURI(strings.TrimSuffix(publicURL, "/"))
	}
	inspector, err := oidc.Inspect(ctx, cfg)
	if err != nil {
		r.oidcUnusable(err)
		return
	}
	r.together(ctx,
		Check{nameOIDC, stuckNetwork, func(ctx context.Context, r *Report) { r.oidcPublished(ctx, inspector, cfg.Issuer) }},
		Check{nameOIDCRedirect, stuckNetwork, func(ctx context.Context, r *Report) { r.oidcRedirect(ctx, inspector, redirectURI) }},
		Check{nameOIDCClient, stuckNetwork, func(ctx context.Context, r *Report) { r.oidcClient(ctx, inspector, cfg, redirectURI) }})
}

// oidcUnusable reports a provider whose endpoints are not known.
func (r *Report) oidcUnusable(err error) {
	var issuer *oidc.IssuerError
	var away *url.Error
	switch {
	case errors.As(err, &issuer):
		r.fail(nameOIDC, "set oidc-issuer to exactly what the provider calls itself, with or without a final slash; for Microsoft Entra with the id of the tenant", "%v", issuer)
	case errors.As(err, &away):
		r.fail(nameOIDC, fixOIDC, "the provider cannot be reached: %v", err)
	default:
		r.fail(nameOIDC, fixOIDC, "nobody can sign in: %v", err)
	}
}

func (r *Report) oidcPublished(ctx context.Context, i *oidc.Inspector, issuer string) {
	const check = nameOIDC
	if lacking := i.Lacking(); lacking != "" {
		r.fail(check, "switch it on at the provider, for this client", "the provider does not offer %s", lacking)
		return
	}
	switch keys, err := i.Keys(ctx); {
	case err != nil:
		r.fail(check, fixOIDCKeys, "the keys of ID tokens cannot be fetched: %v", err)
	case keys == 0:
		r.fail(check, "let the provider publish the key that it signs ID tokens with", "the provider publishes no key")
	default:
		r.pass(check, "%s publishes its endpoints and %d key(s)", issuer, keys)
	}
}

// oidcRedirect checks the address to which browsers come back. What a provider shows to a
// person is not known here: only what it answers is reported.
func (r *Report) oidcRedirect(ctx context.Context, i *oidc.Inspector, redirectURI string) {
	const check = nameOIDCRedirect
	if redirectURI == "" {
		r.warn(check, "set public-url, and register it with "+oidc.CallbackPath+" at the provider", "public-url is not set: the redirect URI is the address that each browser uses, of which the provider knows at most some")
		return
	}
	register := fmt.Sprintf("register %s at the provider as a redirect URI of the client of oidc-client-id", redirectURI)
	reaction, err := i.Authorize(ctx, redirectURI)
	u, _ := url.Parse(redirectURI)
	switch {
	case err == nil && reaction.Returned && slices.Contains(clientErrors, reaction.Error):
		r.fail(check, "correct the client at the provider: authorization code flow, the scopes of oidc-scopes", "the provider knows %s, and refuses sign-ins with the error %q", redirectURI, reaction.Error)
	case err == nil && reaction.Refused() && isClientError(reaction.Status):
		r.fail(check, register, "the provider answers a browser that wants to sign in with %s: it does not know the client, or not its redirect URI", statusText(reaction.Status))
	case err == nil && reaction.ErrorPage:
		r.fail(check, register, "the provider sends a browser that wants to sign in to a page about an error: it does not know the client, or not its redirect URI")
	case !isSecure(u):
		r.warn(check, "put TLS in front and set public-url to https://…", "%s is not https: codes travel in the clear, and many providers do not take it", redirectURI)
	case err != nil:
		r.warn(check, "this is all right where browsers reach it; otherwise check the network", "the provider's page for signing in cannot be reached from here: %v", err)
	case reaction.Returned:
		r.pass(check, "the provider knows %s", redirectURI)
	case reaction.Refused():
		r.warn(check, fixOIDCBrowser+"; where it shows an error, "+register, "the provider answers a browser that wants to sign in with %s", statusText(reaction.Status))
	default:
		r.pass(check, "%s; whether the provider knows it is seen in a browser only", redirectURI)
	}
}

// clientErrors are the errors of RFC 6749 section 4.1.2.1 that do not end by themselves.
var clientErrors = []string{"invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope"}

// isClientError reports whether a status says that the request was wrong. 403, 404 and 429 have
// other causes, too, as a defence against programs.
func isClientError(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusUnauthorized
}

func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// oidcClient sends a code that does not exist: a provider that knows us refuses the code.
func (r *Report) oidcClient(ctx context.Context, i *oidc.Inspector, cfg oidc.Config, redirectURI string) {
	const check = nameOIDCClient
	asked := time.Now()
	answer, err := i.Exchange(ctx, redirectURI)
	if err != nil {
		r.fail(check, "let this machine reach the provider's token endpoint", "the token endpoint gives no answer: %v", err)
		return
	}
	r.Clock("the sign-in provider", answer.Date, asked, time.Now(), oidcClockLimit)
	seen := fmt.Sprintf("to a code that does not exist the provider answers %s, error %.40q", statusText(answer.Status), answer.Error)
	switch {
	case answer.Error == "invalid_grant" && cfg.ClientSecret == "":
		r.pass(check, "the provider refuses a code that does not exist, and not the client, which has no secret")
	case answer.Error == "invalid_grant":
		r.pass(check, "the provider refuses a code that does not exist, and not the client and its secret")
	case answer.Error == "invalid_client", answer.Status == http.StatusUnauthorized:
		r.fail(check, fixOIDCClient, "the provider does not accept the client or its secret: %s", seen)
	case answer.Error == "unauthorized_client", answer.Error == "unsupported_grant_type":
		r.fail(check, "correct oidc-client-id, or allow the client the authorization code flow at the provider", "the provider does not let the client exchange codes: %s", seen)
	case answer.Status == http.StatusTooManyRequests, answer.Status >= http.StatusInternalServerError:
		r.warn(check, fixOIDCSlower, "%s", seen)
	case answer.Status == http.StatusOK:
		r.fail(check, "correct oidc-issuer: this is no provider", "the provider takes a code that does not exist")
	default:
		r.warn(check, fixOIDCBrowser, "whether the provider accepts the client is not known: %s", seen)
	}
}
