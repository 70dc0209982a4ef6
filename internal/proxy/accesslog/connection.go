package accesslog

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// playbackInterval is how long the ranges of a playback are summed before their line is
// written.
const playbackInterval = 10 * time.Second

// Connection writes the records of one connection's streams. A player reads a recording in
// many ranges, hundreds a second when it downloads: the first has a line at once, those that
// follow it on the connection within playbackInterval are summed into one line. It is written
// when the interval ends, when the connection closes or serves another playback, and by
// Log.Flush. What is refused, fails or breaks off has a line of its own always.
//
// Safe for concurrent use.
type Connection struct {
	log *Log

	mu    sync.Mutex
	first playbackFirst // guarded by mu, like all that follows
	sum   playbackSum   // of the ranges after first
	timer *time.Timer   // ends the interval; nil while nothing is summed
}

// playbackFirst is what the ranges of a line have in common, and the first of them.
type playbackFirst struct {
	requestID       string
	began           time.Time // the zero Time: no playback has begun
	client          netip.Addr
	route           string
	recording, user int64
}

// playbackSum is what the line of a playback says.
type playbackSum struct {
	requests, bytes int64
	heads           int64 // of the requests
	began, ended    time.Time
	firstRange      string // as requested
	lastRange       string
	slowestByte     time.Duration
	origin          time.Duration
	cache           [media.CacheStatuses]int64
}

// Connection returns the writer of a new connection's records. Close it when the connection
// has closed.
func (l *Log) Connection() *Connection { return &Connection{log: l} }

// Write writes the record of a stream that has ended, or adds it to the playback's sum.
func (c *Connection) Write(rec *Record) {
	if !c.log.perPlayback || !summable(rec) {
		c.log.Write(rec)
		return
	}
	now := c.log.now()
	c.mu.Lock()
	if c.first.covers(rec, now) && c.startTimer() {
		c.sum.add(rec, now)
		c.mu.Unlock()
		return
	}
	first, sum := c.take()
	c.first = playbackFirst{
		requestID: rec.ID(), began: now, client: rec.Client, route: rec.Route, recording: rec.Recording, user: rec.User,
	}
	c.mu.Unlock()
	c.log.writePlayback(first, sum)
	c.log.Write(rec)
}

// Close writes what is summed. It may be called again.
func (c *Connection) Close() {
	c.mu.Lock()
	first, sum := c.take()
	c.mu.Unlock()
	c.log.writePlayback(first, sum)
}

// take ends the interval and returns what was summed in it; mu is held.
func (c *Connection) take() (playbackFirst, playbackSum) {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
		c.log.open.remove(c)
	}
	first, sum := c.first, c.sum
	c.first, c.sum = playbackFirst{}, playbackSum{}
	return first, sum
}

// startTimer has the sum written at the end of the interval. It reports false after the
// log's Flush, when nothing may be summed any more; mu is held.
func (c *Connection) startTimer() bool {
	if c.timer != nil {
		return true
	}
	if !c.log.open.add(c) {
		return false
	}
	c.timer = time.AfterFunc(playbackInterval, c.Close)
	return true
}

// summable reports whether a record may be part of a sum: bytes that were sent in full, and
// the HEAD by which a player checks every two seconds that it may continue.
func summable(rec *Record) bool {
	return (rec.Status == http.StatusPartialContent || rec.Status == http.StatusOK) &&
		rec.Outcome == outcomeComplete && rec.Err == nil && (rec.Method == http.MethodGet || rec.Method == http.MethodHead) && rec.Recording != 0
}

// covers reports whether a record belongs to the playback and its interval.
func (f *playbackFirst) covers(rec *Record, now time.Time) bool {
	return rec.Recording == f.recording && rec.User == f.user && rec.Client == f.client && rec.Route == f.route &&
		now.Sub(f.began) < playbackInterval
}

// maxRange is more of a Range, in bytes, than a line shows.
const maxRange = 128

// shown is the part of a Range that a line can show. A sum that is open keeps no more of it.
func shown(header string) string {
	if len(header) <= maxRange {
		return header
	}
	return strings.Clone(header[:maxRange])
}

func (s *playbackSum) add(rec *Record, now time.Time) {
	if s.requests == 0 {
		s.began = rec.Began
	}
	s.requests++
	s.ended = now
	if rec.Method == http.MethodHead {
		s.heads++
		return // it has no bytes, and its Range is ignored
	}
	if s.requests == s.heads+1 {
		s.firstRange = shown(rec.Range)
	}
	s.bytes += rec.Bytes
	s.lastRange = shown(rec.Range)
	s.slowestByte = max(s.slowestByte, rec.FirstByte)
	s.origin += rec.Origin
	s.cache[rec.Cache]++
}

// writePlayback writes the line of a sum, unless nothing was summed.
func (l *Log) writePlayback(first playbackFirst, s playbackSum) {
	if s.requests == 0 {
		return
	}
	l.log.LogAttrs(context.Background(), slog.LevelInfo, "playback",
		slog.String("request_id", first.requestID), slog.String("client", first.client.String()), slog.String("route", first.route),
		slog.Int64("recording", first.recording), slog.Int64("user", first.user),
		slog.Int64("requests", s.requests), slog.Int64("bytes", s.bytes), slog.Int64("duration_us", s.ended.Sub(s.began).Microseconds()),
		slog.String("first_range", SanitizeRange(s.firstRange)), slog.String("last_range", SanitizeRange(s.lastRange)),
		slog.Int64("slowest_first_byte_us", s.slowestByte.Microseconds()), slog.Int64("origin_us", s.origin.Microseconds()),
		slog.Int64("hits", s.cache[media.CacheHit]), slog.Int64("partial", s.cache[media.CachePartial]),
		slog.Int64("misses", s.cache[media.CacheMiss]), slog.Int64("bypassed", s.cache[media.CacheBypass]))
}

// openSums are the connections with a sum that is not written. Safe for concurrent use.
type openSums struct {
	mu      sync.Mutex
	set     map[*Connection]struct{} // guarded by mu
	flushed bool                     // nothing is summed any more; guarded by mu
}

func (o *openSums) add(c *Connection) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.flushed {
		return false
	}
	if o.set == nil {
		o.set = map[*Connection]struct{}{}
	}
	o.set[c] = struct{}{}
	return true
}

func (o *openSums) remove(c *Connection) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.set, c)
}

// flush writes all sums and has no more begin.
func (o *openSums) flush() {
	o.mu.Lock()
	all := make([]*Connection, 0, len(o.set))
	for c := range o.set {
		all = append(all, c)
	}
	o.flushed = true
	o.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}
