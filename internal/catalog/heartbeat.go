package catalog

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// heartbeatInterval is the pause between two heartbeats of a gateway.
	heartbeatInterval = 10 * time.Second
	// aliveFor is how old the last heartbeat of a gateway may be that counts as alive: two
	// may be late.
	aliveFor = 3 * heartbeatInterval
	// silentRetention is how long the row of a gateway that was killed stays.
	silentRetention = 24 * time.Hour
)

// Heartbeat registers this gateway in the database and notes at intervals that it is
// alive: a restore must not replace what a running gateway works with. An unavailable
// database is no fault, the next heartbeat registers again.
type Heartbeat struct {
	store            *Store
	version, address string
	now              func() time.Time

	id     string
	cancel context.CancelFunc // ends the goroutine
	done   chan struct{}      // closed when it has ended
	stop   sync.Once
}

// NewHeartbeat makes the heartbeat of a gateway of a version with a public address.
func NewHeartbeat(s *Store, version, address string, now func() time.Time) *Heartbeat {
	return &Heartbeat{store: s, version: version, address: address, now: now,
		id: processPrefix() + rand.Text()[:8], done: make(chan struct{})}
}

// processPrefix begins the ids of this process's gateways.
func processPrefix() string {
	host, _ := os.Hostname() // "" does as well
	return fmt.Sprintf("%s/%d/", host, os.Getpid())
}

// Start registers the gateway and starts the heartbeat. Only Stop ends it.
func (h *Heartbeat) Start(ctx context.Context) {
	ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(h.done)
		ticker := time.NewTicker(heartbeatInterval)
		defer ticker.Stop()
		for {
			if err := h.beat(ctx); err != nil && ctx.Err() == nil {
				h.store.log.Debug("catalog: heartbeat not written", slog.Any("error", err))
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Stop ends the heartbeat and deregisters the gateway. A second call does nothing.
func (h *Heartbeat) Stop() {
	h.stop.Do(func() {
		h.cancel()
		<-h.done
		err := h.store.UpdateWithin(context.Background(), "catalog: deregister", LookupTimeout, func(ctx context.Context, x Session) error {
			_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_gateways WHERE id = $1`, h.id)
			return err
		})
		if err != nil {
			h.store.log.Debug("catalog: gateway not deregistered", slog.Any("error", err))
		}
	})
}

// Gateway is one that was alive at BeatAt.
type Gateway struct {
	ID, Version string
	Address     string // public
	BeatAt      time.Time
}

// Gateways are all that have not deregistered, by their ids. The row of one that was
// killed stays for a day.
func Gateways(ctx context.Context, x Session) ([]Gateway, error) {
	var out []Gateway
	err := x.Each(ctx, `SELECT id, version, address, beat_at FROM lectern.lectern_gateways ORDER BY id`, nil, func(scan func(...any) error) error {
		var (
			g  Gateway
			at DBTime
		)
		err := scan(&g.ID, &g.Version, &g.Address, &at)
		g.BeatAt = at.Time
		out = append(out, g)
		return err
	})
	return out, err
}

// OtherGateways returns how many gateways of other processes are alive. One that was killed
// counts for half a minute.
func (s *Store) OtherGateways(ctx context.Context, now time.Time) (n int, err error) {
	err = s.ViewWithin(ctx, "catalog: gateways", LookupTimeout, func(ctx context.Context, x Session) error {
		all, err := Gateways(ctx, x)
		for _, g := range all {
			if now.Sub(g.BeatAt) < aliveFor && !strings.HasPrefix(g.ID, processPrefix()) {
				n++
			}
		}
		return err
	})
	return n, err
}

func (h *Heartbeat) beat(ctx context.Context) error {
	return h.store.UpdateWithin(ctx, "catalog: heartbeat", LookupTimeout, func(ctx context.Context, x Session) error {
		now := h.now()
		_, err := x.Exec(ctx, `DELETE FROM lectern.lectern_gateways WHERE beat_at < $1`, NewDBTime(now.Add(-silentRetention)))
		if err != nil {
			return err
		}
		_, err = x.Exec(ctx, `INSERT INTO lectern.lectern_gateways (id, version, address, started_at, beat_at) VALUES ($1, $2, $3, $4, $4)
			ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at`, h.id, h.version, h.address, NewDBTime(now))
		return err
	})
}
