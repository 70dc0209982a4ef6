package catalog

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lectiospace/lectern/internal/media"
)

// Channel is where changes are announced: NOTIFY lectern_changed.
const Channel = "lectern_changed"

const (
	// listenBackoff doubles up to listenBackoffMax, which is also about how long
	// news may take right after an outage.
	listenBackoff    = 100 * time.Millisecond
	listenBackoffMax = time.Second
	// listenProbe is how long silence is believed. A peer that vanished without a
	// word is noticed only by asking.
	listenProbe = 30 * time.Second
)

// Listen calls changed whenever a change of the catalog is announced, until ctx
// ends, and then returns nil. It keeps one connection of its own and makes it
// anew when it breaks; after each connecting it calls changed too, since
// something may have been missed. changed is called by one goroutine at a time
// and must not block.
//
// On SQLite there is nobody to announce anything: Listen only waits. Behind a
// transaction-mode pooler no announcement arrives, and facts are as fresh as
// their staleness allows.
func (s *Store) Listen(ctx context.Context, changed func()) error {
	if s.dialect == sqlite {
		<-ctx.Done()
		return nil
	}
	wait, away := listenBackoff, false
	for ctx.Err() == nil {
		err := s.listenOnce(ctx, func() {
			if away {
				s.log.Info("catalog: listening for changes again")
			}
			wait, away = listenBackoff, false
			changed()
		}, changed)
		if ctx.Err() != nil {
			break
		}
		if !away {
			s.log.Warn("catalog: not listening for changes, they take effect later until this is over",
				slog.Any("error", fault(ctx, "catalog: listen", err)))
			away = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, listenBackoffMax)
	}
	return nil
}

// listenOnce connects and listens until the connection or ctx ends.
func (s *Store) listenOnce(ctx context.Context, connected, changed func()) error {
	dialing, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(dialing, s.listener.Copy())
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := conn.Close(closing); err != nil {
			s.log.Debug("catalog: closing the listening connection", slog.Any("error", err))
		}
	}()
	if _, err := conn.Exec(dialing, "LISTEN "+Channel); err != nil {
		return err
	}
	connected()
	for {
		waiting, cancel := context.WithTimeout(ctx, listenProbe)
		_, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			changed()
		case ctx.Err() != nil:
			return ctx.Err()
		case waiting.Err() == nil || conn.IsClosed():
			return err
		default:
			if err := s.probe(ctx, conn); err != nil {
				return media.Fault(media.Unavailable, "catalog: listen", err)
			}
		}
	}
}

// probe asks a silent connection for a sign of life.
func (s *Store) probe(ctx context.Context, conn *pgx.Conn) error {
	asking, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return conn.Ping(asking)
}
