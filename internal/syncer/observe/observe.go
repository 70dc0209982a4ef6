// Package observe is the mode in which a syncer watches and does not act: it takes
// webhooks, lists, matches and plans, and says what it would do. An operator who runs
// Lectern beside a platform for a while sees so what it is going to change.
package observe

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lectiospace/lectern/internal/media"
)

// Wait is how long a job waits that cannot be done before the syncer acts again.
const Wait = 30 * time.Minute

// maxSaid bounds what an Observer remembers; beyond it things are logged again.
const maxSaid = 100_000

// Observer says what a syncer would do, each thing once. A nil Observer is that of a
// syncer that acts. It is safe for concurrent use.
type Observer struct {
	log *slog.Logger

	mu   sync.Mutex
	said map[string]bool // guarded by mu
}

// New makes an Observer that writes to a log.
func New(log *slog.Logger) *Observer { return &Observer{log: log, said: map[string]bool{}} }

// On reports whether the syncer observes. Then nothing of the platform's, no archive and
// nothing at Zoom may change.
func (o *Observer) On() bool { return o != nil }

// Would logs a thing that the syncer would do, unless it has logged the same thing before.
func (o *Observer) Would(ctx context.Context, what string, about ...slog.Attr) {
	if o == nil {
		return
	}
	key := what
	for _, a := range about {
		key += "\x00" + a.String()
	}
	o.mu.Lock()
	known := o.said[key]
	if len(o.said) >= maxSaid {
		clear(o.said)
	}
	o.said[key] = true
	o.mu.Unlock()
	if !known {
		o.log.LogAttrs(ctx, slog.LevelInfo, "observe: would "+what, about...)
	}
}

// Refuse is the error of a command that only acts; nil where the syncer acts.
func (o *Observer) Refuse(op string) error {
	if o == nil {
		return nil
	}
	return media.Faultf(media.Denied, op, "sync-mode is observe, in which nothing is changed: set it to active first")
}
