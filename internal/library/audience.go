package library

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lectiospace/lectern/internal/catalog"
	"github.com/lectiospace/lectern/internal/watchstate"
)

// Attendee is a student of a recording's audience.
type Attendee struct {
	catalog.Person
	// State is the zero value of a student who may watch the recording and never did.
	State watchstate.State
}

// Audience reads who watched recordings. It is safe for concurrent use.
type Audience struct {
	reader *Reader
	states *WatchStates
}

// NewAudience makes an Audience of what states keeps.
func NewAudience(reader *Reader, states *WatchStates) *Audience { return &Audience{reader, states} }

// Attendees are the students who have watched a recording, and those who may and have not,
// by name. An inactive one is among them when they have watched it.
func (a *Audience) Attendees(ctx context.Context, recording int64) ([]Attendee, error) {
	// Memory first: what is written in between is in the rows.
	inMemory := a.states.audienceInMemory(recording)
	var out []Attendee
	err := a.reader.rows(ctx, "library: audience of a recording", a.reader.audienceQuery(recording, inMemory), func(scan func(...any) error) error {
		one, active, err := scanAttendee(scan)
		if err != nil {
			return err
		}
		if state, ok := inMemory[one.ID]; ok {
			one.State.Merge(state)
		}
		if active || !one.State.At.IsZero() {
			out = append(out, one)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Attendee) int {
		return cmp.Or(strings.Compare(a.ShortName(), b.ShortName()), cmp.Compare(a.ID, b.ID))
	})
	return out, err
}

// audienceQuery selects the students who are listed for a recording by the rule of
// auth.Decide, and those who have a state, in the database or in memory.
func (l *Reader) audienceQuery(recording int64, inMemory map[int64]watchstate.State) *query {
	q := &query{d: l.store.Dialect()}
	id := "CAST(" + q.arg(recording) + " AS bigint)"
	q.text = `WITH rec AS MATERIALIZED (SELECT r.id, r.visibility, ` + catalog.RecordingOwner + ` AS owner
	FROM ` + recordingsTable + ` r LEFT JOIN ` + lessonsTable + ` l ON l.id = r.lesson_id WHERE r.id = ` + id + `),
listed AS MATERIALIZED (
	SELECT a.customuser_id AS id, 'student' AS path FROM public.schedule_lessonrecording_allowed_students a WHERE a.lessonrecording_id = ` + id + `
	UNION SELECT m.customuser_id, 'group' FROM public.schedule_lessonrecording_allowed_groups a
		JOIN public.schedule_group_students m ON m.group_id = a.group_id WHERE a.lessonrecording_id = ` + id + `
	UNION SELECT m.customuser_id, 'all' FROM rec JOIN public.schedule_group g ON g.teacher_id = rec.owner
		JOIN public.schedule_group_students m ON m.group_id = g.id WHERE rec.visibility = 'all_teacher_groups'
),
people AS MATERIALIZED (
	SELECT w.id FROM listed w CROSS JOIN rec r WHERE ` + l.listedRule() + `
	UNION SELECT s.user_id FROM lectern.lectern_watch_states s WHERE s.recording_id = ` + id
	for i, user := range slices.Sorted(maps.Keys(inMemory)) {
		if i == 0 {
			q.text += "\n	UNION VALUES "
		} else {
			q.text += ", "
		}
		q.text += "(CAST(" + q.arg(user) + " AS bigint))"
	}
	q.text += `
)
SELECT u.id, COALESCE(u.first_name, ''), COALESCE(u.last_name, ''), COALESCE(u.middle_name, ''), COALESCE(u.email, ''), u.is_active,
	s.position_ms, s.arrived_ms, s.played
FROM people p JOIN public.accounts_customuser u ON u.id = p.id
	LEFT JOIN lectern.lectern_watch_states s ON s.user_id = u.id AND s.recording_id = ` + id + `
WHERE u.role = 'student'`
	return q
}

func scanAttendee(scan func(...any) error) (one Attendee, active bool, err error) {
	var (
		position, arrived sql.NullInt64
		played            []byte
	)
	if err := scan(&one.ID, &one.First, &one.Last, &one.Middle, &one.Email, &active, &position, &arrived, &played); err != nil || !arrived.Valid {
		return one, active, err
	}
	one.State = storedState(position.Int64, arrived.Int64, played)
	return one, active, nil
}

// storedState is a state as its columns have it. Damaged pieces count as none: the position
// is worth more than an error for ever, and the next write mends the row.
func storedState(position, arrived int64, played []byte) watchstate.State {
	state := watchstate.State{Position: time.Duration(position) * time.Millisecond, At: time.UnixMilli(arrived)}
	if pieces, err := watchstate.Decode(played); err == nil {
		state.Played = pieces
	}
	return state
}
