package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
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
	listenProbeInterval = 30 * time.Second
	// listenTest is how long an announcement of our own may take to come back. On
	// a busy machine it takes milliseconds; through a pooler it never comes.
	listenTestTimeout = 3 * time.Second
	// listenDeaf is how long to wait with the next try where announcements do not
	// come through.
	noNotificationsRetry = time.Minute
	// testPayload begins what is announced only to see whether it comes back.
	testPayload = "lectern test "
	// lookAtSQLite is how often SQLite's count of changes is looked at.
	sqlitePollInterval = 200 * time.Millisecond
)

// errDeaf is a connection that LISTENs and hears nothing.
var errNoNotifications = errors.New("announcements do not come through: is there a transaction-mode pooler in between?")

// Listen calls changed whenever a change of the catalog is announced, with the
// table that has changed, or "" when nobody says which, until ctx ends, and then
// returns nil. It keeps one connection of its own and makes it
// anew when it breaks; after each connecting it calls changed too, since
// something may have been missed. changed is called by one goroutine at a time
// and must not block.
//
// Behind a transaction-mode pooler no announcement arrives. Listen notices by one
// of its own, says so, and tries again every minute; meanwhile facts are as
// fresh as their staleness allows.
//
// On SQLite there is nobody to announce anything, but triggers count the changes,
// whichever process makes them, and Listen looks at the number five times a second.
func (s *Store) Listen(ctx context.Context, changed func(table string)) error {
	if s.dialect == SQLite {
		s.pollSQLite(ctx, changed)
		return nil
	}
	wait, away := listenBackoff, false
	for ctx.Err() == nil {
		err := s.listenOnce(ctx, changed, func() {
			if away {
				s.log.Info("catalog: listening for changes again")
			}
			wait, away = listenBackoff, false
		})
		if ctx.Err() != nil {
			break
		}
		if !away {
			s.log.Warn("catalog: not listening for changes, they take effect later until this is over",
				slog.Any("error", WrapError(ctx, "catalog: listen", err)))
			away = true
		}
		if errors.Is(err, errNoNotifications) {
			wait = noNotificationsRetry
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, listenBackoffMax)
	}
	return nil
}

// listenOnce connects and listens until the connection or ctx ends. heard is
// called once announcements are known to come through.
func (s *Store) listenOnce(ctx context.Context, changed func(table string), heard func()) error {
	dialing, cancel := context.WithTimeout(ctx, LookupTimeout)
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
	changed("")
	if err := s.testListening(ctx, conn, changed); err != nil {
		return err
	}
	heard()
	for {
		waiting, cancel := context.WithTimeout(ctx, listenProbeInterval)
		n, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil && strings.HasPrefix(n.Payload, testPayload): // another gateway's
		case err == nil:
			changed(n.Payload)
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

// testListening announces something on another connection and waits for it. A
// pooler hands the LISTEN to a server connection that is then somebody else's.
func (s *Store) testListening(ctx context.Context, conn *pgx.Conn, changed func(table string)) error {
	waiting, cancel := context.WithTimeout(ctx, listenTestTimeout)
	defer cancel()
	mine := testPayload + rand.Text()
	if err := s.exec(waiting, s.db, `SELECT pg_notify($1, $2)`, Channel, mine); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(waiting)
		switch {
		case err == nil && n.Payload == mine:
			return nil
		case err == nil:
			changed(n.Payload)
		case ctx.Err() == nil && waiting.Err() != nil:
			// Where the pooler has put our LISTEN, it would stay.
			quitting, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if !conn.IsClosed() {
				_, err = conn.Exec(quitting, "UNLISTEN "+Channel)
				s.log.Debug("catalog: no longer listening in vain", slog.Any("error", err))
			}
			return errNoNotifications
		default:
			return err
		}
	}
}

// probe asks a silent connection for a sign of life.
func (s *Store) probe(ctx context.Context, conn *pgx.Conn) error {
	asking, cancel := context.WithTimeout(ctx, LookupTimeout)
	defer cancel()
	return conn.Ping(asking)
}

// watchSQLite calls changed when the number of changes is another than before,
// and when it can be read again after it could not.
func (s *Store) pollSQLite(ctx context.Context, changed func(table string)) {
	tick := time.NewTicker(sqlitePollInterval)
	defer tick.Stop()
	known := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := int64(-1)
		if err := s.Row(ctx, "catalog: look for changes", `SELECT n FROM lectern_changes WHERE id = 1`, nil, &n); err != nil {
			n = -1
			s.log.Debug("catalog: looking for changes", slog.Any("error", err))
		}
		if n != known {
			known = n
			changed("")
		}
	}
}
