package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/zoom"
)

// The states of an event.
const (
	EventNew     = "new"     // its job processes it
	EventDone    = "done"    // processed
	EventIgnored = "ignored" // nothing is to be done
)

// Event is an authentic webhook.
type Event struct {
	ID          int64
	Identity    string
	Name        string
	AccountID   string
	TeacherID   int64 // of the tenant it came through; 0 = none
	MeetingUUID string
	Time        int64 // event_ts, milliseconds
	ReceivedAt  time.Time
	Body        string // without secrets
	SealedToken string
	State       string // EventNew, EventDone, EventIgnored
	Note        string
}

// AddedEvent is what AddEvents did with an event.
type AddedEvent struct {
	ID int64
	// New: it was not known.
	New bool
	// Again: it was known and has to be looked at once more. The same thing happened again
	// (a later event_ts), or a link or the token is another.
	Again bool
}

// AddEvents keeps events in their order unless they are known, and returns what became of
// each. Of a known one the later delivery's body, with its links, and its token replace the
// earlier ones. All that are new are one statement, however many; identical ones among
// events are deliveries of one.
func AddEvents(ctx context.Context, x Session, events []Event) ([]AddedEvent, error) {
	inserted, err := insertUnknown(ctx, x, events)
	if err != nil {
		return nil, err
	}
	added := make([]AddedEvent, len(events))
	for i, e := range events {
		if id, ok := inserted[e.Identity]; ok {
			added[i] = AddedEvent{ID: id, New: true}
			delete(inserted, e.Identity) // what is identical and follows was delivered again
			continue
		}
		if added[i], err = deliverAgain(ctx, x, e); err != nil {
			return nil, err
		}
	}
	return added, nil
}

// insertUnknown inserts the events that are not known, the first of identical ones, and
// returns their ids by identity.
func insertUnknown(ctx context.Context, x Session, events []Event) (map[string]int64, error) {
	const columns = 10
	rows, args := make([]string, len(events)), make([]any, 0, columns*len(events))
	for i, e := range events {
		row := make([]string, columns)
		for c := range row {
			row[c] = "$" + strconv.Itoa(columns*i+c+1)
		}
		rows[i] = "(" + strings.Join(row, ", ") + ")"
		args = append(args, e.Identity, clip(e.Name, 200), e.AccountID, e.TeacherID, e.MeetingUUID, e.Time, stamp(e.ReceivedAt), e.Body, e.SealedToken, e.State)
	}
	ids := make(map[string]int64, len(events))
	err := x.Each(ctx, `INSERT INTO lectern.lectern_zoom_events
			(identity, event, account_id, teacher_id, meeting_uuid, event_ts, received_at, body, sealed_token, state)
		VALUES `+strings.Join(rows, ", ")+`
		ON CONFLICT (identity) DO NOTHING RETURNING id, identity`, args, func(scan func(...any) error) error {
		var (
			id       int64
			identity string
		)
		err := scan(&id, &identity)
		ids[identity] = id
		return err
	})
	return ids, err
}

// deliverAgain notes one more delivery of a known event.
func deliverAgain(ctx context.Context, x Session, e Event) (AddedEvent, error) {
	var (
		a      AddedEvent
		before int64
		body   string
	)
	if err := x.One(ctx, `SELECT id, event_ts, body FROM lectern.lectern_zoom_events WHERE identity = $1`, []any{e.Identity}, &a.ID, &before, &body); err != nil {
		return a, err
	}
	// Two subscriptions deliver one event at one time with a token each.
	recorded := e.Name == zoom.EventCompleted || e.Name == zoom.EventTranscriptCompleted
	a.Again = e.Time > before || e.Time == before && recorded && (e.SealedToken != "" || e.Body != body)
	if e.Time < before { // an earlier delivery that comes late has older links
		e.Body, e.SealedToken = body, ""
	}
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_events SET deliveries = deliveries + 1, event_ts = CASE WHEN event_ts < $2 THEN $2 ELSE event_ts END,
			sealed_token = CASE WHEN $3 = '' THEN sealed_token ELSE $3 END, body = $4 WHERE id = $1`, a.ID, e.Time, e.SealedToken, e.Body)
	return a, err
}

const eventColumns = `SELECT id, identity, event, account_id, teacher_id, meeting_uuid, event_ts, received_at, body, sealed_token, state, note FROM lectern.lectern_zoom_events `

// LoadEvent finds an event.
func LoadEvent(ctx context.Context, x Session, id int64) (Event, error) {
	var e Event
	err := scanEvent(&e)(func(dest ...any) error { return x.One(ctx, eventColumns+`WHERE id = $1`, []any{id}, dest...) })
	return e, err
}

func scanEvent(e *Event) func(scan func(...any) error) error {
	return func(scan func(...any) error) error {
		var at catalog.DBTime
		err := scan(&e.ID, &e.Identity, &e.Name, &e.AccountID, &e.TeacherID, &e.MeetingUUID, &e.Time, &at, &e.Body, &e.SealedToken, &e.State, &e.Note)
		e.ReceivedAt = at.Time
		return err
	}
}

// EventsOf gives the events that name a meeting, in order of arrival.
func EventsOf(ctx context.Context, x Session, uuid string) ([]Event, error) {
	var out []Event
	err := x.Each(ctx, eventColumns+`WHERE meeting_uuid = $1 ORDER BY id`, []any{uuid}, func(scan func(...any) error) error {
		var e Event
		err := scanEvent(&e)(scan)
		out = append(out, e)
		return err
	})
	return out, err
}

// FinishEvent says what became of an event.
func FinishEvent(ctx context.Context, x Session, id int64, state, note string) error {
	_, err := x.Exec(ctx, `UPDATE lectern.lectern_zoom_events SET state = $2, note = $3 WHERE id = $1`, id, state, clip(note, 500))
	return err
}

// Tenant is a Zoom app with a secret token of its own.
type Tenant struct {
	ID            string
	TeacherID     int64
	AccountID     string // of Zoom, "" when it is not checked
	SealedSecrets string
	CreatedAt     time.Time
}

// Tenants lists all tenants by id; there is one for a few teachers.
func Tenants(ctx context.Context, x Session) ([]Tenant, error) {
	var out []Tenant
	err := x.Each(ctx, `SELECT id, teacher_id, account_id, secrets, created_at FROM lectern.lectern_zoom_tenants ORDER BY id`, nil, func(scan func(...any) error) error {
		var (
			t  Tenant
			at catalog.DBTime
		)
		err := scan(&t.ID, &t.TeacherID, &t.AccountID, &t.SealedSecrets, &at)
		t.CreatedAt = at.Time
		out = append(out, t)
		return err
	})
	return out, err
}

// PutTenant adds a tenant or changes its secrets.
func PutTenant(ctx context.Context, x Session, t Tenant) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_zoom_tenants (id, teacher_id, account_id, secrets, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET teacher_id = excluded.teacher_id, account_id = excluded.account_id, secrets = excluded.secrets`,
		t.ID, t.TeacherID, t.AccountID, t.SealedSecrets, stamp(t.CreatedAt))
	return err
}

// DropTenant removes a tenant and says whether there was one.
func DropTenant(ctx context.Context, x Session, id string) (bool, error) {
	n, err := x.Exec(ctx, `DELETE FROM lectern.lectern_zoom_tenants WHERE id = $1`, id)
	return n > 0, err
}
