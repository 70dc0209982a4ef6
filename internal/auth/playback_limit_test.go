package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// startBook is a ledger in memory, for one limit, with what it was asked.
type startBook struct {
	mu     sync.Mutex
	rows   map[int64]startRow
	asked  int
	broken error
}

type startRow struct {
	key startKey
	at  time.Time
}

func (b *startBook) CountStart(_ context.Context, userID, recordingID int64, at time.Time, window, reuse time.Duration, limit int) (media.Start, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.broken != nil {
		return media.Start{}, b.broken
	}
	n := 0
	for _, r := range b.rows {
		if r.key == (startKey{userID, recordingID}) && at.Sub(r.at) < reuse {
			return media.Start{At: r.at}, nil
		}
		if r.key.user == userID && at.Sub(r.at) < window {
			n++
		}
	}
	if n >= limit {
		return media.Start{Wait: 90*time.Second + time.Millisecond}, nil
	}
	id := int64(b.asked)
	b.rows[id] = startRow{startKey{userID, recordingID}, at}
	return media.Start{ID: id, At: at}, nil
}

func (b *startBook) UncountStart(_ context.Context, id int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.rows, id)
	return nil
}

// starting is a Starts on a startBook, with a clock to turn.
func starting(limit int) (s *PlaybackLimiter, b *startBook, now *time.Time, log *strings.Builder) {
	b, now, log = &startBook{rows: map[int64]startRow{}}, &time.Time{}, &strings.Builder{}
	*now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	s = NewPlaybackLimiter(limit, b, func() bool { return false }, slog.New(slog.NewTextHandler(log, nil)), func() time.Time { return *now })
	return s, b, now, log
}

func TestStartsAreCountedOnce(t *testing.T) {
	s, b, now, _ := starting(10)
	direct := func(recording int64, wantAsked int) {
		t.Helper()
		if _, err := s.Count(t.Context(), 5, recording, true); err != nil || b.asked != wantAsked {
			t.Errorf("%v; asked %d times, want %d", err, b.asked, wantAsked)
		}
	}
	if undo, err := s.Count(t.Context(), 5, 1, false); err != nil || undo == nil {
		t.Fatalf("%v", err)
	}
	direct(1, 1) // goes with the grant
	*now = now.Add(10*time.Minute - time.Second)
	direct(1, 1)
	direct(2, 2)
	*now = now.Add(time.Second)
	direct(1, 3) // ten minutes are over
	direct(1, 3)
	if undo, err := s.Count(t.Context(), 5, 1, false); err != nil || undo == nil || b.asked != 4 {
		t.Errorf("a second grant is a start of its own: %v", err)
	}
	if len(b.rows) != 4 {
		t.Errorf("%d starts", len(b.rows))
	}
}

func TestStartsRefuse(t *testing.T) {
	s, _, _, _ := starting(1)
	if _, err := s.Count(t.Context(), 5, 1, false); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a refusal is not cached as a start
		_, err := s.Count(t.Context(), 5, 2, true)
		r := media.RefusalOf(err)
		if r == nil || r.Code != media.CodeThrottled || r.Detail != "Request was throttled. Expected available in 91 seconds." || r.RetryAfter != 91*time.Second {
			t.Errorf("%v", err)
		}
	}
	if _, err := s.Count(t.Context(), 5, 1, true); err != nil {
		t.Errorf("what has started goes on: %v", err)
	}
}

func TestStartsAreTakenBack(t *testing.T) {
	s, b, _, _ := starting(1)
	undo, err := s.Count(t.Context(), 5, 1, true)
	if err != nil || undo == nil {
		t.Fatalf("%v", err)
	}
	undo()
	if len(b.rows) != 0 {
		t.Error("the row is still there")
	}
	if _, err := s.Count(t.Context(), 5, 1, true); err != nil || b.asked != 2 {
		t.Errorf("%v; asked %d times: an uncounted start is cached", err, b.asked)
	}
}

