package zoom

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// FetchConfig says how files are fetched from Zoom with a teacher's credentials.
type FetchConfig struct {
	// OAuthURL replaces Zoom's own, for emulators and regions.
	OAuthURL string `name:"oauth-url" default:"https://zoom.us/oauth/token" placeholder:"URL" help:"Zoom's token endpoint (default: ${default})."`
	// DownloadHosts are the only hosts a Zoom token is sent to.
	DownloadHosts []string `name:"download-hosts" default:"zoom.us,.zoom.us,zoom.com,.zoom.com" placeholder:"HOST" help:"Hosts a recording may be fetched from, with a Zoom token, comma separated; .name means subdomains. https only, except hosts listed by address (default: ${default})."`
	// RedirectHosts are where a download may be redirected to although they are
	// private; every public https host is one anyway.
	RedirectHosts []string `name:"redirect-hosts" placeholder:"HOST" help:"Hosts a download may be redirected to, without the token; private and loopback addresses only when listed (default: any public https host)."`
}

// Check refuses what cannot work. The text begins with the setting's name.
func (c *FetchConfig) Check() error { return checkURL("zoom-oauth-url", c.OAuthURL) }

func checkURL(name, value string) error {
	parsed, err := url.Parse(value)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return fmt.Errorf("%s: %q is not an absolute http or https URL", name, value)
	}
	return nil
}

// Config of everything that talks to Zoom.
type Config struct {
	FetchConfig
	// WebhookSecret is the app's secret token, several comma separated while it is
	// rotated: any of them verifies.
	WebhookSecret string `name:"webhook-secret" secret:"" reload:"" needed:"by the syncer" placeholder:"SECRET" help:"Secret token of the Zoom app, which signs its webhooks; several, comma separated, while it is rotated. The platform's ZOOM_WEBHOOK_SECRET_TOKEN is read where it is not set."`
	// WebhookTolerance is how far a signed timestamp may be from now, either way.
	WebhookTolerance time.Duration `name:"webhook-tolerance" default:"5m" help:"How far the signed timestamp of a webhook may be from now; the machine's clock must be better than that (duration)."`
	// APIURL replaces Zoom's own, for emulators and regions.
	APIURL string `name:"api-url" default:"https://api.zoom.us/v2" placeholder:"URL" help:"Base of Zoom's API (default: ${default})."`
}

// Check refuses what cannot work. The text begins with the setting's name.
func (c *Config) Check() error {
	if err := checkURL("zoom-api-url", c.APIURL); err != nil {
		return err
	}
	if err := c.FetchConfig.Check(); err != nil {
		return err
	}
	if c.WebhookTolerance <= 0 {
		return fmt.Errorf("zoom-webhook-tolerance: must be longer than 0s")
	}
	if len(c.Secrets()) == 0 {
		return fmt.Errorf("zoom-webhook-secret: is required: the secret token of the Zoom app whose webhooks come here")
	}
	return nil
}

// Secrets are the configured secret tokens.
func (c *Config) Secrets() Secrets { return SplitSecrets(c.WebhookSecret) }

// hostList says which hosts are meant by a setting.
type hostList []string

func newHostList(names []string) hostList {
	var out hostList
	for _, n := range names {
		if n = strings.ToLower(strings.TrimSpace(n)); n != "" {
			out = append(out, n)
		}
	}
	return out
}

// has reports whether a URL's host is listed, and whether it is so by address.
func (l hostList) contains(host string) (listed, byAddress bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	for _, name := range l {
		if listedAddress, parseErr := netip.ParseAddr(strings.Trim(name, "[]")); parseErr == nil {
			if err == nil && listedAddress.Unmap() == address.Unmap() {
				return true, true
			}
			continue
		}
		if name == host || strings.HasPrefix(name, ".") && strings.HasSuffix(host, name) && len(host) > len(name) {
			return true, false
		}
	}
	return false, false
}
