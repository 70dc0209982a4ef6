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
type Record struct {
	Began     time.Time
	RequestID string
	Client    netip.Addr
	Method    string
	Route     string
	Recording int64
	User      int64
	Status    int
	Code      media.Code
	Range     string // the Range header, harmless
	Bytes     int64
	Auth      time.Duration
	Catalog   time.Duration
	Origin    time.Duration
	Cache     media.CacheStatus
	Outcome   string
	Err       error // what went wrong, nil when nothing or only a refusal
}

// newNote starts the account of a request.
func (s *Server) newNote(c *fasthttp.RequestCtx) Record {
	peer := peerAddress(c.RemoteAddr())
	n := Record{
		Began:  s.now(),
		Client: peer,
		Method: Sanitize(string(c.Method()), 16),
	}
	if trustedAddress(peer, s.cfg.TrustedProxies) {
		var lines []string
		for _, line := range c.Request.Header.PeekAll("X-Forwarded-For") {
			lines = append(lines, string(line))
		}
		n.Client = clientAddress(peer, strings.Join(lines, ","), s.cfg.TrustedProxies)
		n.RequestID = Sanitize(string(c.Request.Header.Peek("X-Request-Id")), 64)
	}
	if n.RequestID == "" {
		var b [8]byte
		rand.Read(b[:]) // never fails since Go 1.24
		n.RequestID = hex.EncodeToString(b[:])
	}
	return n
}

// record writes the line, after the exchange has ended.
func (s *Server) record(n *Record) {
	attrs := make([]slog.Attr, 0, 20)
	attrs = append(attrs,
		slog.String("request_id", n.RequestID), slog.String("client", n.Client.String()),
		slog.String("method", n.Method), slog.String("route", n.Route),
		slog.Int("status", n.Status), slog.String("outcome", n.Outcome),
		slog.Int64("bytes", n.Bytes), slog.Int64("duration_us", s.now().Sub(n.Began).Microseconds()))
	if n.Recording != 0 {
		attrs = append(attrs, slog.Int64("recording", n.Recording), slog.Int64("user", n.User),
			slog.String("cache", n.Cache.String()), slog.Int64("auth_us", n.Auth.Microseconds()),
			slog.Int64("catalog_us", n.Catalog.Microseconds()), slog.Int64("origin_us", n.Origin.Microseconds()))
	}
	if n.Range != "" {
		attrs = append(attrs, slog.String("range", n.Range))
	}
	if n.Code != "" {
		attrs = append(attrs, slog.String("code", string(n.Code)))
	}
	level := slog.LevelInfo
	if n.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", n.Err.Error()))
	}
	s.log.LogAttrs(context.Background(), level, "exchange", attrs...)
}

// harmless cuts a header's text down to what a log may hold: at most limit
// letters, digits and the marks that ranges and ids are made of.
func Sanitize(s string, limit int) string {
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
