package accesslog

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

const (
	// refusalInterval is how long refused requests are counted together.
	refusalInterval = 10 * time.Second
	// refusalsLogged is how many of one kind have a line each in an interval. Anybody can
	// send requests that are refused, and could fill the disk with lines otherwise.
	refusalsLogged = 20
	// maxRefusalKinds bounds the kinds of an interval, which are few: codes and statuses
	// are closed sets.
	maxRefusalKinds = 256
)

// refusalKind is what refused requests have in common when they are counted together.
type refusalKind struct {
	status int
	code   media.Code
}

// refusals counts the refused requests of an interval. Safe for concurrent use.
type refusals struct {
	log *slog.Logger

	mu     sync.Mutex
	counts map[refusalKind]int // of the running interval; guarded by mu
	timer  *time.Timer         // ends the interval, nil while none runs; guarded by mu
}

// isRefusal reports whether a record is one that anybody may cause any number of: the
// client's mistake, and no failure of ours.
func isRefusal(rec *Record) bool {
	return rec.Err == nil && rec.Status >= http.StatusBadRequest && rec.Status < http.StatusInternalServerError && rec.Outcome == outcomeRefused
}

// next counts a refused request, and reports whether it has a line of its own.
func (r *refusals) next(rec *Record) bool {
	kind := refusalKind{rec.Status, rec.Code}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil {
		r.timer = time.AfterFunc(refusalInterval, r.flush)
	}
	if _, known := r.counts[kind]; !known && len(r.counts) >= maxRefusalKinds {
		kind = refusalKind{status: rec.Status}
	}
	r.counts[kind]++
	return r.counts[kind] <= refusalsLogged
}

// flush ends the interval, and writes for each kind how many requests had no line.
func (r *refusals) flush() {
	r.mu.Lock()
	counts := r.counts
	r.counts = map[refusalKind]int{}
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	r.mu.Unlock()
	for kind, n := range counts {
		if n > refusalsLogged {
			r.log.LogAttrs(context.Background(), slog.LevelInfo, "refused requests omitted",
				slog.Int("status", kind.status), slog.String("code", string(kind.code)), slog.Int("omitted", n-refusalsLogged))
		}
	}
}
