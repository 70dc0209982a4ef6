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

// Channel is the channel of change notifications: NOTIFY lectern_changed.
const Channel = "lectern_changed"

const (
	// listenBackoff doubles up to listenBackoffMax, which is also about how late a
	// notification may be right after an outage.
	listenBackoff    = 100 * time.Millisecond
	listenBackoffMax = time.Second
	// listenProbeInterval is how long the connection may be silent before it is probed. A
	// peer that vanished without closing is noticed only that way.
	listenProbeInterval = 30 * time.Second
	// listenTestTimeout is how long a test notification may take to come back. On a busy
	// machine it takes milliseconds; through a pooler it never comes.
	listenTestTimeout = 3 * time.Second
	// noNotificationsRetry is the pause after a connection that receives nothing.
	noNotificationsRetry = time.Minute
	// testPayload begins the payload of a test notification.
	testPayload = "lectern test "
	// sqlitePollInterval is how often SQLite's counter of changes is read.
	sqlitePollInterval = 200 * time.Millisecond
)

// errNoNotifications is a connection that LISTENs and receives nothing.
var errNoNotifications = errors.New("notifications do not arrive: is there a transaction-mode pooler in between?")

// Listen calls changed for every notification of a change, with the table that has
// changed, or "" when the notification does not name it, until ctx ends, and then returns
// nil. It keeps one connection of its own and connects again when that breaks. It calls
// connected after each connecting: the database answers, and notifications may have been
// missed before. Both are called by one goroutine at a time and must not block.
//
// Behind a transaction-mode pooler no notification arrives. Listen finds out by sending
// one to itself, logs that, and tries again every minute; meanwhile entries are as fresh
// as their staleness allows.
//
// SQLite has no notifications. Triggers count the changes of every process there, and
// Listen reads the counter five times a second.
func (s *Store) Listen(ctx context.Context, changed func(table string), connected func()) error {
	if s.dialect == SQLite {
		s.pollSQLite(ctx, changed, connected)
		return nil
	}
	wait, failing := listenBackoff, false
	for ctx.Err() == nil {
		err := s.listenOnce(ctx, changed, connected, func() {
			if failing {
				s.log.Info("catalog: listening for changes again")
			}
			wait, failing = listenBackoff, false
		})
		if ctx.Err() != nil {
			break
		}
		if !failing {
			s.log.Warn("catalog: not listening for changes, they take effect later until this is over",
				slog.Any("error", WrapError(ctx, "catalog: listen", err)))
			failing = true
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

// Pooled reports whether a connection pooler stands between this program and PostgreSQL, and
// whether notifications arrive through it. A pooler makes up the process number of a
// connection, which a query of the server contradicts. Notifications are tested only
// where there is a pooler, which takes three seconds when they do not arrive. SQLite has
// neither.
func (s *Store) Pooled(ctx context.Context) (pooled, notified bool, err error) {
	const op = "catalog: look for a pooler"
	if s.dialect == SQLite {
		return false, true, nil
	}
	connecting, cancel := context.WithTimeoutCause(ctx, LookupTimeout, errOwnDeadline)
	defer cancel()
	conn, err := pgx.ConnectConfig(connecting, s.connConfig.Copy())
	if err != nil {
		return false, false, WrapError(ctx, op, err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	var server uint32
	if err := conn.QueryRow(connecting, `SELECT pg_backend_pid()`).Scan(&server); err != nil {
		return false, false, WrapError(ctx, op, err)
	}
	if server == conn.PgConn().PID() {
		return false, true, nil
	}
	if _, err := conn.Exec(connecting, "LISTEN "+Channel); err != nil {
		return true, false, WrapError(ctx, op, err)
	}
	err = s.testListening(ctx, conn, func(string) {})
	if errors.Is(err, errNoNotifications) {
		return true, false, nil
	}
	return true, err == nil, WrapError(ctx, op, err)
}

// listenOnce connects and listens until the connection or ctx ends. listening is called
// once notifications are known to arrive.
func (s *Store) listenOnce(ctx context.Context, changed func(table string), connected, listening func()) error {
	dialing, cancel := context.WithTimeout(ctx, LookupTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(dialing, s.ConnConfig())
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
	if err := s.testListening(ctx, conn, changed); err != nil {
		return err
	}
	listening()
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

// testListening sends a notification on another connection and waits for it. A pooler
// runs the LISTEN on a server connection that another client uses next.
func (s *Store) testListening(ctx context.Context, conn *pgx.Conn, changed func(table string)) error {
	waiting, cancel := context.WithTimeout(ctx, listenTestTimeout)
	defer cancel()
	own := testPayload + rand.Text()
	if err := s.exec(waiting, s.db, `SELECT pg_notify($1, $2)`, Channel, own); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(waiting)
		switch {
		case err == nil && n.Payload == own:
			return nil
		case err == nil:
			changed(n.Payload)
		case ctx.Err() == nil && waiting.Err() != nil:
			// The LISTEN would stay on the pooler's server connection.
			quitting, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if !conn.IsClosed() {
				_, err = conn.Exec(quitting, "UNLISTEN "+Channel)
				s.log.Debug("catalog: UNLISTEN sent to the pooler", slog.Any("error", err))
			}
			return errNoNotifications
		default:
			return err
		}
	}
}

// probe pings a silent connection.
func (s *Store) probe(ctx context.Context, conn *pgx.Conn) error {
	pinging, cancel := context.WithTimeout(ctx, LookupTimeout)
	defer cancel()
	return conn.Ping(pinging)
}

// pollSQLite calls changed when the counter of changes has another value than before, and
// connected when it can be read for the first time or again after a failure.
func (s *Store) pollSQLite(ctx context.Context, changed func(table string), connected func()) {
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
		if err := s.Row(ctx, "catalog: poll for changes", `SELECT n FROM lectern_changes WHERE id = 1`, nil, &n); err != nil {
			known = -1
			s.log.Debug("catalog: poll for changes failed", slog.Any("error", err))
			continue
		}
		switch {
		case known < 0:
			connected()
		case n != known:
			changed("")
		}
		known = n
	}
}
