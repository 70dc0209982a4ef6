// Package accesslog writes the lines of the public listener's requests: one for each
// request, one for the many ranges of a playback, and counts where many are refused.
package accesslog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lectiospace/lectern/internal/media"
)

// Record is what the access log says about one request. It holds no token and no
// query: the route is the pattern, not the URL.
type Record struct {
	Began     time.Time
	RequestID string // "" until somebody needs it: see ID
	Client    netip.Addr
	Trusted   bool // a trusted proxy sent it; not written
	Method    string
	Route     string // the pattern, "" where none matched
	Recording int64  // 0 = none
	User      int64
	Status    int
	Code      media.Code // the refusal's, "" for none
	Range     string     // the request's Range header, as it was sent
	Bytes     int64      // of the body
	// FirstByte is how long the body's first byte took; 0 where there was none.
	FirstByte time.Duration
	// Auth, Catalog and Origin are how long the request waited for each.
	Auth    time.Duration
	Catalog time.Duration
	Origin  time.Duration
	Cache   media.CacheStatus
	Outcome string
	Err     error // what failed; nil for a success and for a refusal
}

const (
	// outcomeRefused is the outcome of a request that was answered with an error.
	outcomeRefused = "refused"
	// outcomeComplete is the outcome of a request that was answered in full.
	outcomeComplete = "complete"
)

// ID returns the id under which logs name the request. It makes one where the request brought
// none: most requests are never named.
func (r *Record) ID() string {
	if r.RequestID == "" {
		var b [8]byte
		rand.Read(b[:]) // never fails since Go 1.24
		r.RequestID = hex.EncodeToString(b[:])
	}
	return r.RequestID
}

// Lines says which requests share a line.
type Lines string

const (
	// PerPlayback sums the ranges of a playback: see Connection.
	PerPlayback Lines = "playback"
	// PerRequest gives every request a line.
	PerRequest Lines = "request"
)

// Log writes access records. Safe for concurrent use.
type Log struct {
	log         *slog.Logger
	now         func() time.Time
	perPlayback bool
	refusals    refusals
	open        openSums
}

// New builds a Log that writes to log and reads the time from now.
func New(lines Lines, log *slog.Logger, now func() time.Time) *Log {
	return &Log{log: log, now: now, perPlayback: lines == PerPlayback, refusals: refusals{log: log, counts: map[refusalKind]int{}}}
}

// Flush writes the sums of playbacks and the counts of refused requests that have no line
// yet. It is called after the last request; what ends later has a line of its own.
func (l *Log) Flush() {
	l.open.flush()
	l.refusals.flush()
}

// Begin starts the record of a request. The request's own X-Request-Id is kept
// only where trusted is true, which means that a trusted proxy sent it.
func (l *Log) Begin(c *fasthttp.RequestCtx, client netip.Addr, trusted bool) Record {
	rec := Record{
		Began:   l.now(),
		Client:  client,
		Trusted: trusted,
		Method:  Sanitize(string(c.Method()), 16),
	}
	if trusted {
		rec.RequestID = Sanitize(string(c.Request.Header.Peek("X-Request-Id")), 64)
	}
	return rec
}

// WriteAnswered completes and writes the record of a request whose whole answer is
// in the response already.
func (l *Log) WriteAnswered(c *fasthttp.RequestCtx, rec Record) {
	rec.Status = c.Response.StatusCode()
	if rec.Outcome == "" {
		rec.Outcome = outcomeComplete
		if rec.Status >= http.StatusBadRequest {
			rec.Outcome = outcomeRefused
		}
	}
	if !c.IsHead() {
		rec.Bytes = int64(len(c.Response.Body()))
	}
	l.Write(&rec)
}

// Write writes the record's line, after the request has ended. The level is INFO,
// and WARN where Err is set. Of many refused requests of one kind only the first have a
// line; the others are counted.
func (l *Log) Write(rec *Record) {
	if isRefusal(rec) && !l.refusals.next(rec) {
		return
	}
	attrs := make([]slog.Attr, 0, 21)
	attrs = append(attrs,
		slog.String("request_id", rec.ID()), slog.String("client", rec.Client.String()),
		slog.String("method", rec.Method), slog.String("route", rec.Route),
		slog.Int("status", rec.Status), slog.String("outcome", rec.Outcome),
		slog.Int64("bytes", rec.Bytes), slog.Int64("duration_us", l.now().Sub(rec.Began).Microseconds()))
	if rec.Recording != 0 {
		attrs = append(attrs, slog.Int64("recording", rec.Recording), slog.Int64("user", rec.User),
			slog.String("cache", rec.Cache.String()), slog.Int64("auth_us", rec.Auth.Microseconds()),
			slog.Int64("catalog_us", rec.Catalog.Microseconds()), slog.Int64("origin_us", rec.Origin.Microseconds()))
	}
	if rec.FirstByte != 0 {
		attrs = append(attrs, slog.Int64("first_byte_us", rec.FirstByte.Microseconds()))
	}
	if rec.Range != "" {
		attrs = append(attrs, slog.String("range", SanitizeRange(rec.Range)))
	}
	if rec.Code != "" {
		attrs = append(attrs, slog.String("code", string(rec.Code)))
	}
	level := slog.LevelInfo
	if rec.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", rec.Err.Error()))
	}
	l.log.LogAttrs(context.Background(), level, "exchange", attrs...)
}

// WritePanic writes a recovered panic with its stack. It has to be called from the
// deferred function that recovered.
func (l *Log) WritePanic(requestID string, p any) {
	l.log.Error("panic", slog.String("request_id", requestID), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
}

// SanitizeRange is Sanitize for a Range header.
func SanitizeRange(s string) string { return Sanitize(s, 64) }

// Sanitize reduces a header's text to what a log may hold: at most limit bytes of
// letters, digits and the punctuation of ranges and ids; "?" replaces the rest.
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
