package ingest_test

import (
	"sync/atomic"
	"time"

	"github.com/lectiospace/lectern/internal/syncer/syncertest"
)

// offsetClock is the syncer's clock, ahead of the machine's by what was added.
type offsetClock struct{ ahead atomic.Int64 }

func (c *offsetClock) add(d time.Duration) { c.ahead.Add(int64(d)) }

func (c *offsetClock) option(s *syncertest.Server) {
	s.Deps.Now = func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
}
