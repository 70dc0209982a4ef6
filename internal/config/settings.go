// Package config collects the packages' own Configs into the settings of the two
// programs, each with three spellings: a flag, an environment variable and a key of a
// YAML file. A flag overrides the environment, the environment overrides the file, the
// file overrides the default. One environment and one file serve both programs: a setting
// of the other program is accepted there, and is not offered as a flag.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/lectiospace/lectern/internal/auth"
	"github.com/lectiospace/lectern/internal/cache"
	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/oidc"
	"github.com/lectiospace/lectern/internal/origin"
	"github.com/lectiospace/lectern/internal/origin/azure"
	"github.com/lectiospace/lectern/internal/origin/drive"
	"github.com/lectiospace/lectern/internal/origin/local"
	"github.com/lectiospace/lectern/internal/origin/s3"
	"github.com/lectiospace/lectern/internal/proxy"
	"github.com/lectiospace/lectern/internal/telemetry"
	"github.com/lectiospace/lectern/internal/zoom"
)

// Base are the settings of both programs.
type Base struct {
	Version     kong.VersionFlag `name:"version" help:"Print version and commit, and exit."`
	Config      string           `name:"config" placeholder:"FILE" help:"YAML file with settings."`
	PrintConfig bool             `name:"print-config" help:"Print the effective configuration as a file would hold it, secrets redacted, and exit."`

	DataDir     string `name:"data-dir" default:"./lectern-data" placeholder:"DIR" help:"Directory of the SQLite file, the cache, local recordings, temporary files and backups, unless set otherwise (default: ${default})."`
	DatabaseURL string `name:"database-url" secret:"" reload:"its password only, for new connections" placeholder:"URL" help:"Database: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME (default: sqlite://<data-dir>/lectern.db)."`
	Listen      string `name:"listen" default:"${listen}" placeholder:"ADDR" help:"Address of the public listener, HOST:PORT; a socket that systemd passes takes precedence (default: ${default})."`
	AdminListen string `name:"admin-listen" default:"${admin_listen}" placeholder:"ADDR" help:"Address of the listener of /metrics, /healthz, /readyz and /debug/pprof/; keep it private (default: ${default})."`

	ShutdownGrace time.Duration `name:"shutdown-grace" default:"20s" help:"How long streams, webhooks and jobs may continue after SIGTERM before they are ended; players go on at the next process (duration)."`

	ShutdownDelay time.Duration `name:"shutdown-delay" default:"0s" help:"How long new connections are still served after SIGTERM while /readyz is 503, before shutdown-grace begins; more than a load balancer's check interval (duration)."`

	Origin Origins             `embed:"" prefix:"origin-"`
	Log    telemetry.LogConfig `embed:"" prefix:"log-"`

	// source returns where a setting's value came from, and false for a name that is not
	// a setting; nil when nothing was parsed.
	source func(setting string) (string, bool)
	// cleaned lists the secrets whose files had invisible bytes.
	cleaned []string
	// input and model are where the values came from and the flags that hold them, for
	// Reload; zero when nothing was parsed.
	input input
	model *kong.Application
	// secretFlags lists the secrets that were given as flags.
	secretFlags []string
}

// SecretFlags names the secrets that were given on the command line, where every user of
// the machine can read them, in order.
func (b *Base) SecretFlags() []string { return b.secretFlags }

// CleanedSecrets names the secrets whose files had byte order marks, zero-width
// characters or blanks around the secret, each with the source of its value. They
// were removed.
func (b *Base) CleanedSecrets() []string { return b.cleaned }

// Group is a program's settings: Settings or SyncerSettings, embedded in its command
// line.
type Group interface {
	base() *Base
	setDerived()
	check() (setting, problem string)
	// ValidateServe returns the first setting that a serving program lacks or cannot use.
	ValidateServe() error
}

func (b *Base) base() *Base { return b }

// Settings are all settings of the gateway. Embed it in a kong command line.
type Settings struct {
	Base `embed:""`

	PublicURL             string     `name:"public-url" placeholder:"URL" help:"Base of absolute links, as viewers reach it; with https, answers carry Strict-Transport-Security (default: from the request)."`
	TrustedProxies        []string   `name:"trusted-proxies" default:"127.0.0.0/8,::1" placeholder:"CIDR" help:"Addresses and networks of reverse proxies, comma separated: only their X-Forwarded-For and X-Forwarded-Proto headers are believed (default: ${default})."`
	DirectStreamThreshold media.Size `name:"direct-stream-threshold" default:"100MiB" help:"Size above which the streaming_url of a Drive recording is the gateway's stream (size); 0 = always."`

	AccessLog string `name:"access-log" default:"playback" enum:"playback,request" help:"Lines of the access log: playback sums the ranges that a player reads one after the other for 10 s, request writes a line for each (playback|request)."`

	Analytics string `name:"analytics" default:"own" enum:"off,own,audience" help:"What is stored of who watched what: off nothing, own for each user themselves, audience for the recording's teacher and admins too (off|own|audience)."`

	Auth    auth.Config        `embed:"" prefix:"auth-"`
	Session auth.SessionConfig `embed:"" prefix:"session-"`
	OIDC    oidc.Config        `embed:"" prefix:"oidc-"`
	Limit   proxy.LimitConfig  `embed:"" prefix:"limit-"`
	Cache   cache.Config       `embed:"" prefix:"cache-"`
	CORS    proxy.CORSConfig   `embed:"" prefix:"cors-"`
	Embed   proxy.EmbedConfig  `embed:"" prefix:"embed-"`
	Objects origin.Config      `embed:"" prefix:"origin-"`
	Zoom    zoom.FetchConfig   `embed:"" prefix:"zoom-"`
}

