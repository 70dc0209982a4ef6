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
	// startWindow is what a user's starts are counted in.
	startWindow = time.Hour
	// directReuse is how long a direct stream, one with an access token, goes with an
	// earlier start of its user and recording: a player's many range requests are
	// one start.
	directReuse = 10 * time.Minute
	// unknownReuse is how long a start that could not be counted is left alone.
	unknownReuse = 10 * time.Second
	// maxRememberedStarts bounds the memory to a few MB.
	maxRememberedStarts = 1 << 16
	uncountTimeout      = 3 * time.Second
	// refusedFor bounds how long a refusal is given again without a question.
	refusedFor = 10 * time.Second
)

// StartLedger counts starts for all gateways of a database together.
type StartLedger interface {
	CountStart(ctx context.Context, userID, recordingID int64, at time.Time, window, reuse time.Duration, limit int) (media.Start, error)
	UncountStart(ctx context.Context, id int64) error
}

// Starts limits how many playbacks a user may start in any trailing hour.
//
// While the ledger cannot be reached starts are not counted: the limit keeps
// costs down, it is not what keeps people out, and who may watch then is decided
// by AUTH_OUTAGE_GRACE. Safe for concurrent use.
type Starts struct {
	limit  int // 0 = none
	ledger StartLedger
	away   func() bool
	log    *slog.Logger
	now    func() time.Time

	mu    sync.Mutex             // guards what follows; nothing is asked under it
	known map[startKey]time.Time // until when a direct stream needs no counting
	spent map[startKey]refusal   // starts that were refused
	told  time.Time              // when a failure was last told of
}

// refusal is the ledger's no: heard at a moment, and good until another.
type refusal struct{ heard, until time.Time }

// startKey is what a direct stream's start goes by.
type startKey struct{ user, recording int64 }

// NewStarts makes the counter; a limit of 0 lets everybody start at will. away
// tells when there is no point in asking the ledger.
func NewStarts(limit int, ledger StartLedger, away func() bool, log *slog.Logger, now func() time.Time) *Starts {
	return &Starts{limit: limit, ledger: ledger, away: away, log: log, now: now, known: map[startKey]time.Time{}, spent: map[startKey]refusal{}}
}

// Count counts a start, or refuses it with CodeThrottled. A direct one goes with
// an earlier start of the same user and recording within ten minutes; that it
// does is remembered, so that range requests ask nobody. undo, when not nil, takes
// back what this call has counted.
func (s *Starts) Count(ctx context.Context, userID, recordingID int64, direct bool) (undo func(), err error) {
	if s.limit == 0 || s.away() {
		return nil, nil
	}
	key, now := startKey{userID, recordingID}, s.now()
	reuse := time.Duration(0)
	if direct {
		if s.remembered(key, now) {
			return nil, nil
		}
		reuse = directReuse
	}
	if wait := s.refused(key, now); wait > 0 {
		return nil, throttled(wait)
	}
	start, err := s.ledger.CountStart(ctx, userID, recordingID, now, startWindow, reuse, s.limit)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, err // the one who asked is gone
	case err != nil:
		s.tell(err, now)
		s.remember(key, now.Add(unknownReuse), now)
		return nil, nil
	case start.Wait > 0:
		s.refuse(key, start.Wait, now)
		return nil, throttled(start.Wait)
	}
	s.remember(key, start.At.Add(directReuse), now)
	if start.ID == 0 {
		return nil, nil
	}
	return func() { s.uncount(ctx, key, start.ID) }, nil
}

// throttled is the platform's refusal, with whole seconds, rounded up as it does.
func throttled(wait time.Duration) *media.Refusal {
	seconds := int64(math.Ceil(wait.Seconds()))
	r := media.Refuse(media.CodeThrottled, fmt.Sprintf("Request was throttled. Expected available in %d seconds.", seconds))
	r.RetryAfter = time.Duration(seconds) * time.Second
	return r
}

func (s *Starts) remembered(key startKey, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.known[key])
}

// Ready reports whether Count answers for a direct stream without a question, so
// that there is nothing to wait for.
func (s *Starts) Ready(userID, recordingID int64) bool {
	key, now := startKey{userID, recordingID}, s.now()
	return s.limit == 0 || s.away() || s.remembered(key, now) || s.refused(key, now) > 0
}

// refused is how long a start has still to wait, 0 when that has to be asked.
func (s *Starts) refused(key startKey, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.spent[key]
	if !ok {
		return 0
	}
	if now.Sub(r.heard) >= refusedFor || !now.Before(r.until) {
		delete(s.spent, key)
		return 0
	}
	return r.until.Sub(now)
}

func (s *Starts) refuse(key startKey, wait time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spent) >= maxRememberedStarts {
		clear(s.spent)
	}
	s.spent[key] = refusal{heard: now, until: now.Add(wait)}
}

// remember may forget others to make room: that costs a question each.
func (s *Starts) remember(key startKey, until, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.known[key]; !ok && len(s.known) >= maxRememberedStarts {
		for k, end := range s.known {
			if !now.Before(end) || len(s.known) > maxRememberedStarts*9/10 {
				delete(s.known, k)
			}
		}
	}
	s.known[key] = until
}

// uncount forgets first: whoever asks meanwhile is counted anew.
func (s *Starts) uncount(ctx context.Context, key startKey, id int64) {
	s.mu.Lock()
	delete(s.known, key)
	delete(s.spent, key)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), uncountTimeout)
	defer cancel()
	if err := s.ledger.UncountStart(ctx, id); err != nil {
		s.log.Debug("a start of playback stays counted", slog.Any("error", err))
	}
}

// tell logs that starts are not counted, once a minute at most.
func (s *Starts) tell(err error, now time.Time) {
	s.mu.Lock()
	silent := now.Sub(s.told) < time.Minute
	if !silent {
		s.told = now
	}
	s.mu.Unlock()
	if !silent {
		s.log.Warn("starts of playback cannot be counted, so they are not limited", slog.Any("error", err))
	}
}