// TestStartsWithoutAStore: nobody is refused, nobody waits for it again and
// again, and the log is not flooded.
func TestStartsWithoutAStore(t *testing.T) {
	s, b, now, log := starting(1)
	b.broken = media.Fault(media.Unavailable, "catalog", errors.New("connection refused"))
	began := *now
	for range 5 {
		if undo, err := s.Count(t.Context(), 5, 1, true); err != nil || undo != nil {
			t.Errorf("%v", err)
		}
	}
	if b.asked != 1 {
		t.Errorf("asked %d times", b.asked)
	}
	*now = now.Add(uncountedReuse)
	if _, err := s.Count(t.Context(), 5, 1, true); err != nil || b.asked != 2 {
		t.Errorf("%v; asked %d times", err, b.asked)
	}
	for _, c := range []struct {
		at       time.Duration // since the first failure
		warnings int
	}{{uncountedReuse, 1}, {50 * time.Second, 1}, {time.Minute, 2}, {2*time.Minute - 1, 2}} {
		*now = began.Add(c.at)
		if _, err := s.Count(t.Context(), 5, int64(c.at), true); err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != c.warnings {
			t.Errorf("%d warnings after %s: %s", n, c.at, log)
		}
	}
	b.asked = 2
	s.unavailable = func() bool { return true }
	if !s.Ready(6, 1) {
		t.Error("known to be away, and not ready")
	}
	if _, err := s.Count(t.Context(), 6, 1, false); err != nil || b.asked != 2 {
		t.Errorf("known to be away: %v, asked %d times", err, b.asked)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s.unavailable = func() bool { return false }
	if _, err := s.Count(gone, 7, 1, true); err == nil {
		t.Error("a start is counted after the client hung up")
	}
}

func TestStartsWithoutALimit(t *testing.T) {
	s, b, _, _ := starting(0)
	if undo, err := s.Count(t.Context(), 5, 1, false); err != nil || undo != nil || b.asked != 0 {
		t.Errorf("%v, asked %d times", err, b.asked)
	}
	if !s.Ready(5, 1) {
		t.Error("not ready without a limit")
	}
}

// TestStartsOfAnotherGateway: a direct stream belongs to the start that another gateway has
// counted, and cannot uncount it.
func TestStartsOfAnotherGateway(t *testing.T) {
	s, b, now, _ := starting(1)
	if _, err := s.Count(t.Context(), 5, 1, false); err != nil {
		t.Fatal(err)
	}
	other := NewPlaybackLimiter(1, b, func() bool { return false }, slog.New(slog.DiscardHandler), func() time.Time { return *now })
	if other.Ready(5, 1) {
		t.Error("ready before it has asked")
	}
	if undo, err := other.Count(t.Context(), 5, 1, true); err != nil || undo != nil || len(b.rows) != 1 {
		t.Errorf("%v, can be uncounted: %t, %d starts", err, undo != nil, len(b.rows))
	}
	if !other.Ready(5, 1) {
		t.Error("not ready after it has asked")
	}
}

// TestStartOfAClientThatLeaves: a start that was counted can be uncounted, although the client
// has gone meanwhile.
func TestStartOfAClientThatLeaves(t *testing.T) {
	s, b, _, _ := starting(1)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	undo, err := s.Count(gone, 5, 1, true)
	if err != nil || undo == nil {
		t.Fatalf("%v", err)
	}
	// A refusal that came meanwhile ends with the start.
	if _, err := s.Count(t.Context(), 5, 1, false); media.RefusalOf(err) == nil {
		t.Fatalf("%v", err)
	}
	undo()
	if len(b.rows) != 0 {
		t.Error("the row is still there")
	}
	if _, err := s.Count(t.Context(), 5, 1, false); err != nil {
		t.Errorf("after the start was uncounted: %v", err)
	}
}

func TestRefusalsKeepWithinTheirMemory(t *testing.T) {
	s, _, now, _ := starting(1)
	for i := range maxStartEntries + 1 {
		s.markRefused(startKey{1, int64(i)}, time.Hour, *now)
		if want := i%maxStartEntries + 1; len(s.refusals) != want {
			t.Fatalf("%d refusals are cached after %d, want %d", len(s.refusals), i+1, want)
		}
	}
	*now = now.Add(refusalTTL)
	if s.refusedFor(startKey{1, maxStartEntries}, *now) != 0 || len(s.refusals) != 0 {
		t.Errorf("%d old refusals are cached", len(s.refusals))
	}
}

func TestStartsKeepWithinTheirMemory(t *testing.T) {
	s, _, now, _ := starting(1 << 30)
	for i := range maxStartEntries + 100 {
		s.markCounted(startKey{1, int64(i)}, now.Add(directReuse), *now)
	}
	if n := len(s.counted); n > maxStartEntries || n < maxStartEntries/2 {
		t.Errorf("%d are cached", n)
	}
	clear(s.counted)
	for i := range maxStartEntries {
		s.markCounted(startKey{1, int64(i)}, now.Add(directReuse), *now)
	}
	s.markCounted(startKey{1, 7}, now.Add(directReuse), *now)
	if n := len(s.counted); n != maxStartEntries {
		t.Errorf("%d are cached, and none was new", n)
	}
	s.markCounted(startKey{2, 0}, now.Add(directReuse), *now)
	if n := len(s.counted); n != maxStartEntries*9/10+1 {
		t.Errorf("%d are cached, want a tenth less than the most", n)
	}
	for i := range maxStartEntries - len(s.counted) {
		s.markCounted(startKey{3, int64(i)}, now.Add(directReuse), *now)
	}
	*now = now.Add(directReuse)
	s.markCounted(startKey{4, 0}, now.Add(directReuse), *now)
	if n := len(s.counted); n != 1 {
		t.Errorf("%d are cached, and all but one are over", n)
	}
	for i := range maxStartEntries {
		s.markCounted(startKey{2, int64(i)}, now.Add(directReuse), *now)
	}
	if n := len(s.counted); n > maxStartEntries {
		t.Errorf("%d are cached", n)
	}
}

func BenchmarkStartsRemembered(b *testing.B) {
	s, _, _, _ := starting(10)
	if _, err := s.Count(b.Context(), 5, 1, true); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Count(b.Context(), 5, 1, true); err != nil {
			b.Fatal(err)
		}
	}
}

// TestARefusalIsCached: who is told to wait and asks again at once is answered
// without the ledger, and asked about again soon after.
func TestARefusalIsCached(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	asked := 0
	ledger := countingLedger(func() (media.Start, error) { asked++; return media.Start{Wait: 90 * time.Second}, nil })
	s := NewPlaybackLimiter(1, ledger, func() bool { return false }, slog.New(slog.DiscardHandler), func() time.Time { return now })
	for _, c := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {time.Second, 1}, {8 * time.Second, 1}, {time.Second, 2}} {
		now = now.Add(c.after)
		if _, err := s.Count(t.Context(), 1, 2, true); media.RefusalOf(err) == nil || asked != c.asked {
			t.Errorf("after %s: %v, asked %d times, want %d", c.after, err, asked, c.asked)
		}
		if !s.Ready(1, 2) || s.Ready(1, 3) {
			t.Error("the cached refusal is not returned")
		}
	}
}

type countingLedger func() (media.Start, error)

func (f countingLedger) CountStart(context.Context, int64, int64, time.Time, time.Duration, time.Duration, int) (media.Start, error) {
	return f()
}
func (f countingLedger) UncountStart(context.Context, int64) error { return nil }
