package proxy

import (
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/lectiospace/lectern/internal/media"
	"github.com/lectiospace/lectern/internal/proxy/accesslog"
	"github.com/lectiospace/lectern/internal/proxy/respond"
)

// LimitConfig bounds what one user, and all together, may take.
type LimitConfig struct {
	// PlaybacksPerHour is how many playbacks one user may start in any trailing hour,
	// counted across all gateways of one database; 0 = no limit.
	PlaybacksPerHour int `name:"playbacks-per-hour" default:"200" help:"Playback starts of one user in any trailing hour, across all gateways of one database; over it 429 throttled; 0 = no limit."`
	// StreamsPerUser is how many streams one user may have open on this gateway; 0 = no limit.
	StreamsPerUser int `name:"streams-per-user" default:"8" help:"Concurrent streams of one user on one gateway; over it 429 too_many_streams; 0 = no limit."`
	// StreamRate in bytes per second and stream, burst one second; 0 = no limit.
	StreamRate media.Size `name:"stream-rate" default:"0" help:"Bytes per second of one stream, burst one second (size); 0 = no limit."`
	// AuthFailures is how many forged tokens and codes, and refused callbacks of the sign-in,
	// one client address may send a minute; beyond it they are answered 429. Valid ones pass
	// whatever else comes from the address. 0 = no limit.
	AuthFailures int `name:"auth-failures" default:"100" help:"Forged tokens, forged codes and refused callbacks of the sign-in from one client address (IPv6: /64) a minute before they are answered 429; valid ones always pass; 0 = no limit."`
	// APIRate is how many requests a second one user may send to the API, with a burst of
	// three seconds' worth; beyond it 429. 0 = no limit.
	APIRate Rate `name:"api-rate" default:"20/s" help:"API requests a second of one user on one gateway, with a burst of three seconds' worth; streams are not counted; over it 429 throttled; 0 = no limit."`
	// Streams is how many streams all users together may have open; beyond it new ones
	// are answered 503 overloaded, so that they do not slow the running ones.
	Streams int `name:"streams" default:"10000" help:"Concurrent streams on one gateway; over it 503 overloaded."`
}

// CORSConfig lists the web origins that may read answers.
type CORSConfig struct {
	Origins []string `name:"origins" placeholder:"ORIGIN" help:"Exact web origins, SCHEME://HOST[:PORT], whose pages may read answers, comma separated."`
}

// EmbedConfig lists the web origins whose pages may embed the player.
type EmbedConfig struct {
	Origins []string `name:"origins" placeholder:"ORIGIN" help:"Exact web origins whose pages may embed the player at /embed/ID, https://HOST[:PORT] or http:// on a loopback address, comma separated; with none there is no /embed and no /oembed."`
}

// Config of the public listener.
type Config struct {
	Limit LimitConfig
	CORS  CORSConfig
	Embed EmbedConfig
	// AccessLog says whether the ranges of a playback share a line of the access log: a
	// value of accesslog.Lines.
	AccessLog string
	// PublicURL is the base of absolute links; "" = taken from the request.
	PublicURL string
	// DirectStreamThreshold is the size above which a recording on Drive is announced
	// as our own stream; 0 = always.
	DirectStreamThreshold media.Size
	// TrustedProxies are the peers whose X-Forwarded-* headers are believed.
	TrustedProxies []netip.Prefix
	// WriteIdle is how long one write may make no progress before the stream is
	// aborted. It is renewed with every piece, never a limit on the whole body.
	WriteIdle time.Duration
	// HeaderTimeout bounds the reading of a request.
	HeaderTimeout time.Duration
	// SessionTTL is the longest that a sign-in of the pages lasts.
	SessionTTL time.Duration
	// SignIn is the sign-in that pages offer; nil where there is none.
	SignIn *respond.SignIn
	// KeepAlive is how long an idle connection is kept.
	KeepAlive time.Duration
	// OriginTimeout bounds the wait for the first byte of an answer, and later
	// the wait for each further piece of it.
	OriginTimeout time.Duration
	// Recheck is how often the access of a running stream is checked again.
	Recheck time.Duration
}

// DefaultConfig is what the commands start from.
func DefaultConfig() Config {
	return Config{
		Limit: LimitConfig{PlaybacksPerHour: 200, StreamsPerUser: 8, AuthFailures: 100, APIRate: 20, Streams: 10000},

		AccessLog:             string(accesslog.PerPlayback),
		DirectStreamThreshold: 100 << 20,

		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		SessionTTL:     12 * time.Hour,
		WriteIdle:      60 * time.Second,
		HeaderTimeout:  10 * time.Second,
		KeepAlive:      75 * time.Second,
		OriginTimeout:  30 * time.Second,
		Recheck:        500 * time.Millisecond,
	}
}

// Validate names the setting that is wrong.
func (c Config) Validate() error {
	switch {
	case c.AccessLog != string(accesslog.PerPlayback) && c.AccessLog != string(accesslog.PerRequest):
		return fmt.Errorf("access-log: %q is neither %s nor %s", c.AccessLog, accesslog.PerPlayback, accesslog.PerRequest)
	case c.DirectStreamThreshold < 0:
		return fmt.Errorf("direct-stream-threshold: cannot be negative")
	case c.Limit.Streams < 1:
		return fmt.Errorf("limit-streams: must be at least 1")
	case c.Limit.StreamsPerUser < 0:
		return fmt.Errorf("limit-streams-per-user: cannot be negative; 0 means no limit")
	case c.Limit.StreamRate < 0:
		return fmt.Errorf("limit-stream-rate: cannot be negative; 0 means no limit")
	case c.Limit.PlaybacksPerHour < 0:
		return fmt.Errorf("limit-playbacks-per-hour: cannot be negative; 0 means no limit")
	case c.Limit.APIRate < 0:
		return fmt.Errorf("limit-api-rate: cannot be negative; 0 means no limit")
	case c.Limit.AuthFailures < 0:
		return fmt.Errorf("limit-auth-failures: cannot be negative; 0 means no limit")
	}
	for _, o := range c.CORS.Origins {
		if err := validOrigin(o); err != nil {
			return fmt.Errorf("cors-origins: %q %w", o, err)
		}
	}
	if err := c.Embed.Check(); err != nil {
		return err
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"write idle time", c.WriteIdle},
		{"header timeout", c.HeaderTimeout},
		{"keep-alive time", c.KeepAlive},
		{"origin timeout", c.OriginTimeout},
		{"recheck interval", c.Recheck},
	} {
		if d.value <= 0 {
			return fmt.Errorf("the %s must be longer than 0, not %s", d.name, d.value)
		}
	}
	return nil
}

// validOrigin accepts what a browser puts in Origin and nothing else, so that a
// setting with a path or a star, which could never match, is noticed at start.
func validOrigin(s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("is not a web origin: write scheme and host as the browser does, https://lms.example.org")
	}
	return nil
}
