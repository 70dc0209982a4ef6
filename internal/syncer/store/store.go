// Package store is the syncer's own tables, and what the syncer writes into the
// platform's: webhooks, recorded meetings and their files, ingests and their states,
// quotas, retention, the history of it all.
//
// Its functions take the catalog's Session, so that several of them, and a job of
// the queue, make one transaction. Moments are time.Time in UTC; the zero time is
// NULL. A row that is not there is media.NotFound.
package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
)

// Session is where queries run.
type Session = catalog.Session

func stamp(t time.Time) catalog.DBTime { return catalog.NewDBTime(t) }

// orNull is an id as a column has it: NULL for 0.
func orNull(id int64) sql.NullInt64 { return sql.NullInt64{Int64: id, Valid: id != 0} }

// clip cuts a text to what a column holds: PostgreSQL refuses longer ones.
func clip(s string, runes int) string {
	n := 0
	for i := range s {
		if n == runes {
			return s[:i]
		}
		n++
	}
	return strings.ToValidUTF8(s, "")
}

// HistoryEntry is one entry of the history of a recording, an ingest or a meeting.
type HistoryEntry struct {
	At          time.Time
	IngestID    int64
	RecordingID int64
	MeetingUUID string
	What        string
	Detail      string
}

// AppendHistory appends an entry to the history.
func AppendHistory(ctx context.Context, x Session, l HistoryEntry) error {
	_, err := x.Exec(ctx, `INSERT INTO lectern.lectern_history (at, ingest_id, recording_id, meeting_uuid, what, detail) VALUES ($1, $2, $3, $4, $5, $6)`,
		stamp(l.At), l.IngestID, l.RecordingID, l.MeetingUUID, l.What, clip(l.Detail, 2000))
	return err
}

// History lists the entries about a recording, an ingest or meetings, in order.
func History(ctx context.Context, x Session, ingest, recording int64, meetings []string) ([]HistoryEntry, error) {
	var out []HistoryEntry
	add := func(query string, args ...any) error {
		return x.Each(ctx, query, args, func(scan func(...any) error) error {
			var (
				l  HistoryEntry
				at catalog.DBTime
				id int64
			)
			err := scan(&id, &at, &l.IngestID, &l.RecordingID, &l.MeetingUUID, &l.What, &l.Detail)
			l.At = at.Time
			out = append(out, l)
			return err
		})
	}
	const columns = `SELECT id, at, ingest_id, recording_id, meeting_uuid, what, detail FROM lectern.lectern_history `
	if ingest != 0 || recording != 0 {
		if err := add(columns+`WHERE (ingest_id = $1 AND $1 <> 0) OR (recording_id = $2 AND $2 <> 0) ORDER BY id`, ingest, recording); err != nil {
			return nil, err
		}
	}
	for _, uuid := range meetings {
		if err := add(columns+`WHERE meeting_uuid = $1 AND ingest_id = 0 AND recording_id = 0 ORDER BY id`, uuid); err != nil {
			return nil, err
		}
	}
	return out, nil
}
