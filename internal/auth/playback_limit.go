package auth

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	// startWindow is the trailing time in which a user's starts are counted.
	startWindow = time.Hour
	// directReuse is how long a direct stream, one with an access token, belongs to an
	// earlier start of its user and recording: the many range requests of a player are one
	// start.
	directReuse = 10 * time.Minute
	// uncountedReuse is how long a start that could not be counted is not tried again.
	uncountedReuse = 10 * time.Second
	// maxStartEntries bounds the memory to a few MB.
	maxStartEntries = 1 << 16
	uncountTimeout  = 3 * time.Second
	// refusalTTL bounds how long a refusal is repeated without asking the store.
	refusalTTL = 10 * time.Second
)

// StartStore counts starts for all gateways of a database together.
type StartStore interface {
	CountStart(ctx context.Context, userID, recordingID int64, at time.Time, window, reuse time.Duration, limit int) (media.Start, error)
	UncountStart(ctx context.Context, id int64) error
}

// PlaybackLimiter limits how many playbacks a user may start in any trailing hour.
//
// While the store is unavailable starts are not counted: the limit bounds costs and is not
// an access rule, and AUTH_OUTAGE_GRACE decides who may watch then. Safe for concurrent
// use.
type PlaybackLimiter struct {
	limit       int // 0 = none
	store       StartStore
	unavailable func() bool
	log         *slog.Logger
	now         func() time.Time

	mu       sync.Mutex                 // guards what follows; no I/O under it
	counted  map[startKey]time.Time     // until when a direct stream needs no counting
	refusals map[startKey]cachedRefusal // starts that were refused
	logged   time.Time                  // when a failure was last logged
}

// cachedRefusal is a refusal of the store: when it came and when the user may start again.
type cachedRefusal struct{ received, until time.Time }

// startKey identifies the start that a direct stream belongs to.
type startKey struct{ user, recording int64 }

// NewPlaybackLimiter makes a limiter; 0 means no limit. While unavailable reports true the
// store is not asked.
func NewPlaybackLimiter(limit int, ledger StartStore, away func() bool, log *slog.Logger, now func() time.Time) *PlaybackLimiter {
	return &PlaybackLimiter{limit: limit, store: ledger, unavailable: away, log: log, now: now, counted: map[startKey]time.Time{}, refusals: map[startKey]cachedRefusal{}}
}

// Count counts a start, or refuses it with CodeThrottled. A direct one belongs to an
// earlier start of the same user and recording within ten minutes, which is cached, so
// that range requests do not reach the store. undo, when not nil, uncounts what this call
// has counted.
func (s *PlaybackLimiter) Count(ctx context.Context, userID, recordingID int64, direct bool) (undo func(), err error) {
	if s.limit == 0 || s.unavailable() {
		return nil, nil
	}
	key, now := startKey{userID, recordingID}, s.now()
	reuse := time.Duration(0)
	if direct {
		if s.isCounted(key, now) {
			return nil, nil
		}
		reuse = directReuse
	}
	if wait := s.refusedFor(key, now); wait > 0 {
		return nil, throttled(wait)
	}
	start, err := s.store.CountStart(ctx, userID, recordingID, now, startWindow, reuse, s.limit)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, err // the client is gone
	case err != nil:
		s.logFailure(err, now)
		s.markCounted(key, now.Add(uncountedReuse), now)
		return nil, nil
	case start.Wait > 0:
		s.markRefused(key, start.Wait, now)
		return nil, throttled(start.Wait)
	}
	s.markCounted(key, start.At.Add(directReuse), now)
	if start.ID == 0 {
		return nil, nil
	}
	return func() { s.uncount(ctx, key, start.ID) }, nil
}

// throttled is the platform's refusal, with whole seconds, rounded up as there.
func throttled(wait time.Duration) *media.Refusal {
	seconds := int64(math.Ceil(wait.Seconds()))
	r := media.Refuse(media.CodeThrottled, fmt.Sprintf("Request was throttled. Expected available in %d seconds.", seconds))
	r.RetryAfter = time.Duration(seconds) * time.Second
	return r
}

func (s *PlaybackLimiter) isCounted(key startKey, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.counted[key])
}

// Ready reports whether Count answers for a direct stream without asking the store.
func (s *PlaybackLimiter) Ready(userID, recordingID int64) bool {
	key, now := startKey{userID, recordingID}, s.now()
	return s.limit == 0 || s.unavailable() || s.isCounted(key, now) || s.refusedFor(key, now) > 0
}

// refusedFor is how long a start has still to wait, 0 when the store has to be asked.
func (s *PlaybackLimiter) refusedFor(key startKey, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.refusals[key]
	if !ok {
		return 0
	}
	if now.Sub(r.received) >= refusalTTL || !now.Before(r.until) {
		delete(s.refusals, key)
		return 0
	}
	return r.until.Sub(now)
}

func (s *PlaybackLimiter) markRefused(key startKey, wait time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refusals) >= maxStartEntries {
		clear(s.refusals)
	}
	s.refusals[key] = cachedRefusal{received: now, until: now.Add(wait)}
}

// markCounted may evict others to make room, which costs one request to the store each.
func (s *PlaybackLimiter) markCounted(key startKey, until, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.counted[key]; !ok && len(s.counted) >= maxStartEntries {
		for k, end := range s.counted {
			if !now.Before(end) || len(s.counted) > maxStartEntries*9/10 {
				delete(s.counted, k)
			}
		}
	}
	s.counted[key] = until
}

// uncount clears the cache first: a start that comes meanwhile is counted anew.
func (s *PlaybackLimiter) uncount(ctx context.Context, key startKey, id int64) {
	s.mu.Lock()
	delete(s.counted, key)
	delete(s.refusals, key)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), uncountTimeout)
	defer cancel()
	if err := s.store.UncountStart(ctx, id); err != nil {
		s.log.Debug("playback limit: a start stays counted", slog.Any("error", err))
	}
}

// logFailure logs that starts are not counted, once a minute at most.
func (s *PlaybackLimiter) logFailure(err error, now time.Time) {
	s.mu.Lock()
	silent := now.Sub(s.logged) < time.Minute
	if !silent {
		s.logged = now
	}
	s.mu.Unlock()
	if !silent {
		s.log.Warn("playback limit: starts cannot be counted, so they are not limited", slog.Any("error", err))
	}
}