// Origins are the settings of the providers that both programs use.
type Origins struct {
	Local local.Config `embed:"" prefix:"local-"`
	Drive drive.Config `embed:"" prefix:"drive-"`
	S3    s3.Config    `embed:"" prefix:"s3-"`
	Azure azure.Config `embed:"" prefix:"azure-"`
}

// needs is the setting without which a provider is not configured, and its value; ""
// where there is none.
func (o Origins) needs(provider string) (setting, value string) {
	switch provider {
	case media.ProviderDrive:
		return "origin-drive-credentials", o.Drive.Credentials
	case media.ProviderS3:
		return "origin-s3-url", o.S3.URL
	case media.ProviderAzure:
		return "origin-azure-url", o.Azure.URL
	}
	return "", ""
}

// setDerived sets the defaults that follow from other settings.
func (b *Base) setDerived() {
	if b.DatabaseURL == "" {
		b.DatabaseURL = "sqlite://" + filepath.Join(b.DataDir, "lectern.db")
	}
	if b.Origin.Local.Root == "" {
		b.Origin.Local.Root = filepath.Join(b.DataDir, "recordings")
	}
}

func (s *Settings) setDerived() {
	s.Base.setDerived()
	if s.Cache.Dir == "" {
		s.Cache.Dir = filepath.Join(s.DataDir, "cache")
	}
}

// check returns the first setting whose value is malformed. It does not check that all
// required settings are set.
func (b *Base) check() (setting, problem string) {
	for _, l := range []struct{ name, value string }{{"listen", b.Listen}, {"admin-listen", b.AdminListen}} {
		_, port, err := net.SplitHostPort(l.value)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil || port == "" {
			return l.name, fmt.Sprintf("%q is not an address: give HOST:PORT, as 127.0.0.1:8080", l.value)
		}
	}
	if !strings.HasPrefix(b.DatabaseURL, "sqlite://") && !strings.HasPrefix(b.DatabaseURL, "postgres://") && !strings.HasPrefix(b.DatabaseURL, "postgresql://") {
		return "database-url", "must begin with sqlite:// or postgres://"
	}
	if b.Origin.Drive.Endpoint != "" && !isHTTP(b.Origin.Drive.Endpoint) {
		return "origin-drive-endpoint", fmt.Sprintf("%q is not an absolute http or https URL", b.Origin.Drive.Endpoint)
	}
	if b.ShutdownGrace < 0 {
		return "shutdown-grace", "cannot be negative"
	}
	if b.ShutdownDelay < 0 {
		return "shutdown-delay", "cannot be negative"
	}
	return "", ""
}

func (s *Settings) check() (setting, problem string) {
	if setting, problem = s.Base.check(); setting != "" {
		return setting, problem
	}
	if s.PublicURL != "" && !isHTTP(s.PublicURL) {
		return "public-url", fmt.Sprintf("%q is not an absolute http or https URL", s.PublicURL)
	}
	if s.Auth.JWKSURL != "" && !isHTTP(s.Auth.JWKSURL) {
		return "auth-jwks-url", fmt.Sprintf("%q is not an absolute http or https URL", s.Auth.JWKSURL)
	}
	for _, o := range s.CORS.Origins {
		u, err := url.Parse(o)
		if err != nil || !isHTTP(o) || u.Path != "" || u.RawQuery != "" {
			return "cors-origins", fmt.Sprintf("%q is not an exact web origin: give SCHEME://HOST[:PORT] without a path", o)
		}
	}
	if err := s.Embed.Check(); err != nil {
		setting, problem, _ = strings.Cut(err.Error(), ": ")
		return setting, problem
	}
	if _, err := s.TrustedPrefixes(); err != nil {
		return "trusted-proxies", err.Error()
	}
	return "", ""
}

func isHTTP(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// TrustedPrefixes reads TrustedProxies: networks, or single addresses.
func (s *Settings) TrustedPrefixes() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range s.TrustedProxies {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p.Masked())
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network, as 10.0.0.0/8", text)
		}
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out, nil
}

// WithSource makes an error whose text begins with the name of a setting an *Error that
// also names the source of its value. Other errors stay as they are.
func (b *Base) WithSource(err error) error {
	if err == nil {
		return nil
	}
	name, problem, ok := strings.Cut(err.Error(), ": ")
	if !ok || b.source == nil {
		return err
	}
	source, ok := b.source(name)
	if !ok {
		return err
	}
	return &Error{Setting: name, Source: source, Problem: problem}
}

// ValidateServe returns the first setting that a serving gateway lacks or cannot use, as
// an *Error.
func (s *Settings) ValidateServe() error {
	public, err := s.Proxy()
	if err != nil {
		return err
	}
	return s.firstProblem(s.Auth.Check, s.Session.Check, s.OIDC.Check, s.Cache.Check, s.Objects.Check, public.Validate, s.Zoom.Check, s.Origin.Drive.Check, s.Origin.S3.Check, s.Origin.Azure.Check, s.checkTogether)
}

// firstProblem is the first check that fails, as an *Error; the checks' texts begin
// with a setting's name.
func (b *Base) firstProblem(checks ...func() error) error {
	for _, check := range checks {
		err := check()
		if err == nil {
			continue
		}
		name, problem, ok := strings.Cut(err.Error(), ": ")
		if !ok {
			name, problem = "", err.Error()
		}
		source := "effective configuration"
		if b.source != nil {
			if s, ok := b.source(name); ok {
				source = s
			}
		}
		return &Error{Setting: name, Source: source, Problem: problem}
	}
	return nil
}
