// Package oidc signs people in at a provider of OpenID Connect: the code flow with PKCE (RFC
// 7636) and a nonce, as OpenID Connect Core 1.0 section 3.1 describes it. It yields the
// verified e-mail address of a person, and knows nothing of users.
package oidc

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Config names the provider. Without an Issuer nobody signs in by OpenID Connect.
type Config struct {
	Issuer       string `name:"issuer" placeholder:"URL" help:"Issuer of an OpenID Connect provider, at which people sign in with the e-mail address of their account: https, or http on a loopback address. Nobody signs in there when empty."`
	ClientID     string `name:"client-id" needed:"with oidc-issuer" placeholder:"ID" help:"Client id of the gateway at the provider, where its redirect URI is public-url with /signin/callback."`
	ClientSecret string `name:"client-secret" secret:"" placeholder:"SECRET" help:"Client secret of the gateway at the provider; none for a public client."`
	Scopes       string `name:"scopes" default:"openid email profile" help:"Scopes to ask for, separated by blanks (default: ${default})."`
	// AllowedDomains narrows who signs in to addresses of these domains.
	AllowedDomains []string `name:"allowed-domains" placeholder:"DOMAIN" help:"Domains whose e-mail addresses may sign in at the provider, comma separated; all when empty."`
	Label          string   `name:"label" default:"OpenID Connect" help:"What the pages call the provider (default: ${default})."`
}

// On reports whether people sign in by OpenID Connect.
func (c Config) On() bool { return c.Issuer != "" }

// maxLabel is how many characters of a label fit on a button.
const maxLabel = 60

// Check returns an error of the form "setting: what is wrong with it".
func (c Config) Check() error {
	switch {
	case !c.On() && c.ClientID != "":
		return errors.New("oidc-issuer: required where oidc-client-id is set")
	case !c.On() && c.ClientSecret != "":
		return errors.New("oidc-issuer: required where oidc-client-secret is set")
	case !c.On() && len(c.AllowedDomains) > 0:
		return errors.New("oidc-issuer: required where oidc-allowed-domains is set")
	case !c.On():
		return nil
	case !isSecureURL(c.Issuer):
		return fmt.Errorf("oidc-issuer: %q is neither an https URL nor an http URL of a loopback address, without user, query and fragment", c.Issuer)
	case c.ClientID == "":
		return errors.New("oidc-client-id: required where oidc-issuer is set")
	case !slices.Contains(c.scopes(), "openid"):
		return errors.New("oidc-scopes: openid is missing, without which there is no ID token")
	case utf8.RuneCountInString(c.Label) > maxLabel || strings.ContainsFunc(c.Label, unicode.IsControl):
		return fmt.Errorf("oidc-label: has more than %d characters, or control characters", maxLabel)
	}
	for _, domain := range c.AllowedDomains {
		if domain == "" || strings.ContainsFunc(domain, func(r rune) bool { return r == '@' || r == '*' || r == '/' || unicode.IsSpace(r) }) {
			return fmt.Errorf("oidc-allowed-domains: %q is not a domain: write what follows the @, as school.example", domain)
		}
	}
	return nil
}

func (c Config) scopes() []string { return strings.Fields(c.Scopes) }

// allows reports whether an address is of an allowed domain.
func (c Config) allows(email string) bool {
	at := strings.LastIndexByte(email, '@')
	if at <= 0 || at == len(email)-1 {
		return false
	}
	return len(c.AllowedDomains) == 0 || slices.ContainsFunc(c.AllowedDomains, func(allowed string) bool {
		return equalASCIIFold(allowed, email[at+1:])
	})
}

// equalASCIIFold ignores the case of ASCII letters only. strings.EqualFold takes the Kelvin
// sign for a k, and so one domain for another.
func equalASCIIFold(a, b string) bool { return lowerASCII(a) == lowerASCII(b) }

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// isSecureURL accepts https, and http on a loopback address, where nobody listens in.
func isSecureURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return false
	}
	return isSecure(u)
}

func isSecure(u *url.URL) bool {
	host := u.Hostname()
	switch u.Scheme {
	case "https":
		return host != ""
	case "http":
		address, err := netip.ParseAddr(host)
		return host == "localhost" || err == nil && address.IsLoopback()
	}
	return false
}
