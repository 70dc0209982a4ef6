package proxy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// note is what the access log says about one exchange. It holds no token and no
// query: the route is the pattern, not the URL.
type note struct {
	began     time.Time
	id        string
	client    netip.Addr
	method    string
	route     string
	recording int64
	user      int64
	status    int
	code      media.Code
	asked     string // the Range header, harmless
	bytes     int64
	auth      time.Duration
	catalog   time.Duration
	origin    time.Duration
	cache     media.CacheStatus
	outcome   string
	fault     error // what went wrong, nil when nothing or only a refusal
}

// newNote starts the account of a request.
func (s *Server) newNote(c *fasthttp.RequestCtx) note {
	peer := peerAddress(c.RemoteAddr())
	n := note{
		began:  s.now(),
		client: peer,
		method: harmless(string(c.Method()), 16),
	}
	if trustedAddress(peer, s.cfg.TrustedProxies) {
		var lines []string
		for _, line := range c.Request.Header.PeekAll("X-Forwarded-For") {
			lines = append(lines, string(line))
		}
		n.client = clientAddress(peer, strings.Join(lines, ","), s.cfg.TrustedProxies)
		n.id = harmless(string(c.Request.Header.Peek("X-Request-Id")), 64)
	}
	if n.id == "" {
		var b [8]byte
		rand.Read(b[:]) // never fails since Go 1.24
		n.id = hex.EncodeToString(b[:])
	}
	return n
}

// record writes the line, after the exchange has ended.
func (s *Server) record(n *note) {
	attrs := make([]slog.Attr, 0, 20)
	attrs = append(attrs,
		slog.String("request_id", n.id), slog.String("client", n.client.String()),
		slog.String("method", n.method), slog.String("route", n.route),
		slog.Int("status", n.status), slog.String("outcome", n.outcome),
		slog.Int64("bytes", n.bytes), slog.Int64("duration_us", s.now().Sub(n.began).Microseconds()))
	if n.recording != 0 {
		attrs = append(attrs, slog.Int64("recording", n.recording), slog.Int64("user", n.user),
			slog.String("cache", n.cache.String()), slog.Int64("auth_us", n.auth.Microseconds()),
			slog.Int64("catalog_us", n.catalog.Microseconds()), slog.Int64("origin_us", n.origin.Microseconds()))
	}
	if n.asked != "" {
		attrs = append(attrs, slog.String("range", n.asked))
	}
	if n.code != "" {
		attrs = append(attrs, slog.String("code", string(n.code)))
	}
	level := slog.LevelInfo
	if n.fault != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", n.fault.Error()))
	}
	s.log.LogAttrs(context.Background(), level, "exchange", attrs...)
}

// harmless cuts a header's text down to what a log may hold: at most limit
// letters, digits and the marks that ranges and ids are made of.
func harmless(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z':
			return r
		}
		switch r {
		case '-', '=', ',', '.', '_', ' ':
			return r
		}
		return '?'
	}, s)
}
